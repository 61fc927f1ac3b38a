"""Time of the store engine, by hand."""

from __future__ import annotations

import pytest

from hwsim.accelerator.store import StoreBlock, store_cycles
from hwsim.config import BusConfig, MemoryConfig

BUS = BusConfig(outstanding=2)
MEMORY = MemoryConfig(name="test", source="test", latency=5, bytes_per_cycle=8, overhead=3)
STEADY = MEMORY.model_copy(update={"overhead": 0})


def block(words, address=0, rows=1):
    return StoreBlock(address, 1024, rows, words, 0, words, 0)


@pytest.mark.parametrize(
    ("blocks", "width", "memory", "cycles"),
    [
        ([], 64, MEMORY, 0),
        # word read in cycle 1, beat written in 4, answered in 9
        ([block(1)], 64, MEMORY, 10),
        ([block(16)], 64, MEMORY, 10 + 15),
        # two bursts: a pause of 3 cycles between them; rows likewise
        ([block(17)], 64, MEMORY, 10 + 16 + 3),
        ([block(2, rows=2)], 64, MEMORY, 10 + 3 + 3),
        # a page's border cuts a burst in two
        ([block(16, address=4096 - 8)], 64, MEMORY, 10 + 15 + 3),
        ([block(16)] * 2, 64, MEMORY, 2 * 25),
        # a beat every second cycle
        ([block(16)], 64, MEMORY.model_copy(update={"bytes_per_cycle": 4}), 10 + 30),
        # the third burst is requested one cycle after the first was answered, in 9, written in 11
        ([block(1, rows=3)], 64, STEADY, 11 + 5 + 1),
        # four words to a beat; the last beat has one
        ([block(61)], 16, MEMORY, 10 + 3 + 14 * 4 + 1),
        # a wide word is two beats
        ([block(8)], 128, MEMORY, 10 + 15),
    ],
)
def test_cycles_by_hand(blocks, width, memory, cycles):
    assert store_cycles(blocks, memory, BUS, width) == cycles
