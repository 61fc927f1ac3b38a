"""cocotb testbench of a generated array, driven and watched in every cycle, without any bench.

Run by test_array.py in a folder, ``DUT_CASES``, with ``cases.npz``: for case i the words of each
input stream (``i.command``, ...), the stall patterns (``i.pause.act``, ...), and what must come
out: ``i.ofmap`` by transfer and lane where ``i.used``, ``i.counts.<group>`` and ``i.cycles``. The
sidecar is ``DUT_SIDECAR``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from hwsim.rtl.cosim.pack import from_ints, to_ints, unpack

SIDECAR = json.loads(Path(os.environ["DUT_SIDECAR"]).read_text())
CASES = np.load(Path(os.environ["DUT_CASES"]) / "cases.npz")
SOURCES = ("command", "weight", "act")


class Source:
    """One input stream: offers by the pattern, holds an offer until it is taken."""

    def __init__(self, dut, case, name):
        self.valid, self.ready = dut[f"{name}__valid"], dut[f"{name}__ready"]
        self.payload = dut[f"{name}__payload"]
        self.words = to_ints(CASES[f"{case}.{name}"])
        self.pattern = CASES[f"{case}.pause.{name}"].tolist()
        self.taken, self.held = 0, False

    def drive(self, cycle):
        paused = bool(self.pattern) and self.pattern[cycle % len(self.pattern)]
        offers = self.taken < len(self.words) and (self.held or not paused)
        self.valid.value = int(offers)
        # a payload that is not offered means nothing: the array must not look at it
        self.payload.value = self.words[self.taken] if offers else (1 << len(self.payload)) - 1

    def sample(self):
        valid, ready = self.valid.value == 1, self.ready.value == 1
        self.held = valid and not ready
        self.taken += valid and ready


async def reset(dut, cycles=2):
    """Reset with every input driven, then wait until a command would be taken."""
    for name in SOURCES:
        dut[f"{name}__valid"].value = 0
        dut[f"{name}__payload"].value = 0
    dut.ofmap__ready.value = 0
    dut.rst.value = 1
    await ClockCycles(dut.clk, cycles)
    dut.rst.value = 0
    for _ in range(1000):
        await RisingEdge(dut.clk)
        if dut.command__ready.value == 1:
            return
    raise AssertionError("the array takes no command after reset")


async def play(dut, case, cycles=None):
    """Play one case from t = 0 to its last transfer, or for some cycles; return what was seen."""
    sources = [Source(dut, case, name) for name in SOURCES]
    pattern = CASES[f"{case}.pause.ofmap"].tolist()
    expected = len(CASES[f"{case}.ofmap"])
    limit = 1000 + 2 * int(CASES[f"{case}.cycles"])
    counts = {
        group: dict.fromkeys(range(len(entry["causes"])), 0)
        for group, entry in SIDECAR["status"]["groups"].items()
    }
    seen, waiting, cycle = [], None, 0
    while len(seen) < expected and cycle != cycles:
        assert cycle < limit, f"hung after {len(seen)} of {expected} transfers"
        for source in sources:
            source.drive(cycle)
        dut.ofmap__ready.value = int(not (pattern and pattern[cycle % len(pattern)]))
        await RisingEdge(dut.clk)
        for source in sources:
            source.sample()
        status = dut.status.value.to_unsigned()
        for group, entry in SIDECAR["status"]["groups"].items():
            for member in range(entry["members"]):
                shift = entry["offset"] + member * entry["width"]
                counts[group][status >> shift & (1 << entry["width"]) - 1] += 1
        valid, ready = dut.ofmap__valid.value == 1, dut.ofmap__ready.value == 1
        payload = dut.ofmap__payload.value.to_unsigned() if valid else None
        assert waiting is None or payload == waiting, "ofmap changed an offer that was not taken"
        waiting = payload if valid and not ready else None
        if valid and ready:
            seen.append(payload)
        cycle += 1
    for source in sources:
        source.valid.value = 0
        assert cycles is not None or source.taken == len(source.words), "words are left over"
    dut.ofmap__ready.value = 0
    return seen, counts, cycle


@cocotb.test()
async def cases_equal_the_model(dut):
    """All cases one after the other without a reset between them."""
    Clock(dut.clk, 10, unit="ns").start()
    await reset(dut)
    for case in range(int(CASES["cases"])):
        await check(dut, case)


@cocotb.test()
async def reset_in_a_run_leaves_the_array_clean(dut):
    Clock(dut.clk, 10, unit="ns").start()
    cycles = int(CASES["1.cycles"])
    for stop in (1, cycles // 3, cycles // 2, cycles - 2):
        await reset(dut, cycles=1)
        await play(dut, 1, max(1, stop))
        await reset(dut, cycles=1)
        await check(dut, 0)


async def check(dut, case):
    seen, counts, cycles = await play(dut, case)
    ofmap = SIDECAR["streams"]["ofmap"]
    lanes = unpack(from_ints(seen, ofmap["width"]), ofmap)["psum"]
    used = CASES[f"{case}.used"]
    assert lanes[used].tolist() == CASES[f"{case}.ofmap"][used].tolist(), f"case {case}"
    assert cycles == int(CASES[f"{case}.cycles"]), f"case {case}"
    for group, found in counts.items():
        expected = CASES[f"{case}.counts.{group}"].tolist()
        assert list(found.values()) == expected, f"case {case}: {group}"
    for _ in range(16):
        await RisingEdge(dut.clk)
        assert dut.ofmap__valid.value == 0, f"case {case}: an output nobody asked for"
