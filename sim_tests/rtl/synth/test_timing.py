"""Static timing: arrivals by hand on small netlists, and against ABC on real ones."""

import pytest

from hwsim.config.tech import ArcConfig, CellConfig, CornerConfig, FlipFlopConfig
from hwsim.errors import InputError
from hwsim.rtl.synth.timing import EDGE_NS, analyze


def arc(pin, sense, rise, fall):
    return ArcConfig(
        pin=pin, sense=sense, rise=[rise, 0.001, 0.0, 0.0], fall=[fall, 0.001, 0.0, 0.0],
        rise_slew=[0.05, 0.0, 0.0, 0.0], fall_slew=[0.05, 0.0, 0.0, 0.0],
    )  # fmt: skip


def cell(function, *arcs):
    pins = {each.pin: 2.0 for each in arcs}
    return CellConfig(
        area=1.0, leakage=1.0, energy=0.0, output="Y", function=function, max_load=300.0,
        pins=pins, arcs=list(arcs),
    )  # fmt: skip


#: Delays in ns apart from 0.001 per fF; every input pin takes 2 fF.
CORNER = CornerConfig(
    voltage=1.2,
    temperature=25.0,
    cells={
        "INV": cell("!A", arc("A", "negative_unate", 0.10, 0.20)),
        "BUF": cell("A", arc("A", "positive_unate", 0.30, 0.40)),
        "XOR": cell("(A^B)", arc("A", "non_unate", 0.5, 0.6), arc("B", "non_unate", 0.7, 0.8)),
    },
    flip_flop=FlipFlopConfig(
        name="DFF", area=5.0, leakage=1.0, clock_energy=0.0, energy=0.0,
        pins={"C": 1.0, "D": 2.0}, clock="C", data="D", output="Q", setup=0.05,
        rise=[0.15, 0.001, 0.0, 0.0], fall=[0.16, 0.001, 0.0, 0.0],
    ),
)  # fmt: skip


def netlist(cells, names=(), inputs=(), outputs=()):
    ports = {f"in{n}": {"direction": "input", "bits": [n]} for n in inputs}
    ports |= {f"out{n}": {"direction": "output", "bits": [n]} for n in outputs}
    return {
        "cells": {
            f"c{index}": {
                "type": kind,
                "parameters": parameters,
                "connections": {
                    pin: nets if isinstance(nets, list) else [nets] for pin, nets in pins.items()
                },
            }
            for index, (kind, pins, parameters) in enumerate(cells)
        },
        "netnames": {name: {"bits": [net]} for name, net in names},
        "ports": ports,
    }


def timed(cells, memories=lambda depth, width, combinational: 3.0, **rest):
    gates = [
        (kind, pins, {}) if len(each) == 2 else each for each in cells for kind, pins in [each[:2]]
    ]
    return analyze(netlist(gates, **rest), CORNER, 0.0, memories)


def test_a_chain_of_inverters_alternates_its_edges():
    # register -> INV -> INV -> register: rise 0.152, fall 0.10... by hand
    found = timed(
        [
            ("DFF", {"C": 1, "D": 9, "Q": 2}),
            ("INV", {"A": 2, "Y": 3}),
            ("INV", {"A": 3, "Y": 4}),
            ("DFF", {"C": 1, "D": 4, "Q": 5}),
        ],
        names=[("a", 2), ("b", 5)],
    )
    # Q drives 2 fF: rises at 0.152, falls at 0.162. Falling Q: INV rises + 0.102, INV falls + 0.202
    fall = 0.162 + 0.102 + 0.202
    rise = 0.152 + 0.202 + 0.102
    assert found.logic.delay == pytest.approx(max(fall, rise) + 0.05, abs=1e-4)
    assert (found.logic.points[0], found.logic.points[-1]) == ("a", "b")
    assert found.memory is None
    assert found.period == found.logic.delay


def test_the_slower_input_and_the_heavier_load_count():
    cells = [
        ("DFF", {"C": 1, "D": 9, "Q": 2}),
        ("DFF", {"C": 1, "D": 9, "Q": 3}),
        ("XOR", {"A": 2, "B": 3, "Y": 4}),
        ("DFF", {"C": 1, "D": 4, "Q": 5}),
    ]
    first = timed(cells, names=[("slow", 3), ("fast", 2)])
    assert first.logic.delay == pytest.approx(0.162 + 0.802 + 0.05, abs=1e-4)
    assert first.logic.points[0] == "slow"
    # ten more loads of 2 fF on the XOR
    more = [("DFF", {"C": 1, "D": 4, "Q": 10 + n}) for n in range(10)]
    assert timed(cells + more).logic.delay == pytest.approx(first.logic.delay + 0.020, abs=1e-4)


