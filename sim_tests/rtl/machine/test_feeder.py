# amaranth: UnusedElaboratable=no
"""Feeder and weight reader: words in the order of their addresses, under stalls."""

import pytest
from harness.component import play, seeded

from hwsim.accelerator.tile import Nest
from hwsim.rtl.machine.feeder import Feeder
from hwsim.rtl.machine.weights import WeightReader


def played(simulate, dut, start, stream, words, ready, cycles):
    """Payloads taken of a stream whose memory has ``words``, and the cycle of each."""
    taken = []

    def stimuli(rows):
        yield start
        data = 0
        for cycle in range(cycles):
            yield {"start": 0, f"{stream}.ready": ready(cycle), "read.data": data}
            row = rows[-1]
            if row["read.en"]:
                data = words[row["read.addr"]]
            if row[f"{stream}.valid"] and ready(cycle):
                taken.append((cycle + 1, row[f"{stream}.payload"]))

    play(simulate, dut, stimuli, ["read.en", "read.addr", f"{stream}.valid", f"{stream}.payload"])
    return taken


def walk(nest):
    """Addresses of a nest."""
    addresses = [nest.start]
    for bound, stride in zip(nest.bounds, nest.strides, strict=True):
        addresses = [a + i * stride for i in range(bound) for a in addresses]
    return addresses


@pytest.mark.parametrize("beats", [1, 2, 4])
@pytest.mark.parametrize("stalls", [False, True])
def test_beats_of_a_nest(simulate, beats, stalls):
    rng = seeded(beats + 10 * stalls)
    words = rng.integers(1 << 32, size=128).tolist()
    nest = Nest(5, (3, 2, 2), (1, 7, 20))
    addresses = walk(nest)
    levels = nest.fields("feed", 6)
    start = {
        "start": 1, "whole": 0, "base": nest.start, "beat.ready": 0,
        "bounds": [levels[f"feed{i}_bound"] for i in range(6)],
        "steps": [levels[f"feed{i}_step"] for i in range(6)],
    }  # fmt: skip
    pattern = rng.random(400) < (0.6 if stalls else 2)
    taken = played(
        simulate, Feeder(word_bits=32, beat_bits=32 // beats), start, "beat", words,
        lambda cycle: int(pattern[cycle]), 100,
    )  # fmt: skip
    mask, bits = (1 << (32 // beats)) - 1, 32 // beats
    assert [payload for _, payload in taken] == [
        words[a // beats] >> (a % beats * bits) & mask for a in addresses
    ]
    if not stalls:
        # two cycles after the start, then one per cycle
        assert [cycle for cycle, _ in taken] == list(range(2, 2 + len(addresses)))


@pytest.mark.parametrize("stalls", [False, True])
def test_all_words_in_order(simulate, stalls):
    rng = seeded(stalls)
    words = rng.integers(1 << 16, size=64).tolist()
    pattern = rng.random(400) < (0.6 if stalls else 2)
    start = {"start": 1, "stop": 0, "word.ready": 0}
    taken = played(
        simulate, WeightReader(width=16, address=6), start, "word", words,
        lambda cycle: int(pattern[cycle]), 40,
    )  # fmt: skip
    assert [payload for _, payload in taken] == [words[index % 64] for index in range(len(taken))]
    assert len(taken) > 15
    if not stalls:
        assert [cycle for cycle, _ in taken] == list(range(2, 2 + len(taken)))


def test_nothing_is_offered_after_a_stop(simulate):
    rows = play(
        simulate, WeightReader(width=16, address=6),
        [{"start": 1}, *[{"start": 0}] * 3, {"stop": 1}, *[{"stop": 0}] * 3],
        ["word.valid"],
    )  # fmt: skip
    assert [row["word.valid"] for row in rows] == [0, 0, 1, 1, 1, 0, 0, 0]
