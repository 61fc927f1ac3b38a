"""Energy: accounts that add up, events that are paid for, and shares that are found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hwsim
from hwsim import InputError
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.catalog import CONFIGS
from hwsim.config.parts import PartsConfig
from hwsim.cost.activity import Sample, fit
from hwsim.cost.book import Book
from hwsim.cost.energy import DRAM, Supply, energy, work
from hwsim.engine.network import simulate

LENET = NetworkConfig.read("lenet5")
RECORD = PartsConfig.read("sg13g2")
DESIGNS = ["dense_8x8_ws", "dense_8x8_os", "nm_2x4_4x8_ws", "pattern_4x4", "csc_4x16", "bitmask_64"]


def of(name, **keys):
    arch = ArchConfig.read(name)
    book = Book("sg13g2")
    result = simulate(arch, LENET)
    given = {"mhz": 100.0, "supply": Supply()} | keys
    return energy(result, book.area(arch), book.activity(arch), **given)


@pytest.mark.parametrize("name", DESIGNS)
def test_every_access_of_a_memory_is_paid_once(name):
    found = of(name)
    arch, counts = found.arch, found.result.counts
    for memory, silicon in Book("sg13g2").area(arch).memories:
        sharing = [m for m in arch.array.memories(arch.numbers) if m.reads == memory.reads]
        accesses = counts.events[memory.reads] * silicon.read
        accesses += counts.events[memory.writes] * silicon.write
        expected = accesses / len(sharing) + silicon.clock * memory.count * counts.cycles
        assert found.parts[f"{memory.name} memory"] == pytest.approx(expected)


@pytest.mark.parametrize("name", DESIGNS)
def test_parts_and_layers_add_up(name):
    found = of(name)
    assert found.total == pytest.approx(sum(sum(layer.values()) for layer in found.layers))
    assert found.array == pytest.approx(found.total - found.parts["buffer"] - found.parts["dram"])
    rows = found.to_rows()
    assert rows[-1]["total"] == pytest.approx(sum(row["total"] for row in rows[:-1]), abs=0.01)
    assert found.to_dict()["total_pj"] == found.total
    assert min(found.parts.values()) >= 0
    for part in ("pe", "control", "clock", "leakage"):
        assert found.parts[part] > 0


def test_leakage_takes_as_long_as_the_clock_says():
    slow, fast = of("csc_4x16", mhz=50.0), of("csc_4x16", mhz=200.0)
    assert slow.parts["leakage"] == pytest.approx(4 * fast.parts["leakage"])
    assert slow.microseconds == pytest.approx(4 * fast.microseconds)
    others = [{k: v for k, v in each.parts.items() if k != "leakage"} for each in (slow, fast)]
    assert others[0] == others[1]


def test_external_memory_gives_weights_and_takes_the_border_once():
    plain, dear = (of("dense_8x8_ws", supply=Supply(dram=dram)) for dram in ("lpddr4", "ddr3"))
    # 28 x 28 pixels in, ten classes out, of 8 bits
    assert plain.result.border == LENET.border == 28 * 28 + 10
    bits = plain.result.bits.total + 8 * plain.result.border
    assert plain.parts["dram"] == pytest.approx(bits * DRAM["lpddr4"])
    assert dear.parts["dram"] == pytest.approx(bits * DRAM["ddr3"])


def test_the_border_of_a_network_is_what_no_layer_makes_or_takes():
    resnet = NetworkConfig.read("resnet18")
    assert resnet.border == 3 * 224 * 224 + 1000
    branches = NetworkConfig.model_validate(
        {
            "name": "two",
            "input": {"channels": 3, "height": 8, "width": 8},
            "layers": [
                {"name": "a", "type": "conv", "M": 4, "R": 1},
                {"name": "b", "type": "conv", "M": 5, "R": 1, "inputs": ["a"]},
                {"name": "c", "type": "conv", "M": 6, "R": 1, "inputs": ["a"]},
            ],
        }
    )
    # two outputs
    assert branches.border == (3 + 5 + 6) * 64


def test_a_larger_buffer_takes_more_per_word():
    small, large = (of("dense_8x8_ws", supply=Supply(buffer_kib=kib)) for kib in (8, 512))
    assert small.parts["buffer"] < large.parts["buffer"]


def test_multiplications_are_useful_or_not():
    arch = ArchConfig.read("dense_8x8_ws")
    result = simulate(arch, LENET)
    counts, useful = result.counts, result.useful_macs
    done = work(arch, counts, useful)
    assert done["useful"] == useful / 64
    assert done["useful"] + done["zero"] == pytest.approx(counts.events["macs"] / 64)
    assert done["cycles"] == counts.cycles
    assert done["weight_loads"] == counts.events["weight_loads"]
    pe = of("dense_8x8_ws").parts["pe"]
    half = replace(result, layers=[replace(each, useful_macs=0) for each in result.layers])
    book = Book("sg13g2")
    idle = energy(half, book.area(arch), book.activity(arch), 100.0, Supply())
    assert idle.parts["pe"] < pe


@pytest.mark.parametrize("seed", range(4))
def test_shares_that_made_the_samples_are_found_again(seed):
    rng = np.random.default_rng(seed)
    shares = {"useful": 0.2, "zero": 0.03, "weight_loads": 0.06}
    works = [
        {event: float(rng.integers(1, 900)) for event in (*shares, "cycles")} for _ in range(5)
    ]
    samples = [
        Sample(
            done,
            {
                "pe": sum(share * done[event] for event, share in shares.items()),
                "control": 0.1 * done["cycles"],
                "border": 0.0,
            },
        )
        for done in works
    ]
    found = fit(samples, list(shares))
    assert found == {
        "pe": pytest.approx(shares, abs=1e-4),
        "control": pytest.approx({"cycles": 0.1}),
        "border": {"cycles": 0.0},
    }, f"seed {seed}"


def test_no_share_is_negative():
    works = [
        {"useful": 1.0, "zero": 9.0},
        {"useful": 5.0, "zero": 5.0},
        {"useful": 9.0, "zero": 1.0},
    ]
    samples = [
        Sample(done, {"pe": seen}) for done, seen in zip(works, (0.1, 2.0, 4.2), strict=True)
    ]
    found = fit(samples, ["useful", "zero"])["pe"]
    assert set(found) == {"useful"}
    assert found["useful"] > 0


def test_every_kind_that_ships_was_measured():
    for path in sorted((CONFIGS / "arch").glob("*.yaml")):
        arch = ArchConfig.read(path)
        measured = RECORD.activities.get(arch.array.kind, {})
        groups = {part.group for part in arch.array.parts(arch.numbers)}
        groups |= {"skew"} if arch.array.registers(arch.numbers) else set()
        assert groups <= set(measured), f"{arch.name}: python benchmarks/activity.py"


@pytest.mark.parametrize(
    "name",
    [
        *DESIGNS, "dense_8x8_ws_gather", "dense_8x8_ws_bitmask", "dbb_2x8_4x8",
        "csc_codebook_16x4", "csc_64x1",
    ],
)  # fmt: skip
def test_a_beat_carries_the_bits_of_the_rtl(name, tmp_path):
    """Data alone: neither kinds, banks and addresses of loads nor flags."""
    pytest.importorskip("amaranth", reason="needs the RTL generator: pip install 'hwsim[rtl]'")
    from hwsim.contract.events import STREAM_EVENTS
    from hwsim.rtl.emit.rtlil import design_rtlil
    from hwsim.rtl.emit.sidecar import sidecar

    arch = ArchConfig.read(name)
    array = arch.array
    streams = sidecar(arch, design_rtlil(arch)[0], "")["streams"]
    none = dict.fromkeys([*STREAM_EVENTS, *array.EVENTS], 0)
    by_words = {"weight"} if array.decodes_indices else set()
    for stream in {"weight", "act", "ofmap"} - by_words:
        events = none | {f"{stream}_beats": 1}
        if "list_writes" in array.strobes and stream == "act":
            events["list_writes"] = 1
        width = sum(
            field["width"] * int(np.prod(field["shape"]))
            for field in streams[stream]["fields"]
            if field["name"] != "last"
        )
        assert array.traffic(arch.numbers, events)[stream] == width, stream


def test_an_unknown_kind_or_memory_is_one_line():
    arch = ArchConfig.read("dense_8x8_ws")
    result, silicon = simulate(arch, LENET), Book("sg13g2").area(arch)
    with pytest.raises(InputError, match="must have measured activities of pe, control"):
        energy(result, silicon, {}, 100.0, Supply())
    with pytest.raises(InputError, match="dram = 'sram': must be one of: lpddr4, ddr3, hbm2"):
        hwsim.energy("dense_8x8_ws", "lenet5", dram="sram")
    with pytest.raises(InputError, match="buffer_kib = 0"):
        hwsim.energy("dense_8x8_ws", "lenet5", buffer_kib=0)


def test_a_scaled_technology_takes_less():
    here, there = (
        hwsim.energy("nm_2x4_4x8_ws", "lenet5", technology=t) for t in ("sg13g2", "45nm")
    )
    assert there.parts["pe"] == pytest.approx(0.163 * here.parts["pe"])
    assert there.mhz > here.mhz
    assert there.array < 0.3 * here.array


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_gated_zeros_switch_less_in_a_pe(dataflow):
    plain, gated = (RECORD.activities[f"dense {dataflow}{k}"]["pe"] for k in ("", " zero-gated"))
    assert gated["zero"] < 0.7 * plain["zero"]
