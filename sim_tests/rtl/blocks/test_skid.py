# amaranth: UnusedElaboratable=no
"""Skid buffer: order of the words, one per cycle, when a stall reaches the producer."""

from itertools import pairwise

import pytest
from harness.component import play, seeded

from hwsim.rtl.blocks.skid import Skid

OUTPUTS = ["i.ready", "o.valid", "o.payload"]


def test_a_stall_is_seen_one_cycle_later_at_both_ends(simulate):
    ready = [1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1]
    words = iter(range(1, 20))

    def stimuli(rows):
        word = next(words)
        for each in ready:
            yield {"i.valid": 1, "i.payload": word, "o.ready": each}
            if rows[-1]["i.ready"]:
                word = next(words)

    rows = play(simulate, Skid(8), stimuli, OUTPUTS)
    assert [row["i.ready"] for row in rows] == [1, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1]
    assert [row["o.payload"] for row in rows] == [1, 2, 3, 3, 3, 4, 5, 6, 6, 7, 8]
    assert all(row["o.valid"] for row in rows)


def test_an_empty_buffer_is_ready_whatever_its_consumer_is(simulate):
    cycles = [{"i.valid": 0, "o.ready": 0}] * 4
    rows = play(simulate, Skid(8), cycles, OUTPUTS)
    assert all(row["i.ready"] and not row["o.valid"] for row in rows)


@pytest.mark.parametrize("probability", [0.2, 0.5, 0.9])
def test_every_word_once_and_in_order(simulate, probability):
    rng = seeded(int(10 * probability))
    sent, taken = [], []

    def stimuli(rows):
        word, offered = 0, False
        for _ in range(200):
            offered = offered or rng.random() < probability
            takes = int(rng.random() < probability)
            yield {"i.valid": int(offered), "i.payload": word, "o.ready": takes}
            row = rows[-1]
            if offered and row["i.ready"]:
                sent.append(word)
                word, offered = (word + 1) % 256, False
            if takes and row["o.valid"]:
                taken.append(int(row["o.payload"]))

    rows = play(simulate, Skid(8), stimuli, OUTPUTS)
    assert sent[: len(taken)] == taken
    assert len(sent) - len(taken) <= 1
    # an offer stays as it is until it is taken
    for before, after in pairwise(rows):
        if before["o.valid"] and not after["i.ready"]:
            assert after["o.valid"]
            assert after["o.payload"] == before["o.payload"]
