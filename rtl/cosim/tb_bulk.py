"""cocotb testbench of the bench: plays every case of a file in one simulation.

Run by :mod:`hwsim.rtl.cosim.run` in a folder, ``HWSIM_RUN``, that holds ``cases.npz``. Case i has
the words ``i.command``, ``i.weight``, ``i.act`` and ``i.job`` (one word) as limbs, and ``i.plan``:
the transfers expected, the cycle in which a reset cuts a first try of the case, or -1, and the
limit of cycles. Out comes ``results.npz`` with ``i.result`` and ``i.ofmap``. A case whose array
never became idle has neither; one that hung, or whose output holds unknown bits, has no
``i.ofmap``. There is no reset between two cases, except after one of those.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.handle import Immediate
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout

from hwsim.rtl.cosim.pack import Limbs, from_ints, to_ints, to_npz
from hwsim.rtl.cosim.stream_bench import SOURCES
from hwsim.system.files import write_bytes_atomic
from hwsim.system.processes import end_with_parent

#: Cycles in which an array must become idle: after a reset it may clear its memories.
IDLE_LIMIT = 1 << 17
#: Clock period in nanoseconds.
PERIOD = 2
#: Cycles watched after a run, for an offer outside it.
TAIL = 4


@cocotb.test()
async def play(dut: Any) -> None:
    end_with_parent()  # a simulation may take hours
    folder = Path(os.environ["HWSIM_RUN"])
    with np.load(folder / "cases.npz") as cases:
        total = int(cases["cases"])
        results: dict[str, Limbs] = {}
        dut.rst.value = 1
        dut.run.value = 0
        dut.job.value = 0
        Clock(dut.clk, PERIOD, unit="ns").start()
        await reset(dut)
        for case in range(total):
            await play_case(dut, cases, case, results)
    write_bytes_atomic(folder / "results.npz", to_npz(results))


async def play_case(dut: Any, cases: Any, case: int, results: dict[str, Limbs]) -> None:
    """Load the memories, run to the end, perhaps after a try that is cut; read the memories."""
    transfers, cut, limit = cases[f"{case}.plan"].tolist()
    for name in SOURCES:
        word = dut[f"memory_{name}"].word
        for index, value in enumerate(to_ints(cases[f"{case}.{name}"])):
            word[index].value = Immediate(value)
    dut.job.value = to_ints(cases[f"{case}.job"])[0]
    if cut >= 0:
        if not await start(dut):
            return
        await ClockCycles(dut.clk, cut + 1)
        await reset(dut)
    if not await start(dut):
        await reset(dut)
        return
    # the bench stops by itself at the limit; this one is for a bench that does not
    await with_timeout(RisingEdge(dut.stop), PERIOD * (limit + 100), "ns")
    await ClockCycles(dut.clk, TAIL)
    results[f"{case}.result"] = read([dut.result], len(dut.result))
    if dut.hung.value == 0:
        word = dut.memory_ofmap.word
        try:
            results[f"{case}.ofmap"] = read((word[i] for i in range(transfers)), len(word[0]))
        except ValueError:  # X or Z: only a four-state simulator has them
            cocotb.log.error("case %d: ofmap holds unknown bits", case)
    else:
        await reset(dut)
    dut.run.value = 0
    await ClockCycles(dut.clk, 2)


async def start(dut: Any) -> bool:
    """Let a run begin once the array is idle; False if it never is."""
    await ClockCycles(dut.clk, 2)
    for _ in range(IDLE_LIMIT):
        if dut.idle.value == 1:
            dut.run.value = 1
            return True
        await RisingEdge(dut.clk)
    return False


async def reset(dut: Any) -> None:
    """Two cycles of reset, with no run."""
    dut.rst.value = 1
    dut.run.value = 0
    await ClockCycles(dut.clk, 2)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 1)


def read(handles: Iterable[Any], width: int) -> Limbs:
    """Words of handles, as limbs."""
    return from_ints([handle.value.to_unsigned() for handle in handles], width)
