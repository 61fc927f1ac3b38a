# amaranth: UnusedElaboratable=no
"""A memory in halves: one is written while the other is read."""

import numpy as np
import pytest
from amaranth import Module, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from harness.component import play, seeded

from hwsim.rtl.blocks.deep_memory import DeepMemory
from hwsim.rtl.blocks.halved_memory import HalvedMemory

DEPTH, LANES = 5, 2


class Wrapped(wiring.Component):
    """The memory as a component, whose words have two bytes that are written apart."""

    def __init__(self, halves):
        self.halves = halves
        super().__init__(
            {
                "fills": In(1), "en": In(LANES), "addr": In(3), "data": In(8 * LANES),
                "reads": In(1), "read_en": In(1), "read_addr": In(3), "word": Out(8 * LANES),
            }
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        shape = data.ArrayLayout(unsigned(8), LANES)
        memory = HalvedMemory(
            m, "words", shape, DEPTH, halves=self.halves, fills=self.fills, reads=self.reads,
            granularity=1,
        )  # fmt: skip
        m.d.comb += [
            memory.write.en.eq(self.en), memory.write.addr.eq(self.addr),
            memory.write.data.as_value().eq(self.data),
            memory.read.en.eq(self.read_en), memory.read.addr.eq(self.read_addr),
            self.word.eq(memory.read.data.as_value()),
        ]  # fmt: skip
        return m


@pytest.mark.parametrize("halves", [1, 2])
def test_words_as_in_arrays(simulate, halves):
    rng = seeded(halves)
    words = np.zeros((2, DEPTH, LANES), np.int64)
    held, expected, cycles = np.zeros((2, LANES), np.int64), [], []
    for _ in range(400):
        fills = int(rng.integers(2)) * (halves - 1)
        # without halves nothing is read in the cycle of a write
        reads, writes = (1 - fills) * (halves - 1), int(rng.integers(2))
        en = int(rng.integers(1 << LANES)) * writes
        addr, read_addr = rng.integers(DEPTH, size=2).tolist()
        value, read_en = rng.integers(256, size=LANES), int(rng.integers(2))
        if halves == 1 and en:
            read_en = 0
        cycles.append(
            {
                "fills": fills, "en": en, "addr": addr, "data": int(value[0] | value[1] << 8),
                "reads": reads, "read_en": read_en, "read_addr": read_addr,
            }
        )  # fmt: skip
        # what was read before, of the half that is selected now
        expected.append(int(held[reads][0] | held[reads][1] << 8))
        if read_en:
            held[reads] = words[reads, read_addr]
        for lane in range(LANES):
            if en >> lane & 1:
                words[fills, addr, lane] = value[lane]
    rows = play(simulate, Wrapped(halves), cycles, ["word"])
    assert [row["word"] for row in rows] == expected


@pytest.mark.parametrize("depth", [4, 4096, 8192])
def test_halves_of_a_deep_memory(simulate, depth):
    """The highest bit of an address is the half; each cycle writes one and reads the other."""
    rng, half = seeded(depth), depth
    addresses = rng.choice(depth, 4, replace=False).tolist()
    words = {a + h * half: int(rng.integers(256)) for a in addresses for h in (0, 1)}
    first = [{"write_en": 1, "write_addr": a, "write_data": w} for a, w in words.items()]
    later, order = [], list(words)
    for index, address in enumerate(order):
        other = order[index] ^ half
        later.append(
            {
                "write_en": 1, "write_addr": other, "write_data": words[other],
                "read_en": 1, "read_addr": address,
            }
        )  # fmt: skip
    rows = play(simulate, DeepMemory(8, depth, halves=2), [*first, *later, {}, {}], ["word"])
    assert [row["word"] for row in rows[len(first) + 2 :]] == [words[a] for a in order]
