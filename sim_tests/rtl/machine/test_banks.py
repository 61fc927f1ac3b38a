# amaranth: UnusedElaboratable=no
"""Act banks: four users at once on ports of their own, words and beats within words."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.contract.descriptors import ADDRESS_BITS
from hwsim.rtl.machine.banks import ActBanks

OUTPUTS = ["feed.data", "drain.data"]


def word_of(lanes, width):
    return sum(int(lane) << (width * index) for index, lane in enumerate(lanes))


@pytest.mark.parametrize(
    ("word_lanes", "post_lanes", "slices"), [(4, 4, 1), (4, 2, 1), (8, 1, 1), (4, 2, 4), (8, 4, 2)]
)
def test_users_of_different_ports_do_not_see_each_other(simulate, word_lanes, post_lanes, slices):
    rng, width, banks, depth = seeded(word_lanes * post_lanes), 8, 3, 16
    lanes = word_lanes // slices
    memory = np.zeros((banks, depth, word_lanes), np.int64)
    beats = word_lanes // post_lanes
    expected = []

    def cycles(rows):
        for _ in range(300):
            read, drained = rng.permutation(banks)[:2]
            filled, written = rng.permutation(banks)[:2]
            at = rng.integers(depth, size=3)
            places = rng.integers(depth, size=slices)
            beat = int(rng.integers(depth * beats))
            words = rng.integers(256, size=word_lanes), rng.integers(256, size=post_lanes)
            enabled = [int(rng.random() < 0.7) for _ in range(4)]
            yield {
                "feed.en": enabled[0], "feed.index": int(read),
                "feed.addr": word_of(places, ADDRESS_BITS),
                "drain.en": enabled[1], "drain.index": int(drained), "drain.addr": int(at[1]),
                "fill.valid": enabled[2], "fill.index": int(filled), "fill.addr": int(at[2]),
                "fill.data": word_of(words[0], width),
                "write.valid": enabled[3], "write.index": int(written), "write.addr": beat,
                "write.data": word_of(words[1], width),
            }  # fmt: skip
            # a word that is written in this cycle is read as it was before
            if enabled[0]:
                word = memory[read, np.tile(places, lanes), np.arange(word_lanes)]
                expected.append((len(rows), "feed", word_of(word, width)))
            if enabled[1]:
                expected.append((len(rows), "drain", word_of(memory[drained, at[1]], width)))
            if enabled[2]:
                memory[filled, at[2]] = words[0]
            if enabled[3]:
                first = beat % beats * post_lanes
                memory[written, beat // beats, first : first + post_lanes] = words[1]

    dut = ActBanks(
        banks=banks, depth=depth, word_lanes=word_lanes, post_lanes=post_lanes, act_width=width,
        slices=slices,
    )  # fmt: skip
    rows = play(simulate, dut, cycles, OUTPUTS)
    assert len(expected) > 300
    for cycle, user, word in expected:
        if cycle < len(rows):
            assert rows[cycle][f"{user}.data"] == word
