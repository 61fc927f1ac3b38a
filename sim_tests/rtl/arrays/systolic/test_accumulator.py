# amaranth: UnusedElaboratable=no
"""Accumulator of the weight-stationary array: sums over folds, latency, backpressure."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.fixedpoint import wrap
from hwsim.rtl.arrays.systolic.accumulator import Accumulator

OUTPUTS = ["ofmap.valid", "ofmap.p", "enable", "busy", "reads", "writes"]
NO_TAG = {"valid": 0, "first": 0, "last": 0, "end": 0}


def accumulator(cols=2, psum_width=16, depth=4, delay=3, reuse=3):
    return Accumulator(cols=cols, psum_width=psum_width, depth=depth, delay=delay, reuse=reuse)


def tags(folds):
    """Tags of tiles, of ``folds``: pairs of K folds and pixels."""
    for k_folds, pixels in folds:
        for k in range(k_folds):
            for pixel in range(pixels):
                yield {
                    "valid": 1, "first": k == 0, "last": k + 1 == k_folds,
                    "end": pixel + 1 == pixels,
                }  # fmt: skip


def sums(folds, psums, width):
    """Rows of the last folds, each the sum of its pixel over the folds of its tile."""
    begin = 0
    for k_folds, pixels in folds:
        tile = psums[begin : begin + k_folds * pixels].reshape(k_folds, pixels, -1)
        yield from wrap(tile.sum(axis=0), width).tolist()
        begin += k_folds * pixels


def run(simulate, dut, folds, psums, rng=None):
    """Enter pixels, with gaps, and their partial sums ``delay`` enabled cycles later.

    A pixel comes ``reuse`` cycles after the same one of the fold before at the earliest.
    """
    left = list(tags(folds))
    pixels = [pixel for k_folds, size in folds for _ in range(k_folds) for pixel in range(size)]
    since: dict[int, int] = {}
    line: list[list[int] | None] = [None] * dut.delay
    words = psums.tolist()

    def stimuli(rows):
        nothing = [0] * dut.lanes.length
        while left or any(word is not None for word in line) or rows[-1]["busy"]:
            enters = bool(left) and since.get(pixels[0], dut.reuse) >= dut.reuse
            enters = enters and (rng is None or rng.random() < 0.7)
            yield {
                "tag": left[0] if enters else NO_TAG,
                "psum": line[-1] or nothing,
                "ofmap.ready": int(rng is None or rng.random() < 0.6),
            }
            if rows[-1]["enable"]:
                line.insert(0, words.pop(0) if enters else None)
                line.pop()
                if enters:
                    left.pop(0)
                    since[pixels.pop(0)] = 0
                since.update({pixel: cycles + 1 for pixel, cycles in since.items()})

    rows = play(simulate, dut, stimuli, [*OUTPUTS, "ofmap.ready"])
    taken = [row for row in rows if row["ofmap.valid"] and row["ofmap.ready"]]
    return rows, [[int(lane) for lane in row["ofmap.p"].psum] for row in taken]


@pytest.mark.parametrize("delay", [2, 3, 7])
def test_sum_one_cycle_after_its_last_partial_sum(simulate, delay):
    psums = np.array([[1, -1], [2, -2], [3, -3], [30, 5], [40, 6], [50, 7]])
    folds = [(2, 3)]
    rows, seen = run(simulate, accumulator(delay=delay), folds, psums)
    assert seen == [[31, 4], [42, 4], [53, 4]]
    valid = [cycle for cycle, row in enumerate(rows) if row["ofmap.valid"]]
    # the last fold's tags come in cycles 3, 4 and 5
    assert valid == [3 + delay + 1, 4 + delay + 1, 5 + delay + 1]
    assert [row["writes"] for row in rows] == [0] * delay + [1] * 3 + [0] * 5
    assert [row["reads"] for row in rows] == [0] * (delay + 3) + [1] * 3 + [0] * 2
    assert [row["busy"] for row in rows] == [0] + [1] * (len(rows) - 2) + [0]


@pytest.mark.parametrize("reuse", [2, 3])
def test_fold_of_one_pixel_as_soon_as_it_may_return(simulate, reuse):
    """With 2, every read needs the word that is written in the same cycle."""
    psums = np.array([[1, 10], [2, 20], [3, 30], [4, 40]])
    rows, seen = run(simulate, accumulator(reuse=reuse), [(4, 1)], psums)
    assert seen == [[10, 100]]
    assert sum(row["reads"] for row in rows) == sum(row["writes"] for row in rows) == 3
    assert [cycle for cycle, row in enumerate(rows) if row["reads"]] == [
        3 + reuse * fold for fold in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("cols", "width", "depth", "delay"), [(1, 8, 1, 2), (2, 16, 4, 3), (3, 10, 8, 6)]
)
@pytest.mark.parametrize("kind", ["none", "both"])
@pytest.mark.parametrize("reuse", [2, 3])
def test_sums_of_tiles_whatever_waits(simulate, kind, cols, width, depth, delay, reuse):
    rng = seeded(delay)
    folds = [tuple(rng.integers(1, [4, depth + 1]).tolist()) for _ in range(12)]
    half = 1 << (width - 1)
    psums = rng.integers(-half, half, (sum(k * n for k, n in folds), cols))
    dut = accumulator(cols, width, depth, delay, reuse)
    rows, seen = run(simulate, dut, folds, psums, rng if kind == "both" else None)
    assert seen == list(sums(folds, psums, width))
    if kind == "none":
        assert all(row["enable"] for row in rows)
    used = sum(pixels * (k_folds - 1) for k_folds, pixels in folds)
    assert sum(row["reads"] for row in rows) == sum(row["writes"] for row in rows) == used


def test_all_stops_while_an_offer_waits(simulate):
    dut = accumulator(delay=2)
    tag = {"valid": 1, "first": 1, "last": 1, "end": 1}
    idle = {"tag": NO_TAG, "ofmap.ready": 0}
    cycles = [{"tag": tag, "psum": [7, 8], "ofmap.ready": 0}] + [idle] * 6
    cycles += [{"ofmap.ready": 1}, {}]
    rows = play(simulate, dut, cycles, OUTPUTS)
    assert [row["ofmap.valid"] for row in rows] == [0] * 3 + [1] * 5 + [0]
    assert [row["enable"] for row in rows] == [1] * 4 + [0] * 4 + [1]
    assert [int(lane) for lane in rows[7]["ofmap.p"].psum] == [7, 8]


@pytest.mark.parametrize(
    ("key", "value", "bound"), [("cols", 0, 1), ("depth", 0, 1), ("delay", 1, 2)]
)
def test_too_small_numbers_are_refused(key, value, bound):
    with pytest.raises(ValueError, match=f"{key} must be at least {bound}, not {value}"):
        accumulator(**{key: value})


def test_other_distances_of_a_pixel_are_refused():
    with pytest.raises(ValueError, match="reuse must be 2 or 3, not 1"):
        accumulator(reuse=1)
