# amaranth: UnusedElaboratable=no
"""Address walker: the address of each position, and where loops begin and end."""

from itertools import product

import pytest
from harness.component import play, seeded

from hwsim.rtl.blocks.nest import Nest

OUTPUTS = ["address", "first", "last", "done"]


def positions(base, bounds, strides, width):
    """Address, first and last iterations of each position, whether it is the last; by strides."""
    for reverse in product(*(range(bound) for bound in reversed(bounds))):
        indices = reverse[::-1]
        moved = sum(index * stride for index, stride in zip(indices, strides, strict=True))
        flags = list(zip(indices, bounds, strict=True))
        first = sum((index == 0) << level for level, (index, _) in enumerate(flags))
        last = sum((index + 1 == bound) << level for level, (index, bound) in enumerate(flags))
        done = int(all(index + 1 == bound for index, bound in flags))
        yield (base + moved) % (1 << width), first, last, done


def steps_of(bounds, strides, width):
    """What each loop adds when those within it, at their ends, begin again."""
    steps, way = [], 0
    for bound, stride in zip(bounds, strides, strict=True):
        steps.append((stride - way) % (1 << width))
        way += (bound - 1) * stride
    return steps


def start(base, bounds, strides, width):
    steps = steps_of(bounds, strides, width)
    return {"base": base, "bounds": bounds, "steps": steps, "start": 1, "step": 0}


@pytest.mark.parametrize(
    ("bounds", "strides"),
    [
        ([1], [5]),
        ([6], [3]),
        ([3, 1, 2], [1, 100, 7]),
        ([2, 3, 2], [-1, 4, 50]),
        ([3, 3], [1, 0]),
        ([1, 1, 1], [9, 9, 9]),
        ([2, 2, 1, 3, 1, 2], [1, 10, 5, 100, 3, 4000]),
    ],
    ids=str,
)
def test_one_position_per_cycle(simulate, bounds, strides):
    walked = list(positions(1000, bounds, strides, 16))
    cycles = [start(1000, bounds, strides, 16)] + [{"start": 0, "step": 1}] * len(walked)
    rows = play(simulate, Nest(len(bounds)), cycles, OUTPUTS)
    assert [tuple(row.values()) for row in rows[1:]] == walked


@pytest.mark.parametrize("seed", range(4))
def test_random_nests_one_after_the_other_with_pauses(simulate, seed):
    rng = seeded(seed)
    levels, width = int(rng.integers(1, 5)), int(rng.integers(3, 13))
    cycles, expected = [], []
    for _ in range(6):
        bounds = rng.integers(1, 4, levels).tolist()
        strides = rng.integers(-50, 50, levels).tolist()
        base = int(rng.integers(1 << width))
        cycles.append(start(base, bounds, strides, width))
        expected.append(None)
        for position in positions(base, bounds, strides, width):
            for step in (*[0] * int(rng.integers(3)), 1):
                # what was given with the start no longer matters
                other = {"base": 0, "bounds": [7] * levels, "steps": [1] * levels}
                cycles.append({**other, "start": 0, "step": step})
                expected.append(position)
    rows = play(simulate, Nest(levels, 3, width), cycles, OUTPUTS)
    for row, position in zip(rows, expected, strict=True):
        assert position is None or tuple(row.values()) == position


@pytest.mark.parametrize("name", ["levels", "bound_width", "address_width"])
def test_a_size_of_nothing_is_refused(name):
    sizes = {"levels": 2, "bound_width": 4, "address_width": 4} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        Nest(**sizes)
