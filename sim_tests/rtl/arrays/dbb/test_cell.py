# amaranth: UnusedElaboratable=no
"""Cell of the density-bound-block family: products of activations and weights it selects."""

import pytest
from amaranth import ClockDomain, Const, Module, Signal
from harness.component import seeded
from harness.dbb_cases import KINDS, NUMBERS, arch_of

from hwsim.config import NumberConfig
from hwsim.formats.codes import encode, levels
from hwsim.rtl.arrays.dbb.cell import DBBCell


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
def test_cell_adds_up_what_it_selects(simulate, kind, numbers):
    """Every code at every position: the sum of the products, combinational."""
    n, m = kind
    arch = arch_of(1, 1, n, m, **numbers)
    cell = DBBCell(NumberConfig(**numbers), arch.array)
    rng = seeded(14)
    top = Module()
    top.domains.sync = ClockDomain()
    act, weight, total = Signal(cell.act), Signal(cell.weight), Signal(32)
    top.d.comb += total.eq(cell.dot(top, act, weight, enable=Const(1), platform=None))
    half = 1 << (arch.numbers.act_width - 1)

    async def testbench(ctx):
        for _ in range(20):
            weights = rng.choice(levels(arch.numbers), m)
            values = rng.choice([-half, half - 1, 0, -5], n)
            positions = rng.integers(0, m, n)
            slots = zip(values.tolist(), positions.tolist(), strict=True)
            ctx.set(weight, encode(weights, arch.numbers).tolist())
            ctx.set(act, [{"value": value, "position": position} for value, position in slots])
            expected = int((weights[positions] * values).sum())
            assert ctx.get(total) == expected & 0xFFFFFFFF
            await ctx.tick()

    simulate(top, testbench)
