# amaranth: UnusedElaboratable=no
"""Transposer: every beat, and the cycle of each, under stalls."""

from itertools import pairwise

import pytest
from harness.component import play, seeded

from hwsim.rtl.machine.transpose import Transposer

OUTPUTS = ["word.ready", "beat.valid", "beat.payload"]


def run(simulate, dut, words, taken, given, *, offers=None, takes=None):
    """Cycles in which words go, and the beats that leave, each with its cycle."""
    went, left = [], []
    total = len(words) // taken * given

    def stimuli(rows):
        offered = False
        while len(left) < total:
            # an offer stands until it is taken
            offered = len(went) < len(words) and (offered or offers is None or offers())
            ready = takes is None or takes()
            yield {
                "taken": taken,
                "given": given,
                "word.valid": int(offered),
                "word.payload": words[min(len(went), len(words) - 1)],
                "beat.ready": int(ready),
            }
            row, cycle = rows[-1], len(rows) - 1
            if offered and row["word.ready"]:
                went.append(cycle)
                offered = False
            if row["beat.valid"] and ready:
                left.append((cycle, list(row["beat.payload"])))
            assert cycle < 4000

    play(simulate, dut, stimuli, OUTPUTS)
    return went, left


def transposed(words, taken, given):
    """Beats of all blocks: element k of each word."""
    blocks = [words[first : first + taken] for first in range(0, len(words), taken)]
    return [[word[k] for word in block] for block in blocks for k in range(given)]


def drawn(rng, dut, taken, blocks):
    """Words of random elements."""
    shape = (blocks * taken, dut.lanes)
    return rng.integers(1 << dut.width, size=shape).tolist()


def test_a_square_takes_a_word_and_gives_a_beat_per_cycle(simulate):
    dut = Transposer(words=8, lanes=8, width=8)
    words = drawn(seeded(1), dut, 8, 5)
    went, left = run(simulate, dut, words, 8, 8)
    assert went == list(range(40))
    # one cycle from the last word of a block to its first beat
    assert [cycle for cycle, _ in left] == list(range(8, 48))
    assert [beat for _, beat in left] == transposed(words, 8, 8)


@pytest.mark.parametrize(("taken", "given"), [(1, 8), (3, 8), (8, 1), (8, 5), (1, 1)])
def test_blocks_that_are_not_full(simulate, taken, given):
    dut = Transposer(words=8, lanes=8, width=4)
    words = drawn(seeded(taken + 10 * given), dut, taken, 6)
    went, left = run(simulate, dut, words, taken, given)
    assert [beat[:taken] for _, beat in left] == transposed(words, taken, given)
    # a block per the larger of both, and the latency
    begins = [cycle for cycle, _ in left[::given]]
    assert begins[0] == went[taken - 1] + 1
    assert {after - before for before, after in pairwise(begins)} == {max(taken, given)}
    if given > taken:
        assert [cycle for cycle, _ in left] == list(range(taken, taken + 6 * given))


@pytest.mark.parametrize("seed", range(8))
def test_random_shapes_and_stalls(simulate, seed):
    rng = seeded(seed)
    rows, lanes, width = (int(rng.integers(1, top)) for top in (9, 9, 24))
    taken, given = int(rng.integers(1, rows + 1)), int(rng.integers(1, lanes + 1))
    dut = Transposer(words=rows, lanes=lanes, width=width)
    words = drawn(rng, dut, taken, 8)
    rates = rng.choice([0.3, 0.7, 1.0], 2)
    went, left = run(
        simulate, dut, words, taken, given,
        offers=lambda: rng.random() < rates[0], takes=lambda: rng.random() < rates[1],
    )  # fmt: skip
    assert len(went) == len(words)
    assert [beat[:taken] for _, beat in left] == transposed(words, taken, given)


def test_a_full_transposer_waits(simulate):
    dut = Transposer(words=2, lanes=2, width=8)
    inputs = {"taken": 2, "given": 2, "word.valid": 1, "word.payload": [1, 2], "beat.ready": 0}
    rows = play(simulate, dut, [inputs] * 8 + [{"beat.ready": 1}] * 4, OUTPUTS)
    assert [row["word.ready"] for row in rows] == [1] * 4 + [0] * 6 + [1, 1]
    beats = [list(row["beat.payload"]) for row in rows[2:]]
    assert beats[:7] == [[1, 1]] * 7
    assert beats[7] == [2, 2]


@pytest.mark.parametrize("key", ["words", "lanes", "width"])
def test_refuses_sizes(key):
    with pytest.raises(ValueError, match=f"{key} must be at least 1, not 0"):
        Transposer(**({"words": 2, "lanes": 2, "width": 2} | {key: 0}))
