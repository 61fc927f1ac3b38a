# amaranth: UnusedElaboratable=no
"""Gearboxes: rows of beats and words, packed without gaps, with and without stalls."""

import pytest
from harness.component import play, seeded

from hwsim.rtl.bus.gearbox import Pack, Unpack

UNPACKS = [
    (32, 8), (32, 24), (32, 32), (32, 40), (64, 8), (64, 24), (64, 32), (64, 48), (64, 64),
    (64, 72), (64, 128), (64, 160), (128, 24), (128, 96), (256, 64), (256, 640),
]  # fmt: skip
PACKS = [(8, 32), (32, 32), (64, 32), (8, 256), (32, 64), (256, 32), (16, 16)]


def rows_of(rng, beat_bits, word_bits, count):
    """Rows as ``(beats, words)``; the last beat is filled up with ones, to be dropped."""
    rows = []
    for _ in range(count):
        words = [
            int.from_bytes(rng.bytes(word_bits // 8), "little") for _ in range(rng.integers(1, 9))
        ]
        beats = -(-len(words) * word_bits // beat_bits)
        bits = (1 << (beats * beat_bits)) - 1
        bits >>= len(words) * word_bits
        for word in reversed(words):
            bits = (bits << word_bits) | word
        rows.append(
            ([(bits >> (beat_bits * i)) & ((1 << beat_bits) - 1) for i in range(beats)], words)
        )
    return rows


@pytest.mark.parametrize("probability", [1.0, 0.5])
@pytest.mark.parametrize(("beat_bits", "word_bits"), UNPACKS)
def test_words_of_a_row_come_out_of_its_beats(simulate, beat_bits, word_bits, probability):
    rng = seeded(1000 * beat_bits + word_bits)
    rows = rows_of(rng, beat_bits, word_bits, 12)
    beats = [beat for beats, _ in rows for beat in beats]
    ends = [i == len(words) - 1 for _, words in rows for i in range(len(words))]
    expected = [word for _, words in rows for word in words]
    taken, stalls = [], 0

    def stimuli(outputs):
        nonlocal stalls
        sent = 0
        while len(taken) < len(expected):
            offers = int(sent < len(beats) and rng.random() < probability)
            takes = int(rng.random() < probability)
            # an offer holds: here it may be withdrawn, what the gearbox must not mind
            yield {"i.valid": offers, "i.payload": beats[min(sent, len(beats) - 1)],
                   "o.ready": takes, "restart": int(ends[len(taken)])}  # fmt: skip
            row = outputs[-1]
            sent += offers and row["i.ready"]
            stalls += offers and not row["i.ready"]
            if takes and row["o.valid"]:
                taken.append(int(row["o.payload"]))
            assert len(outputs) < 2000

    outputs = play(simulate, Unpack(beat_bits, word_bits), stimuli,
                   ["i.ready", "o.valid", "o.payload"])  # fmt: skip
    assert taken == expected
    if probability == 1:
        if word_bits >= beat_bits:
            assert not stalls
            assert len(outputs) == len(beats)
        else:
            assert len(outputs) == len(expected)


@pytest.mark.parametrize("probability", [1.0, 0.5])
@pytest.mark.parametrize(("word_bits", "beat_bits"), PACKS)
def test_beats_of_a_row_hold_its_words_and_zeros(simulate, word_bits, beat_bits, probability):
    rng = seeded(1000 * beat_bits + word_bits)
    words, expected = [], []
    for _ in range(12):
        row = [
            int.from_bytes(rng.bytes(word_bits // 8), "little") for _ in range(rng.integers(1, 40))
        ]
        words += [{"data": word, "last": int(i == len(row) - 1)} for i, word in enumerate(row)]
        bits = sum(word << (word_bits * i) for i, word in enumerate(row))
        count = -(-len(row) * word_bits // beat_bits)
        expected += [(bits >> (beat_bits * i)) & ((1 << beat_bits) - 1) for i in range(count)]
    taken = []

    def stimuli(outputs):
        sent = 0
        while len(taken) < len(expected):
            offers = int(sent < len(words) and rng.random() < probability)
            takes = int(rng.random() < probability)
            yield {"i.valid": offers, "i.payload": words[min(sent, len(words) - 1)],
                   "o.ready": takes}  # fmt: skip
            row = outputs[-1]
            sent += offers and row["i.ready"]
            if takes and row["o.valid"]:
                taken.append(int(row["o.payload"]))
            assert len(outputs) < 5000

    outputs = play(simulate, Pack(word_bits, beat_bits), stimuli,
                   ["i.ready", "o.valid", "o.payload"])  # fmt: skip
    assert taken == expected
    if probability == 1:
        assert len(outputs) == 1 + max(len(words), len(expected))


@pytest.mark.parametrize(("beat_bits", "word_bits"), [(64, 12), (0, 8), (12, 8), (64, 4)])
def test_widths_are_bytes(beat_bits, word_bits):
    with pytest.raises(ValueError, match="must be a multiple of 8"):
        Unpack(beat_bits, word_bits)


def test_one_width_divides_the_other():
    with pytest.raises(ValueError, match="must divide the other, not 24 and 64"):
        Pack(24, 64)
