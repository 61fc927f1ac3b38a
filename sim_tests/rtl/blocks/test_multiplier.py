# amaranth: UnusedElaboratable=no
"""Multipliers: every activation by every code, exhaustively."""

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator

from hwsim.config import NumberConfig
from hwsim.formats.codes import encode, levels
from hwsim.rtl.blocks.multiplier import act_shape, code_shape, product, product_shape

CODES = [
    *(("int", n) for n in range(2, 9)),
    *(("levels", n) for n in range(1, 9)),
    ("ternary", 2),
    *(("pow2", n) for n in range(2, 5)),
]


def products(numbers, acts, codes):
    """Products of the RTL, ``(acts, codes)``."""
    m = Module()
    act, code = Signal(act_shape(numbers)), Signal(code_shape(numbers))
    result = Signal(product_shape(numbers))
    m.d.comb += result.eq(product(act, code, numbers))
    results = []

    async def testbench(ctx):
        for a in acts:
            ctx.set(act, a)
            for c in codes:
                ctx.set(code, c)
                results.append(ctx.get(result))

    sim = Simulator(m)
    sim.add_testbench(testbench)
    sim.run()
    return np.array(results).reshape(len(acts), len(codes))


@pytest.mark.parametrize("act_width", [1, 2, 4])
@pytest.mark.parametrize(("code", "width"), CODES)
def test_every_activation_by_every_code(code, width, act_width):
    numbers = NumberConfig(act_width=act_width, weight_width=width, weight_code=code)
    weights = levels(numbers)
    half = 1 << (act_width - 1)
    # a binary activation is +1 or -1, and 0 in a lane that is gated
    acts = [-1, 0, 1] if act_width == 1 else list(range(-half, half))
    results = products(numbers, acts, encode(weights, numbers).tolist())
    assert (results == np.outer(acts, weights)).all()


@pytest.mark.parametrize(("code", "width"), CODES)
@pytest.mark.parametrize("act_width", [8, 16])
def test_ends_of_wide_activations(code, width, act_width):
    numbers = NumberConfig(act_width=act_width, weight_width=width, weight_code=code)
    weights = levels(numbers)
    half = 1 << (act_width - 1)
    acts = [-half, -half + 1, -1, 0, 1, half - 1]
    results = products(numbers, acts, encode(weights, numbers).tolist())
    assert (results == np.outer(acts, weights)).all()


def test_pattern_of_negative_zero_is_zero():
    """The code that pow2 leaves unused decodes to no weight, and multiplies to none."""
    numbers = NumberConfig(act_width=4, weight_width=3, weight_code="pow2")
    assert (products(numbers, list(range(-8, 8)), [0b100]) == 0).all()
