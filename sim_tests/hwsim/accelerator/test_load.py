"""Time of the load engine: against a walk through every cycle, and by hand."""

from __future__ import annotations

import pytest
from harness.bus_bench import random_blocks, random_memory
from harness.component import seeded

from hwsim.accelerator.load import LoadBlock, load_cycles
from hwsim.config import BusConfig, MemoryConfig
from hwsim.config.base import load
from hwsim.config.catalog import resolve
from hwsim.contract.descriptors import DESCRIPTOR_TARGET
from hwsim.errors import InputError

BUS = BusConfig(outstanding=2)
WIDTHS = {"act": 64, "weight": 16, "scale": 128}
MEMORY = MemoryConfig(name="test", source="test", latency=5, bytes_per_cycle=8, overhead=3)


def block(beats, words, target=0, address=0, rows=1, row_step=1024):
    return LoadBlock(address, row_step, rows, beats, words, 0, words, target, 0)


@pytest.mark.parametrize(
    ("blocks", "memory", "cycles"),
    [
        ([], MEMORY, 0),
        # request in cycle 2, first beat in 7, written in 8
        ([block(1, 1)], MEMORY, 9),
        ([block(16, 16)], MEMORY, 9 + 15),
        # two bursts: a pause of 3 cycles between them
        ([block(17, 17)], MEMORY, 9 + 16 + 3),
        ([block(16, 16)] * 2, MEMORY, 9 + 31 + 3),
        # a page's border cuts a burst in two
        ([block(16, 16, address=4096 - 8)], MEMORY, 9 + 15 + 3),
        # a beat every second cycle
        ([block(16, 16)], MEMORY.model_copy(update={"bytes_per_cycle": 4}), 9 + 30),
        # the third burst is requested in the cycle after the first has ended, in cycle 7
        ([block(1, 1, rows=3)], MEMORY.model_copy(update={"overhead": 0}), 8 + 5 + 2),
        # four words of each beat, one per cycle; the last beat has one
        ([block(16, 61, target=1)], MEMORY, 9 + 60),
        ([block(16, 8, target=2)], MEMORY, 9 + 15),
        ([block(16, 16, target=DESCRIPTOR_TARGET)], MEMORY, 9 + 15),
    ],
)
def test_cycles_by_hand(blocks, memory, cycles):
    assert load_cycles(blocks, memory, BUS, WIDTHS) == cycles


def test_beats_are_those_of_the_words():
    with pytest.raises(ValueError, match="beats must be 4 for 15 words of 16 bits, not 5"):
        load_cycles([block(5, 15, target=1)], MEMORY, BUS, WIDTHS)


def test_a_wait_of_narrow_words_passes_into_the_block_after():
    """Four words of the last beat are written while the next block's beat waits."""
    memory = MEMORY.model_copy(update={"overhead": 0, "latency": 1})
    narrow, wide = block(2, 8, target=1), block(1, 1)
    # beats in cycles 3 and 7, words to 10; the wide one's beat in 11
    assert load_cycles([narrow, wide], memory, BUS, WIDTHS) == 11 + 2


def test_time_does_not_depend_on_how_it_is_counted():
    """Words of a whole beat take the form per burst, halves and quarters that per beat."""
    rng = seeded(1)
    for _ in range(200):
        memory = random_memory(rng, BUS)
        widths = {"act": 64, "weight": 64, "scale": 64}
        blocks = random_blocks(rng, BUS, (64, 64, 64), 3)
        cycles = load_cycles(blocks, memory, BUS, widths)
        assert cycles == walk(blocks, memory, BUS)


def walk(blocks, memory, bus):
    """Cycle by cycle, for words as wide as a beat."""
    bursts = []
    for index, each in enumerate(blocks):
        for row in range(each.rows):
            first, beats = each.address + row * each.row_step, each.beats
            while beats:
                length = min(bus.burst, beats, (4096 - first % 4096) // bus.bytes)
                bursts.append((index, length))
                first, beats = first + length * bus.bytes, beats - length
    limit = min(bus.outstanding, memory.outstanding)
    requested, ended, cycle, due, position = [], 0, 0, 0, 0
    while ended < len(bursts):
        seen = ended
        if ended < len(requested) and cycle >= max(requested[ended] + memory.latency, due):
            due = cycle + memory.interval(bus)
            position += 1
            if position == bursts[ended][1]:
                due += memory.overhead
                ended, position = ended + 1, 0
        may = len(requested) < len(bursts) and len(requested) - seen < limit
        # block i is offered in cycle i, and its walker has it two cycles later
        if may and cycle >= bursts[len(requested)][0] + 2:
            requested.append(cycle)
        cycle += 1
    return cycle + 1


def test_a_pause_that_a_next_block_could_see_is_refused():
    memory = MEMORY.model_copy(update={"latency": 3, "overhead": 7})
    with pytest.raises(InputError, match=r"latency = 3: must be at least 4 with beats of 64 bits"):
        load_cycles([block(1, 1)], memory, BUS, WIDTHS)


@pytest.mark.parametrize(
    "name", ["ideal", "sram", "lpddr4_3200_x32", "ddr3_1600_x16", "ulx3s_sdram"]
)
def test_every_memory_serves_a_bus(name):
    memory = load(MemoryConfig, resolve(name, "memory"))
    for data_width in (32, 64, 128):
        bus = BusConfig(data_width=data_width)
        beats = -(-64 // data_width)
        assert load_cycles([block(beats, 1)], memory, bus, WIDTHS) == 4 + memory.latency + (
            beats - 1
        ) * memory.interval(bus)