RAM = {
    "SIZE": "100000", "WIDTH": "1", "ABITS": "1", "RD_PORTS": "1", "RD_CLK_ENABLE": "1",
}  # fmt: skip


def test_memories_are_starts_and_ends_of_their_own():
    cells = [
        ("$mem_v2", {"RD_ADDR": 6, "RD_DATA": 2, "WR_DATA": 7, "RD_CLK": 1}, RAM),
        ("BUF", {"A": 2, "Y": 3}),
        ("DFF", {"C": 1, "D": 3, "Q": 4}),
        ("BUF", {"A": 4, "Y": 7}),
    ]
    found = timed(cells, names=[("data", 2), ("sum", 4)])
    assert found.memory.delay == pytest.approx(3.0 + 0.402 + 0.05, abs=1e-4)
    assert found.memory.points == ("data", "sum")
    assert found.starts_at is not None
    assert found.memory.begin == 3.0
    # a fast memory: its write data is late
    fast = timed(cells, memories=lambda *shape: 0.0)
    assert fast.starts_at is None
    assert fast.memory.delay == pytest.approx(0.162 + 0.402 + 0.05, abs=1e-4)


@pytest.mark.parametrize(("enables", "pins"), [([4, 4, 4], 1), ([4, 4, 8], 2)])
def test_bits_that_are_written_together_share_a_pin(enables, pins):
    ram = RAM | {"WIDTH": "11"}
    cells = [
        ("DFF", {"C": 1, "D": 9, "Q": 3}),
        ("BUF", {"A": 3, "Y": 4}),
        ("$mem_v2", {"RD_DATA": [5, 6, 7], "WR_EN": enables}, ram),
    ]
    found = timed(cells, memories=lambda *shape: 0.0)
    assert found.memory.delay == pytest.approx(0.162 + 0.400 + 0.002 * pins + 0.05, abs=1e-4)


def test_a_combinational_read_follows_its_address():
    ram = RAM | {"RD_CLK_ENABLE": "0"}
    cells = [
        ("DFF", {"C": 1, "D": 9, "Q": 6}),
        ("$mem_v2", {"RD_ADDR": 6, "RD_DATA": 2, "RD_CLK": 1}, ram),
        ("DFF", {"C": 1, "D": 2, "Q": 4}),
    ]
    found = timed(cells, memories=lambda depth, width, combinational: 2.0 if combinational else 9.0)
    assert found.logic.delay == pytest.approx(0.162 + 2.0 + 0.05, abs=1e-4)


def test_loops_and_unknown_cells_are_one_line():
    loop = [("INV", {"A": 3, "Y": 2}), ("INV", {"A": 2, "Y": 3}), ("DFF", {"C": 1, "D": 3, "Q": 4})]
    with pytest.raises(InputError, match="is in a loop of gates"):
        timed(loop, names=[("x", 3)])
    with pytest.raises(InputError, match="c0 = 'NAND9': is no cell of the technology"):
        timed([("NAND9", {"A": 2, "Y": 3})])


def test_ports_begin_at_the_edge():
    found = timed([("INV", {"A": 2, "Y": 3})], inputs=[2], outputs=[3], names=[("out", 3)])
    assert found.logic.delay == pytest.approx(0.20, abs=1e-4)
    assert EDGE_NS == 0.05


@pytest.mark.parametrize("name", ["dense_8x8_ws", "nm_2x4_4x8_ws"])
def test_it_agrees_with_abc_on_a_pe(name, tmp_path):
    """ABC starts at a register's output without the register's own delay, and has no setup."""
    pytest.importorskip("pyosys", reason="netlists need pyosys: pip install 'hwsim[synth]'")
    from hwsim.config import ArchConfig
    from hwsim.config.parts import keys_of, probe_of
    from hwsim.cost.memories import logic, process
    from hwsim.rtl.synth.parts import measure, part_rtl
    from hwsim.rtl.synth.yosys import map_flat

    arch = ArchConfig.read(name)
    part = next(part for part, _ in keys_of(arch) if part.path == "mesh.pe_1_1")
    probe = probe_of(arch, part)
    corner = logic("sg13g2").corner
    found = analyze(map_flat(*part_rtl(probe, part), "sg13g2"), corner, 0.0, lambda *shape: 0.0)
    abc = measure(probe, part, "sg13g2", tmp_path, process("sg13g2")).delay
    around = found.logic.begin + corner.flip_flop.setup
    assert found.logic.delay - around == pytest.approx(abc, rel=0.1)
