"""Act banks: independent memories for feature maps, a read and a write port each."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
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
    slices : int
        Independent memories of a bank, in which lanes lie by turns: ``feed`` has an address for
        each.

    Members
    -------
    fill : ``In``
        Write a word: ``valid``, ``index`` of the bank, ``addr``, ``data``.
    write : ``In``
        Write a beat of results: ``valid``, ``index``, ``addr`` (in beats), ``data``.
    feed, drain : ``In``
        Read a word: ``en``, ``index``, ``addr``; ``data``. Addresses of ``feed``: one per slice,
        that of lane 0 lowest.
    """

    fill: Any
    write: Any
    feed: Any
    drain: Any

    def __init__(
        self,
        *,
        banks: int,
        depth: int,
        word_lanes: int,
        post_lanes: int,
        act_width: int,
        slices: int = 1,
    ) -> None:
        self.banks, self.depth, self.slices = banks, depth, slices
        self.word_lanes, self.post_lanes, self.act_width = word_lanes, post_lanes, act_width
        self.beats = exact_log2(word_lanes // post_lanes)
        self.slice_lanes = word_lanes // slices
        word, beat = word_lanes * act_width, post_lanes * act_width
        super().__init__(
            {
                "fill": In(memory_write(ADDRESS_BITS, word, index=INDEX_BITS)),
                "write": In(memory_write(ADDRESS_BITS, beat, index=INDEX_BITS)),
                "feed": In(memory_read(slices * ADDRESS_BITS, word, index=INDEX_BITS)),
                "drain": In(memory_read(ADDRESS_BITS, word, index=INDEX_BITS)),
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
            # what is written, and the lanes of the word that it is for
            addr = Signal(words, name=f"write_addr_{index}")
            word = Signal(self.word_lanes * self.act_width, name=f"write_data_{index}")
            chosen = Signal(self.word_lanes, name=f"write_lanes_{index}")
            place = self.write.addr[self.beats : self.beats + words]
            m.d.comb += addr.eq(Mux(fills, self.fill.addr[:words], place))
            m.d.comb += word.eq(Mux(fills, self.fill.data, self.write.data.replicate(pieces)))
            with m.If(fills):
                m.d.comb += chosen.eq(lanes)
            with m.Elif(writes):
                m.d.comb += chosen.eq(beat << (piece * self.post_lanes))
            drained = self.drain.addr[:words]
            read_lanes = []
            for each in range(self.slices):
                bank: Memory = Memory(
                    shape=data.ArrayLayout(unsigned(self.act_width), self.slice_lanes),
                    depth=self.depth,
                    init=[],
                )
                m.submodules[f"bank_{index}_{each}" if self.slices > 1 else f"bank_{index}"] = bank
                write, read = bank.write_port(granularity=1), bank.read_port()
                fed = self.feed.addr.word_select(each, ADDRESS_BITS)[:words]
                of_slice = range(each, self.word_lanes, self.slices)
                m.d.comb += [
                    write.addr.eq(addr),
                    Value.cast(write.data).eq(
                        Cat(word.word_select(lane, self.act_width) for lane in of_slice)
                    ),
                    write.en.eq(Cat(chosen[lane] for lane in of_slice)),
                    read.addr.eq(Mux(drains, drained, fed)),
                    read.en.eq(feeds | drains),
                ]
                read_lanes.append(read.data)
            lanes_of = [divmod(lane, self.slices) for lane in range(self.word_lanes)]
            found = Cat(read_lanes[each][row] for row, each in lanes_of)
            with m.If(feeding == index):
                m.d.comb += self.feed.data.eq(found)
            with m.If(draining == index):
                m.d.comb += self.drain.data.eq(found)

        return m
