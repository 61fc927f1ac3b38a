"""Feeder: walks an act bank and gives a beat of activations per cycle."""

from typing import Any

from amaranth import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwsim.contract.descriptors import ADDRESS_BITS, FEED_LEVELS
from hwsim.rtl.blocks.nest import Nest
from hwsim.rtl.blocks.ports import memory_read

__all__ = ["Feeder", "walk"]


class Feeder(wiring.Component):
    """Read the words of a nest of loops; offer of each the beat that the address names, or all.

    Nothing is unrolled in memory: a convolution is six loops over its feature map.

    * Throughput: one beat per cycle.
    * Latency: two cycles from ``start`` to the first offer.
    * Stalls: the word that is offered stays in the memory's output register.

    Parameters
    ----------
    word_bits, beat_bits : int
        Bits of a word, and of a beat; a word holds a power of two of beats.

    Members
    -------
    start : ``In(1)``
        Begin the nest; what was under way is dropped.
    whole : ``In(1)``
        Addresses count words, not beats.
    base, bounds, steps : ``In``
        The nest, taken with ``start``.
    read : ``Out``
        ``en``, ``addr``; ``data`` in the cycle after.
    beat : ``Out(stream.Signature(beat_bits))``
    word : ``Out(word_bits)``
        All of the word that ``beat`` is of.
    """

    start: Signal
    whole: Signal
    base: Signal
    bounds: data.View
    steps: data.View
    read: Any
    beat: stream.Interface
    word: Signal

    def __init__(self, *, word_bits: int, beat_bits: int) -> None:
        self.word_bits, self.beat_bits = word_bits, beat_bits
        self.beats = exact_log2(word_bits // beat_bits)
        loops = data.ArrayLayout(unsigned(16), FEED_LEVELS)
        super().__init__(
            {
                "start": In(1),
                "whole": In(1),
                "base": In(ADDRESS_BITS),
                "bounds": In(loops),
                "steps": In(loops),
                "read": Out(memory_read(ADDRESS_BITS, word_bits)),
                "beat": Out(stream.Signature(beat_bits)),
                "word": Out(word_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()

        nest, moves, whole = walk(m, self)
        m.d.comb += self.read.addr.eq(nest.address >> self.beats)
        with m.If(whole):
            m.d.comb += self.read.addr.eq(nest.address)
        piece = Signal(max(1, self.beats), reset_less=True)
        with m.If(moves):
            m.d.sync += piece.eq(nest.address)
        m.d.comb += self.word.eq(self.read.data)
        if self.beats:
            m.d.comb += self.beat.payload.eq(self.read.data.word_select(piece, self.beat_bits))
        else:
            m.d.comb += self.beat.payload.eq(self.read.data)

        return m


def walk(m: Module, feeder: Any) -> tuple[Nest, Signal, Signal]:
    """Walk the nest of a feeder: an address per cycle, whose words are offered in the next one.

    Returns
    -------
    nest, moves, whole
        Whether the beat that is offered leaves, or none is: the memories may be read. ``whole`` as
        it was with ``start``.
    """
    m.submodules.nest = nest = Nest(FEED_LEVELS)
    m.d.comb += [
        nest.start.eq(feeder.start),
        nest.base.eq(feeder.base),
        nest.bounds.eq(feeder.bounds),
        nest.steps.eq(feeder.steps),
    ]
    walking = Signal(name="walking")
    offered = Signal(name="offered")
    whole = Signal(name="addresses_words", reset_less=True)
    moves = Signal(name="moves")
    m.d.comb += [
        moves.eq(~offered | feeder.beat.ready),
        nest.step.eq(moves & walking),
        feeder.read.en.eq(moves & walking),
        feeder.beat.valid.eq(offered),
    ]
    with m.If(moves):
        m.d.sync += offered.eq(walking)
        with m.If(nest.done):
            m.d.sync += walking.eq(0)
    with m.If(feeder.start):
        m.d.sync += [walking.eq(1), offered.eq(0), whole.eq(feeder.whole)]
    return nest, moves, whole
