"""Act banks: independent memories for feature maps, a read and a write port each."""

from typing import Any

from amaranth import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from hwsim.contract.descriptors import ADDRESS_BITS, INDEX_BITS
from hwsim.rtl.blocks.ports import memory_read, memory_write

__all__ = ["ActBanks"]


class ActBanks(wiring.Component):
    """Memories of words; two users read and two write, never one port at once.

    The sequencer refuses descriptors of which two would, so a user never waits.

    * Throughput: one word per cycle and port.
    * Latency: a word read comes in the cycle after its address, and stays until its bank is read
      again.

    Parameters
    ----------
    banks : int
        Memories.
    depth : int
        Words of each, a power of two.
    word_lanes, post_lanes : int
        Activations of a word, and of a beat of results.
    act_width : int
        Bits of an activation.

    Members
    -------
    fill : ``In``
        Write a word: ``valid``, ``index`` of the bank, ``addr``, ``data``.
    write : ``In``
        Write a beat of results: ``valid``, ``index``, ``addr`` (in beats), ``data``.
    feed, drain : ``In``
        Read a word: ``en``, ``index``, ``addr``; ``data``.
    """

    fill: Any
    write: Any
    feed: Any
    drain: Any

    def __init__(
        self, *, banks: int, depth: int, word_lanes: int, post_lanes: int, act_width: int
    ) -> None:
        self.banks, self.depth = banks, depth
        self.word_lanes, self.post_lanes, self.act_width = word_lanes, post_lanes, act_width
        self.beats = exact_log2(word_lanes // post_lanes)
        word, beat = word_lanes * act_width, post_lanes * act_width
        read = memory_read(ADDRESS_BITS, word, index=INDEX_BITS)
        super().__init__(
            {
                "fill": In(memory_write(ADDRESS_BITS, word, index=INDEX_BITS)),
                "write": In(memory_write(ADDRESS_BITS, beat, index=INDEX_BITS)),
                "feed": In(read),
                "drain": In(read),
            }
        )

    def elaborate(self, platform):
        m = Module()

        words = exact_log2(self.depth)
        pieces = 1 << self.beats
        piece = self.write.addr[: self.beats]
        lanes = Const((1 << self.word_lanes) - 1, self.word_lanes)
        beat = Const((1 << self.post_lanes) - 1, self.word_lanes)
        feeding = Signal(INDEX_BITS)
        draining = Signal(INDEX_BITS)
        with m.If(self.feed.en):
            m.d.sync += feeding.eq(self.feed.index)
        with m.If(self.drain.en):
            m.d.sync += draining.eq(self.drain.index)
        for index in range(self.banks):
            bank: Memory = Memory(
                shape=data.ArrayLayout(unsigned(self.act_width), self.word_lanes),
                depth=self.depth,
                init=[],
            )
            m.submodules[f"bank_{index}"] = bank
            write, read = bank.write_port(granularity=1), bank.read_port()
            fills = Signal(name=f"fills_{index}")
            writes = Signal(name=f"writes_{index}")
            feeds = Signal(name=f"feeds_{index}")
            drains = Signal(name=f"drains_{index}")
            m.d.comb += [
                fills.eq(self.fill.valid & (self.fill.index == index)),
                writes.eq(self.write.valid & (self.write.index == index)),
                feeds.eq(self.feed.en & (self.feed.index == index)),
                drains.eq(self.drain.en & (self.drain.index == index)),
            ]
            result = self.write.data.replicate(pieces)
            place = self.write.addr[self.beats : self.beats + words]
            m.d.comb += write.addr.eq(Mux(fills, self.fill.addr[:words], place))
            m.d.comb += write.data.as_value().eq(Mux(fills, self.fill.data, result))
            with m.If(fills):
                m.d.comb += write.en.eq(lanes)
            with m.Elif(writes):
                m.d.comb += write.en.eq(beat << (piece * self.post_lanes))
            m.d.comb += read.addr.eq(Mux(drains, self.drain.addr[:words], self.feed.addr[:words]))
            m.d.comb += read.en.eq(feeds | drains)
            with m.If(feeding == index):
                m.d.comb += self.feed.data.eq(read.data.as_value())
            with m.If(draining == index):
                m.d.comb += self.drain.data.eq(read.data.as_value())

        return m
