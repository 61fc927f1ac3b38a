"""Memories in silicon: the smallest way that holds them, by brute force."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwsim.config import ArchConfig
from hwsim.config.catalog import CONFIGS
from hwsim.config.onchip import machine_memories
from hwsim.config.tech import TechConfig
from hwsim.contract.memories import Memory
from hwsim.cost.memories import build, logic, lost
from hwsim.errors import InputError

SRAM = TechConfig.read("sg13g2").sram
#: Area in um2 that the foundry gives for some of its macros: ports, depth, width -> um2.
FOUNDRY = {
    (1, 64, 64): 50489,
    (1, 1024, 32): 140183,
    (1, 8192, 32): 939915,
    (2, 64, 32): 52621,
    (2, 256, 16): 57521,
    (2, 1024, 32): 264167,
}


@pytest.mark.parametrize(("ports", "depth", "width"), FOUNDRY)
def test_the_foundry_s_own_macros_have_their_areas(ports, depth, width):
    built = build(Memory("m", depth, width, ports=ports), "sg13g2")
    assert built.kind == "macro"
    assert built.area == pytest.approx(FOUNDRY[ports, depth, width], rel=0.05)


@pytest.mark.parametrize("ports", [1, 2])
@pytest.mark.parametrize(
    ("depth", "width"), [(100, 7), (513, 15), (16384, 12), (128, 512), (3, 200)]
)
def test_no_arrangement_of_macros_is_smaller(ports, depth, width):
    built = build(Memory("m", depth, width, ports=ports), "sg13g2")
    if built.kind == "macro":
        assert built.deep * built.piece[0] >= depth
        assert built.wide * built.piece[1] >= width
    macro = SRAM.macros[ports]
    a, b, c, d = macro.area
    for piece_depth in macro.depths:
        for piece_width in macro.widths:
            for mux in macro.column_muxes:
                rows, columns = piece_depth >> mux, piece_width << mux
                if not (macro.rows[0] <= rows <= macro.rows[1]):
                    continue
                if not (macro.columns[0] <= columns <= macro.columns[1]):
                    continue
                pieces = -(-depth // piece_depth) * -(-width // piece_width)
                one = a + b * rows + c * columns + d * piece_depth * piece_width
                assert built.area <= pieces * one + 1e-6


@pytest.mark.parametrize("tech", ["sg13g2", "45nm"])
def test_small_memories_are_flip_flops_and_large_ones_are_not(tech):
    kinds = [build(Memory("m", depth, 16), tech).kind for depth in (2, 4, 8, 4096)]
    assert kinds[0] == "flip-flops"
    assert kinds[-1] in ("macro", "power law")
    # there is one break
    assert kinds == sorted(kinds, key=lambda kind: kind != "flip-flops")
    assert build(Memory("m", 4096, 16, combinational=True), tech).kind == "flip-flops"


@pytest.mark.parametrize("width", [4, 32, 140])
@pytest.mark.parametrize("ports", [1, 2])
def test_half_the_words_never_take_more_macros(width, ports):
    areas = [build(Memory("m", 1 << n, width, ports=ports), "sg13g2").area for n in range(14)]
    assert areas == sorted(areas)


@pytest.mark.parametrize("tech", ["sg13g2", "45nm"])
def test_ports_bypass_and_size_cost(tech):
    one = Memory("m", 1024, 32, ports=1)
    area = build(one, tech).area
    assert build(replace(one, ports=2), tech).area > area
    assert (
        build(replace(one, ports=2, transparent=True), tech).area
        > build(replace(one, ports=2), tech).area
    )
    for more in (replace(one, depth=2048), replace(one, width=64)):
        larger = build(more, tech)
        assert larger.area > area
        assert larger.leakage > build(one, tech).leakage
        assert larger.access >= build(one, tech).access


def test_45nm_is_near_eie_s_published_memories():
    # 128 KB: 469,412 um2, CACTI 429,590; we say where power laws are extrapolated
    sparse = build(Memory("weights", 16384, 64, ports=1), "45nm")
    assert sparse.area == pytest.approx(429_590, rel=0.19)
    assert not sparse.extrapolated
    assert build(Memory("m", 256, 16, ports=1), "45nm").extrapolated


def test_a_scaled_technology_is_its_base_scaled():
    base, scaled = logic("sg13g2"), logic("45nm")
    assert scaled.corner == base.corner
    assert (scaled.area, scaled.flip_flop_area) == (0.16, 0.16)
    slow = logic("sg13g2", "slow").corner
    assert slow.flip_flop.setup > base.corner.flip_flop.setup
    with pytest.raises(InputError, match="corner = 'fast': must be one of: typ, slow"):
        logic("sg13g2", "fast")


def test_every_memory_of_every_shipped_design_can_be_built():
    names = sorted(path.stem for path in (CONFIGS / "arch").glob("*.yaml"))
    assert names
    for arch in map(ArchConfig.read, names):
        for memory in arch.array.memories(arch.numbers):
            for tech in ("sg13g2", "45nm"):
                assert build(memory, tech).area > 0


def test_a_memory_that_nothing_can_build_is_one_line(tmp_path):
    without = TechConfig.read("sg13g2").model_copy(update={"sram": None, "name": "bare"})
    (path := tmp_path / "bare.yaml").write_text(without.to_yaml())
    small, large = Memory("queue", 16, 64), Memory("entries", 8192, 16)
    assert build(small, str(path)).kind == "flip-flops"
    rule = r"sram = '8192 x 16, 2 port\(s\)': must have one for entries: flip-flops hold at most"
    with pytest.raises(InputError, match=rule):
        build(large, str(path))
    # nor one that is read in the cycle of its address, where macros are not
    with pytest.raises(InputError, match="flip-flops hold at most 65,536 bits"):
        build(replace(large, combinational=True), "sg13g2")


#: Memories that are read in the cycle of their address, larger than 1 kbit, and not built of SRAM:
#: a gather list is the address of a bank, whose word is due in the next cycle.
KNOWN = {
    ("dense_8x8_ws_gather", "gather list"),
    ("dense_8x8_ws_gather_channels", "gather list"),
}


@pytest.mark.parametrize("tech", ["sg13g2", "45nm"])
def test_no_large_memory_of_a_design_that_ships_is_flip_flops(tech):
    found = set()
    kinds = ("arch", "machine")
    for path in sorted(path for kind in kinds for path in (CONFIGS / kind).glob("*.yaml")):
        arch = ArchConfig.read(path)
        memories = (*arch.array.memories(arch.numbers), *machine_memories(arch))
        found |= {(arch.name, memory.name) for memory in memories if lost(memory, tech)}
    assert found == KNOWN


def test_a_large_memory_in_flip_flops_is_explained():
    """A queue of a few wide words is smaller in flip-flops, however it is read."""
    deep = Memory("m", 256, 32, combinational=True)
    assert (
        lost(deep, "sg13g2") == "8,192 bits in flip-flops: it is read in the cycle of its address"
    )
    for memory in (
        replace(deep, combinational=False),
        replace(deep, depth=32),  # 1 kbit
        Memory("m", 8, 143, combinational=True),
    ):
        assert lost(memory, "sg13g2") == ""


def test_a_technology_without_sram_is_told(tmp_path):
    technology = TechConfig.read("sg13g2").model_copy(update={"sram": None})
    path = tmp_path / "bare.yaml"
    path.write_text(technology.to_yaml())
    rule = f"8,192 bits in flip-flops: {path} has no SRAM that holds it"
    assert lost(Memory("m", 256, 32), str(path)) == rule
