# amaranth: UnusedElaboratable=no
"""Encoder: every beat, and the cycle of each, under stalls."""

import pytest
from harness.component import play, seeded

from hwsim.rtl.machine.encoder import Encoder

OUTPUTS = ["word.ready", "beat.valid", "beat.p.data", "beat.p.last"]


def run(simulate, dut, words, expected, *, offers=None, takes=None):
    """Cycles in which words go, and the beats that leave, each with its cycle."""
    went, left = [], []

    def stimuli(rows):
        offered = False
        while len(left) < len(expected):
            # an offer stands until it is taken
            offered = len(went) < len(words) and (offered or offers is None or offers())
            ready = takes is None or takes()
            yield {
                "word.valid": int(offered),
                "word.payload": words[min(len(went), len(words) - 1)],
                "beat.ready": int(ready),
            }
            row, cycle = rows[-1], len(rows) - 1
            if offered and row["word.ready"]:
                went.append(cycle)
                offered = False
            if row["beat.valid"] and ready:
                left.append((cycle, list(row["beat.p.data"]), row["beat.p.last"]))
            assert cycle < 4000

    play(simulate, dut, stimuli, OUTPUTS)
    assert [beat for _, *beat in left] == expected
    return went, [cycle for cycle, *_ in left]


def beats(dut, word):
    """Beats of a chunk, each with whether it is the last."""
    mask = sum(1 << position for position, act in enumerate(word) if act)
    bits = dut.window * dut.width
    parts = [(mask >> bits * part) % (1 << bits) for part in range(dut.mask_beats)]
    found = [
        [(part >> dut.width * lane) % (1 << dut.width) for lane in range(dut.window)]
        for part in parts
    ]
    values = [act for act in word if act]
    values += [0] * (-len(values) % dut.window)
    found += [values[i : i + dut.window] for i in range(0, len(values), dut.window)]
    return [[beat, int(index == len(found) - 1)] for index, beat in enumerate(found)]


def drawn(rng, dut, count, density):
    """Words of random activations."""
    acts = rng.integers(1, 1 << dut.width, (count, dut.chunk))
    return (acts * (rng.random((count, dut.chunk)) < density)).tolist()


def test_a_beat_per_cycle_from_two_cycles_after_the_first_word(simulate):
    dut = Encoder(chunk=32, window=8, width=8)
    rng = seeded(1)
    words = [word for density in (0, 0.1, 0.5, 1) for word in drawn(rng, dut, 4, density)]
    expected = [beat for word in words for beat in beats(dut, word)]
    went, left = run(simulate, dut, words, expected)
    assert left == list(range(2, 2 + len(expected)))
    # a word of zeros takes a cycle, and so does the next
    assert went[:4] == [0, 1, 2, 3]


def test_a_word_takes_the_cycles_of_its_beats(simulate):
    dut = Encoder(chunk=16, window=4, width=8)
    words = [[1] * count + [0] * (16 - count) for count in (0, 1, 4, 5, 16)]
    assert [len(beats(dut, word)) for word in words] == [1, 2, 2, 3, 5]


@pytest.mark.parametrize("seed", range(12))
def test_random_shapes_and_stalls(simulate, seed):
    rng = seeded(seed)
    chunk = int(rng.choice([1, 8, 16, 24, 32]))
    window = 1 << int(rng.integers(0, chunk.bit_length()))
    dut = Encoder(chunk=chunk, window=window, width=int(rng.integers(1, 9)))
    words = drawn(rng, dut, 12, rng.random())
    rates = rng.choice([0.3, 0.7, 1.0], 2)
    expected = [beat for word in words for beat in beats(dut, word)]
    went, _ = run(
        simulate, dut, words, expected,
        offers=lambda: rng.random() < rates[0], takes=lambda: rng.random() < rates[1],
    )  # fmt: skip
    assert len(went) == len(words)


def test_a_full_encoder_waits(simulate):
    dut = Encoder(chunk=8, window=8, width=8)
    inputs = {"word.valid": 1, "word.payload": [1] * 8, "beat.ready": 0}
    rows = play(simulate, dut, [inputs] * 6 + [{"beat.ready": 1}] * 4, OUTPUTS)
    assert [row["word.ready"] for row in rows] == [1, 1, 0, 0, 0, 0, 0, 1, 0, 1]
    assert [row["beat.valid"] for row in rows] == [0, 0] + [1] * 8


@pytest.mark.parametrize("key", ["chunk", "window", "width"])
def test_refuses_sizes(key):
    with pytest.raises(ValueError, match=f"{key} must be at least 1, not 0"):
        Encoder(**({"chunk": 8, "window": 2, "width": 8} | {key: 0}))


@pytest.mark.parametrize(("window", "rule"), [(3, "a power of two"), (16, "at most chunk")])
def test_refuses_windows(window, rule):
    with pytest.raises(ValueError, match=f"window must be {rule}"):
        Encoder(chunk=8, window=window, width=8)
