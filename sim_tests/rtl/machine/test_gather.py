# amaranth: UnusedElaboratable=no
"""Gathering feeder: each lane from the word that its list names, under stalls."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.accelerator.tile import Nest
from hwsim.contract.descriptors import ADDRESS_BITS, FEED_LEVELS, LIST_LEVEL
from hwsim.rtl.machine.gather import GatherFeeder

WIDTH, ENTRY = 8, 5


def job(rng, lanes, words):
    """A nest with a list, and the beat that each lane of each beat is of."""
    bounds = rng.integers(1, 4, size=LIST_LEVEL + 2)
    strides = [1, int(rng.integers(1, 6)), 0, int(rng.integers(0, 4))]
    nest = Nest(int(rng.integers(8)), tuple(bounds.tolist()), tuple(strides))
    entries = rng.integers(1 << ENTRY, size=(bounds[LIST_LEVEL], lanes))
    inner, middle, folds, outer = (range(bound) for bound in bounds)
    found = [
        (nest.start + x * strides[0] + y * strides[1] + z * strides[3] + entries[fold]).tolist()
        for z in outer for fold in folds for y in middle for x in inner
    ]  # fmt: skip
    assert max(map(max, found)) < words
    return nest, entries, found


def played(simulate, dut, jobs, memory, stalls, rng, *, whole=False):
    """Beats and words that were taken of each job, with the cycle after its start."""
    taken = [[] for _ in jobs]
    size = dut.lanes * (1 << dut.beats)

    def stimuli(rows):
        for index, (nest, entries, found) in enumerate(jobs):
            fields = nest.fields("feed", FEED_LEVELS)
            answer = {
                "start": 1, "whole": int(whole), "base": nest.start, "beat.ready": 0,
                "bounds": [fields[f"feed{i}_bound"] for i in range(FEED_LEVELS)],
                "steps": [fields[f"feed{i}_step"] for i in range(FEED_LEVELS)],
            }  # fmt: skip
            cycle = 0
            while len(taken[index]) < len(found) and cycle < 2000:
                yield answer
                row, ready = rows[-1], answer["beat.ready"]
                if cycle and ready and row["beat.valid"]:
                    taken[index].append((cycle, row["beat.payload"], row["word"]))
                cycle += 1
                answer = {"start": 0, "beat.ready": int(not stalls or rng.random() < 0.5)}
                if row["list.en"]:
                    at = row["list.addr"]
                    word = entries[at] if at < len(entries) else np.zeros(dut.lanes, int)
                    answer["list.data"] = packed(word, ENTRY)
                if row["read.en"]:
                    mask = (1 << ADDRESS_BITS) - 1
                    slices = range(dut.lanes)
                    ats = [(row["read.addr"] >> (ADDRESS_BITS * i)) & mask for i in slices]
                    ats *= 1 << dut.beats
                    answer["read.data"] = packed(memory[ats, range(size)], WIDTH)

    outputs = ["read.en", "read.addr", "list.en", "list.addr", "beat.valid", "beat.payload", "word"]
    play(simulate, dut, stimuli, outputs)
    return taken


def packed(values, width):
    return sum(int(value) << (width * index) for index, value in enumerate(values))


@pytest.mark.parametrize("beats", [1, 2, 4])
@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("stalls", [False, True])
def test_lanes_of_the_words_that_the_list_names(simulate, lanes, beats, stalls):
    rng = seeded(lanes + 10 * beats + stalls)
    memory = rng.integers(256, size=(64, lanes * beats))
    dut = GatherFeeder(lanes=lanes, beats=beats, width=WIDTH, entry=ENTRY, depth=4)
    jobs = [job(rng, lanes, 64) for _ in range(12)]
    taken = played(simulate, dut, jobs, memory, stalls, rng)
    for (_, _, found), of_job in zip(jobs, taken, strict=True):
        assert [beat for _, beat, _ in of_job] == [
            packed([memory[a // beats, a % beats * lanes + r] for r, a in enumerate(ats)], WIDTH)
            for ats in found
        ]
        if not stalls:
            # two cycles after the start, then one per cycle
            assert [cycle for cycle, _, _ in of_job] == list(range(2, 2 + len(found)))


@pytest.mark.parametrize("stalls", [False, True])
def test_whole_words_know_no_list(simulate, stalls):
    rng = seeded(stalls)
    memory = rng.integers(256, size=(64, 8))
    dut = GatherFeeder(lanes=4, beats=2, width=WIDTH, entry=ENTRY, depth=4)
    nest = Nest(3, (5, 2, 2), (1, 7, 20))
    entries = rng.integers(1, 1 << ENTRY, size=(2, 4))
    found = [3 + x + 7 * y + 20 * z for z in range(2) for y in range(2) for x in range(5)]
    ((*taken,),) = played(simulate, dut, [(nest, entries, found)], memory, stalls, rng, whole=True)
    assert [word for _, _, word in taken] == [packed(memory[a], WIDTH) for a in found]
