"""cocotb testbench: a machine between an independent AXI-Lite master and an independent memory.

Run by ``test_machine_axi.py`` in the folder ``HWSIM_RUN``, which holds ``case.npz``: ``memory``,
bytes at the begin; ``program``: descriptors, bases of the regions; ``output``: first byte and
bytes; ``seed``. All channels pause at random. Out comes ``output.bin``.
"""

import os
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

from hwsim.contract.registers import MAGIC, offsets


def pauses(rng, probability):
    """Whether a channel pauses, cycle after cycle."""
    while True:
        yield bool(rng.random() < probability)


@cocotb.test()
async def run(dut):
    folder = Path(os.environ["HWSIM_RUN"])
    case = np.load(folder / "case.npz")
    rng = np.random.default_rng(int(case["seed"]))
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
    size = 1 << (len(case["memory"]) - 1).bit_length()
    memory = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=size)
    memory.write(0, case["memory"].tobytes())
    for channel in (
        memory.read_if.ar_channel, memory.read_if.r_channel, memory.write_if.aw_channel,
        memory.write_if.w_channel, memory.write_if.b_channel, host.write_if.aw_channel,
        host.write_if.w_channel, host.write_if.b_channel, host.read_if.ar_channel,
        host.read_if.r_channel,
    ):  # fmt: skip
        channel.set_pause_generator(pauses(rng, rng.choice([0.0, 0.3, 0.7])))
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 4)

    at = offsets()

    async def write(name, value):
        await host.write_dword(at[name], value)

    assert await host.read_dword(at["id"]) == MAGIC
    length, *bases = case["program"].tolist()
    for name, value in (("program_low", 0), ("program_length", length), ("interrupt_enable", 6)):
        await write(name, value)
    for index, base in enumerate(bases):
        await write(f"region{index}_low", base)
    await write("control", 1)
    if not dut.irq.value:
        await with_timeout(RisingEdge(dut.irq), 20, "ms")
    assert await host.read_dword(at["error"]) == 0
    assert await host.read_dword(at["status"]) & 7 == 2
    # the memory takes the last beats of a write a little after it has answered
    await ClockCycles(dut.clk, 20)
    first, count = case["output"].tolist()
    (folder / "output.bin").write_bytes(memory.read(first, count))
