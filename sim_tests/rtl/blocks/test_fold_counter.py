# amaranth: UnusedElaboratable=no
"""Nested loop counter: order of the folds, one per cycle, and what is refused."""

from itertools import product

import pytest
from harness.component import play, seeded

from hwsim.rtl.blocks.fold_counter import FoldCounter

OUTPUTS = ["first", "last", "done"]


def nest(bounds):
    """First and last iterations of each fold of a nest, and whether the nest ends with it."""
    for reverse in product(*(range(bound) for bound in reversed(bounds))):
        pairs = list(zip(reversed(reverse), bounds, strict=True))
        first = sum((index == 0) << level for level, (index, _) in enumerate(pairs))
        last = sum((index + 1 == bound) << level for level, (index, bound) in enumerate(pairs))
        yield first, last, int(all(index + 1 == bound for index, bound in pairs))


def start(bounds):
    return {"bounds": bounds, "start": 1, "step": 0}


@pytest.mark.parametrize("bounds", [[1], [5], [3, 1], [2, 1, 3], [4, 3, 2], [15, 2]], ids=str)
def test_one_fold_per_cycle(simulate, bounds):
    folds = list(nest(bounds))
    cycles = [start(bounds)] + [{"start": 0, "step": 1}] * len(folds)
    rows = play(simulate, FoldCounter(len(bounds), 4), cycles, OUTPUTS)
    assert [tuple(row.values()) for row in rows[1:]] == folds


def test_counter_holds_without_a_step(simulate):
    rng, bounds = seeded(1), [3, 2, 2]
    folds, steps = list(nest(bounds)), rng.integers(2, size=16).tolist()
    cycles = [start(bounds), *({"start": 0, "step": step} for step in steps)]
    rows = play(simulate, FoldCounter(3, 4), cycles, OUTPUTS)
    index = 0
    for row, step in zip(rows[1:], steps, strict=True):
        assert tuple(row.values()) == folds[index]
        index += step


def test_bounds_are_those_of_the_start(simulate):
    nests = [[2, 3], [1, 1], [3, 1]]
    cycles = []
    for bounds in nests:
        cycles += [start(bounds)]
        cycles += [{"bounds": [7, 7], "start": 0, "step": 1} for _ in nest(bounds)]
    rows = play(simulate, FoldCounter(2, 4), cycles, OUTPUTS)
    walked = [tuple(row.values()) for cycle, row in zip(cycles, rows, strict=True) if cycle["step"]]
    assert walked == [fold for bounds in nests for fold in nest(bounds)]


def test_no_loop_is_refused():
    with pytest.raises(ValueError, match="levels must be at least 1, not 0"):
        FoldCounter(0, 4)


def test_no_length_is_refused():
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        FoldCounter(2, 0)
