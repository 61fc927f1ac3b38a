"""Gathering feeder: each lane of a beat is of a word of its own, which a list names."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwsim.contract.descriptors import ADDRESS_BITS, FEED_LEVELS, LIST_LEVEL
from hwsim.rtl.blocks.ports import memory_read
from hwsim.rtl.machine.feeder import walk

__all__ = ["GatherFeeder"]


class GatherFeeder(wiring.Component):
    """Read a word of the list for each fold of pixels; add its entries to the addresses of a nest.

    Lane r of a beat is lane r of the beat at the nest's address plus entry r. The loops within
    ``LIST_LEVEL`` walk the pixels of a fold, that loop the folds of the list, and with each
    iteration of the loops around it the list begins again.

    * Throughput: one beat per cycle, whatever the list says.
    * Latency: two cycles from ``start`` to the first offer. The word of the next fold is read in
      the cycle of the fold's last address.
    * Stalls: the words that are offered stay in the memories' output registers.

    Parameters
    ----------
    lanes, beats : int
        Lanes of a beat; beats of a word, a power of two.
    width : int
        Bits of a lane.
    entry : int
        Bits of an entry.
    depth : int
        Words of the list at most, a power of two.

    Members
    -------
    start : ``In(1)``
        Begin the nest; what was under way is dropped.
    whole : ``In(1)``
        Addresses count words, not beats, and the list is not used.
    base, bounds, steps : ``In``
        The nest, taken with ``start``.
    list : ``Out``
        ``en``, ``addr``; ``data`` in the cycle after: an entry per lane, lane 0 lowest.
    read : ``Out``
        ``en``, ``addr``: one per lane of a beat, lane 0 lowest, for all beats of a word; ``data``
        in the cycle after.
    beat : ``Out(stream.Signature(lanes * width))``
    word : ``Out(lanes * beats * width)``
        All that was read for ``beat``.
    """

    start: Signal
    whole: Signal
    base: Signal
    bounds: data.View
    steps: data.View
    list: Any
    read: Any
    beat: stream.Interface
    word: Signal

    def __init__(self, *, lanes: int, beats: int, width: int, entry: int, depth: int) -> None:
        self.lanes, self.beats, self.width, self.entry = lanes, exact_log2(beats), width, entry
        self.depth = exact_log2(depth)
        loops = data.ArrayLayout(unsigned(16), FEED_LEVELS)
        words = lanes * beats
        super().__init__(
            {
                "start": In(1),
                "whole": In(1),
                "base": In(ADDRESS_BITS),
                "bounds": In(loops),
                "steps": In(loops),
                "list": Out(memory_read(max(1, self.depth), lanes * entry)),
                "read": Out(memory_read(lanes * ADDRESS_BITS, words * width)),
                "beat": Out(stream.Signature(lanes * width)),
                "word": Out(words * width),
            }
        )

    def elaborate(self, platform):
        m = Module()

        nest, moves, whole = walk(m, self)

        # the list: its word lies at the memory's output while the pixels of its fold are read
        fold = Signal(self.depth, reset_less=True)
        following = Signal.like(fold)
        ends, again = Signal(), Signal()
        m.d.comb += ends.eq(self.read.en & nest.last[:LIST_LEVEL].all())
        m.d.comb += again.eq(self.start | nest.last[LIST_LEVEL])
        m.d.comb += following.eq(Mux(again, 0, fold + 1))
        m.d.comb += [self.list.en.eq(self.start | ends), self.list.addr.eq(following)]
        with m.If(self.list.en):
            m.d.sync += fold.eq(following)

        addresses, words = [], []
        for lane in range(self.lanes):
            entry = self.list.data.word_select(lane, self.entry)
            address = Signal(ADDRESS_BITS, name=f"address_{lane}")
            piece = Signal(max(1, self.beats), name=f"piece_{lane}", reset_less=True)
            m.d.comb += address.eq(nest.address + entry)
            with m.If(moves):
                m.d.sync += piece.eq(address)
            addresses.append(Mux(whole, nest.address, address >> self.beats))
            # of the lane in each beat of its word, the one that the address names
            places = [beat * self.lanes + lane for beat in range(1 << self.beats)]
            pieces = Cat(self.read.data.word_select(place, self.width) for place in places)
            words.append(pieces.word_select(piece, self.width) if self.beats else pieces)
        m.d.comb += self.read.addr.eq(Cat(address[:ADDRESS_BITS] for address in addresses))
        m.d.comb += [self.beat.payload.eq(Cat(words)), self.word.eq(self.read.data)]

        return m
