# amaranth: UnusedElaboratable=no
"""Cell of the pattern family: four products of taps that its weights choose."""

import pytest
from amaranth import Const, Module, Signal
from harness.pattern_cases import arch_of

from hwsim.rtl.arrays.pattern.cell import PatternCell


@pytest.mark.parametrize("code", ["int", "levels"])
def test_cell_chooses_its_taps(simulate, code):
    """Every tap of each of the four multipliers, and none."""
    numbers = arch_of(1, 1, weight_width=3, weight_code=code).numbers
    cell = PatternCell(numbers)
    act, weight, out = Signal(cell.act), Signal(cell.weight), Signal(range(-4096, 4096))
    m = Module()
    m.d.comb += out.eq(cell.dot(m, act, weight, enable=Const(1), platform=None))
    m.d.sync += Signal().eq(0)
    acts = [3, -5, 7, -11, 13, -17, 19, -23, 29]
    taps = [[position] * 4 for position in range(10)] + [[0, 3, 4, 8], [8, 2, 9, 5]]

    async def testbench(ctx):
        ctx.set(act, cell.act.const(acts))
        ctx.set(weight.code, weight.code.shape().const([1, 2, 1, 0]))
        # codes 1, 2, 1, 0 are the integers 1, 2, 1, 0, or the levels 2, 3, 2, 1
        values = [1, 2, 1, 0] if code == "int" else [2, 3, 2, 1]
        for positions in taps:
            ctx.set(weight.tap, weight.tap.shape().const(positions))
            terms = zip(values, positions, strict=True)
            expected = sum(value * [*acts, 0][position] for value, position in terms)
            assert ctx.get(out) == expected
            await ctx.tick()

    simulate(m, testbench)
