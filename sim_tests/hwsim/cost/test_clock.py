"""Clock of a design from the paths of a small one: each memory counts with its own access."""

from __future__ import annotations

from functools import cache

import pytest

from hwsim.config import ArchConfig
from hwsim.config.catalog import CONFIGS
from hwsim.config.parts import ClockConfig, PathConfig, clock_probe
from hwsim.cost.clock import clock
from hwsim.cost.memories import build, process

CSC = {
    "family": "csc", "pes": 2, "lanes": 1, "load_pes": 1, "col_depth": 16, "entry_depth": 8192,
    "acc_depth": 4,
}  # fmt: skip


def design():
    return ArchConfig.model_validate({"name": "few", "array": CSC})


def access(arch, name):
    found = next(m for m in arch.array.memories(arch.numbers) if m.name == name)
    return build(found, "sg13g2").access


def test_a_memory_that_is_fast_in_the_probe_may_be_the_slowest():
    arch = design()
    paths = {
        "accumulator": PathConfig(ns=5.0, access=3.0, memory="accumulator", start="a", end="b"),
        "entries": PathConfig(ns=4.5, access=3.0, memory="entries", start="c", end="d"),
    }
    measured = ClockConfig(
        rtl="0" * 16,
        logic=PathConfig(ns=2.0, start="e", end="f"),
        memory=paths["accumulator"],
        others=[paths["entries"]],
    )
    found = clock(arch, "sg13g2", {"typ": measured}).corners["typ"]
    assert found.memory.memory == "entries"
    assert found.memory.ns == pytest.approx(1.5 + access(arch, "entries"))
    assert found.period == found.memory.ns


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIGS / "arch").glob("*.yaml")))
def test_memories_of_a_probe_differ_in_shape(name):
    """Timing tells them apart by it."""
    probe = clock_probe(ArchConfig.read(name))
    shapes = [(memory.depth, memory.width) for memory in probe.array.memories(probe.numbers)]
    assert len(set(shapes)) == len(shapes)


def test_paths_of_every_memory_are_measured(monkeypatch):
    pytest.importorskip("pyosys", reason="clocks need pyosys: pip install 'hwsim[synth]'")
    from hwsim.rtl.synth import clock as measuring

    # one netlist serves both
    monkeypatch.setattr(measuring, "map_flat", cache(measuring.map_flat))
    arch = design()
    probe, technology = clock_probe(arch), process("sg13g2")

    def measure(owner):
        return measuring.measure_clock(
            probe, technology, "sg13g2", lambda memory, corner: access(owner, memory.name)
        )["typ"]

    # of the probe's accesses, made the design's own, and of the design's own at once
    scaled = clock(arch, "sg13g2", {"typ": measure(probe)}).corners["typ"]
    direct = measure(arch)
    names = {path.memory for path in (direct.memory, *direct.others)}
    assert {"entries", "accumulator", "pointers, even", "pointers, odd"} <= names
    assert scaled.period == pytest.approx(direct.period, abs=1e-3)
