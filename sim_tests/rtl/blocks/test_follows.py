# amaranth: UnusedElaboratable=no
"""Comparison of consecutive numbers, exhaustively."""

import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator

from hwsim.rtl.blocks.follows import follows


@pytest.mark.parametrize("width", [1, 2, 5])
def test_one_number_follows_each(width):
    number, nxt, result = Signal(width), Signal(width), Signal()
    m = Module()
    m.d.comb += result.eq(follows(number, nxt))
    found = []

    async def testbench(ctx):
        for pair in range(1 << 2 * width):
            ctx.set(number, pair >> width)
            ctx.set(nxt, pair % (1 << width))
            if ctx.get(result):
                found.append((pair >> width, pair % (1 << width)))

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()
    assert found == [(each, (each + 1) % (1 << width)) for each in range(1 << width)]
