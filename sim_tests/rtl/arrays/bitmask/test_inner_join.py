# amaranth: UnusedElaboratable=no
"""Inner join of masks: pairs, their ranks, and the clocks they take."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from hwsim.rtl.arrays.bitmask.inner_join import InnerJoin


def run(chunk, masks):
    """Join masks offered back to back; give each clock's ``(busy, found)`` and the pairs."""
    dut = InnerJoin(chunk)
    clocks, pairs = [], []

    async def testbench(ctx):
        todo = list(masks)
        for _ in range(sum(max(1, (w & a).bit_count()) for w, a in masks) + 3):
            ctx.set(dut.masks.valid, bool(todo))
            if todo:
                weight, act = todo[0]
                ctx.set(dut.masks.p.weight, weight)
                ctx.set(dut.masks.p.act, act)
            values = (dut.masks.ready, dut.busy, dut.found, dut.pair.valid, dut.pair.payload)
            _, _, ready, busy, found, valid, pair = await ctx.tick().sample(*values)
            clocks.append((busy, found))
            if valid:
                pairs.append((pair.weight, pair.act))
            if ready and todo:
                todo.pop(0)
        assert not todo

    sim = Simulator(dut)
    sim.add_clock(10e-9)
    sim.add_testbench(testbench)
    sim.run()
    return clocks, pairs


def expected(weight, act):
    both, pairs = weight & act, []
    while both:
        below = (both & -both) - 1
        pairs.append(((weight & below).bit_count(), (act & below).bit_count()))
        both &= both - 1
    return pairs


@pytest.mark.parametrize("chunk", [8, 16, 128])
def test_ranks_of_every_pair(chunk):
    rng = np.random.default_rng(chunk)
    full = (1 << chunk) - 1
    masks = [(full, full), (0, full), (full, 0), (1, 1), (1 << chunk - 1, full), (1, 2)]
    masks += [
        tuple(
            sum(1 << int(k) for k in np.flatnonzero(rng.random(chunk) < density))
            for density in rng.random(2)
        )
        for _ in range(8)
    ]
    _, pairs = run(chunk, masks)
    assert pairs == [pair for weight, act in masks for pair in expected(weight, act)]


def test_masks_without_a_pair_take_one_clock_and_there_is_no_bubble():
    clocks, pairs = run(8, [(0b101, 0b111), (0b1, 0b10), (0, 0), (0b11, 0b11)])
    assert clocks == [
        (0, 0), (1, 1), (1, 1), (1, 0), (1, 0), (1, 1), (1, 1), (0, 0), (0, 0)
    ]  # fmt: skip
    assert len(pairs) == 4
