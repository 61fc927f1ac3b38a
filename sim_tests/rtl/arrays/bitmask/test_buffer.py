# amaranth: UnusedElaboratable=no
"""Activation buffer: every value lands on the position that its mask says."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.rtl.arrays.bitmask.buffer import Buffer


def beats(act, window, width):
    """Words of a chunk: its mask, then its packed non-zeros."""
    per_word = window * width
    mask = sum(1 << k for k in np.flatnonzero(act).tolist())
    words = [mask >> first & ((1 << per_word) - 1) for first in range(0, len(act), per_word)]
    split = [[word >> width * i & ((1 << width) - 1) for i in range(window)] for word in words]
    packed = [value & ((1 << width) - 1) for value in act[act != 0].tolist()]
    packed += [0] * (-len(packed) % window)
    values = [packed[first : first + window] for first in range(0, len(packed), window)]
    return [(1, i, word) for i, word in enumerate(split)] + [
        (0, i, word) for i, word in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("chunk", "window", "depth", "width"),
    [(8, 1, 1, 8), (16, 2, 3, 8), (32, 8, 2, 8), (64, 4, 4, 5), (8, 8, 2, 2), (32, 16, 1, 16)],
)
def test_values_lie_at_their_positions_two_cycles_after_their_beat(
    simulate, chunk, window, depth, width
):
    rng = seeded(chunk + window)
    half = 1 << width - 1
    shown = np.zeros((depth, chunk), dtype=np.int64)
    masks = [0] * depth
    cycles, expected = [], []
    for index, density in enumerate([1.0, 0.0, *rng.random(3 * depth)]):
        act = rng.integers(-half, half, chunk) * (rng.random(chunk) < density)
        slot = index % depth
        for is_mask, word, values in beats(act, window, width):
            while rng.random() < 0.2:
                cycles.append({"push_en": 0, "word": [0] * window})
                expected.append(None)
            place = {"slot": slot, "is_mask": is_mask, "word": word}
            cycles.append({"push_en": 1, "place": place, "word": values})
            expected.append(None)
        masks[slot] = sum(1 << k for k in np.flatnonzero(act).tolist())
        # where the mask is clear the buffer keeps what it had
        shown[slot] = np.where(act != 0, act, shown[slot])
        cycles += [{"push_en": 0}] * 2
        expected += [None, (list(masks), shown.copy())]
    rows = play(simulate, Buffer(
        chunk=chunk, window=window, buffer_depth=depth, act_width=width
    ), cycles, ["masks", "acts"])  # fmt: skip
    for row, state in zip(rows, expected, strict=True):
        if state is not None:
            assert list(row["masks"]) == state[0]
            assert [[int(v) for v in acts] for acts in row["acts"]] == state[1].tolist()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"window": 3}, "window must be a power of two, not 3"),
        ({"window": 32}, r"window must be at most chunk \(16\), not 32"),
        ({"buffer_depth": 0}, "buffer_depth must be at least 1, not 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(changes, rule):
    sizes = {"chunk": 16, "window": 4, "buffer_depth": 2, "act_width": 8}
    with pytest.raises(ValueError, match=rule):
        Buffer(**sizes | changes)
