# amaranth: UnusedElaboratable=no
"""Cell of the N:M family: products of weights and the activations at their positions."""

import numpy as np
import pytest
from amaranth import ClockDomain, Const, Module, Signal
from harness.component import seeded
from harness.nm_cases import NUMBERS, arch_of

from hwsim.config import NumberConfig
from hwsim.formats.codes import decode
from hwsim.rtl.arrays.nm.cell import NMCell


@pytest.mark.parametrize("kind", [(1, 1), (2, 4), (3, 4), (4, 4), (2, 8)], ids=str)
@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
def test_cell_adds_up_what_it_selects(simulate, kind, numbers):
    """Every code at every position: the sum of the products, combinational."""
    arch = arch_of("os", 1, 1, *kind, **numbers)
    cell = NMCell(NumberConfig(**numbers), arch.array)
    n, m = kind
    rng = seeded(14)
    top = Module()
    top.domains.sync = ClockDomain()
    act, weight, total = Signal(cell.act), Signal(cell.weight), Signal(32)
    top.d.comb += total.eq(cell.dot(top, act, weight, enable=Const(1), platform=None))

    async def testbench(ctx):
        for _ in range(20):
            patterns = rng.integers(0, 1 << arch.numbers.weight_width, n)
            if arch.numbers.weight_code == "ternary":
                patterns[patterns == 2] = 3
            values = rng.choice(
                [-1, 0, 1] if arch.numbers.act_width == 1 else [-128, 127, 0, -5], m
            )
            position = rng.integers(0, m, n) if n < m else np.arange(n)
            ctx.set(act, values.tolist())
            ctx.set(weight.weight, patterns.tolist())
            if n < m:
                ctx.set(weight.position, position.tolist())
            expected = int((decode(patterns, arch.numbers) * values[position]).sum())
            assert ctx.get(total) == expected & 0xFFFFFFFF
            await ctx.tick()

    simulate(top, testbench)
