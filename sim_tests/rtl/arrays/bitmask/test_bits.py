"""Bits of masks: sums, the lowest one, selection by a line."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from harness.component import play, seeded

from hwsim.rtl.arrays.bitmask.bits import count_ones, encode, lowest, prefix_sums, select


class Logic(wiring.Component):
    """All of it, on a word of ``size`` bits and as many values of 5 bits."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(
            {
                "bits": In(size),
                "values": In(data.ArrayLayout(5, size)),
                "lowest": Out(size),
                "index": Out(range(size)),
                "value": Out(5),
                "ones": Out(range(size + 1)),
                "sums": Out(data.ArrayLayout(16, size + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.sync += Signal(name="clocked").eq(1)  # the bench needs a clock
        values = list(self.values)
        m.d.comb += [
            self.lowest.eq(lowest(self.bits)),
            self.index.eq(encode(self.lowest)),
            self.value.eq(select(self.lowest, values)),
            self.ones.eq(count_ones(self.bits)),
            *(s.eq(v) for s, v in zip(self.sums, prefix_sums(m, values, "sum"), strict=True)),
        ]
        return m


@pytest.mark.parametrize("size", [2, 3, 8, 13, 32])
def test_every_function_of_random_words(simulate, size):
    rng = seeded(size)
    words = [0, 1, 1 << size - 1, (1 << size) - 1, *rng.integers(0, 1 << size, 20).tolist()]
    values = rng.integers(0, 32, (len(words), size)).tolist()
    cycles = [{"bits": w, "values": v} for w, v in zip(words, values, strict=True)]
    cycles[0]["values"] = values[0] = [31] * size  # the largest sums
    rows = play(simulate, Logic(size), cycles, ["lowest", "index", "value", "ones", "sums"])
    for row, word, some in zip(rows, words, values, strict=True):
        low = word & -word
        index = max(low.bit_length() - 1, 0)
        assert (row["lowest"], row["index"], row["ones"]) == (low, index, word.bit_count())
        assert row["value"] == (some[index] if word else 0)
        assert list(row["sums"]) == [sum(some[:i]) for i in range(size + 1)]
