"""Weight reader: a half of the weight memory as a stream, word after word."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.blocks.ports import memory_read

__all__ = ["WeightReader"]


class WeightReader(wiring.Component):
    """Offer the words of a half, without end: the array takes what its command says.

    * Throughput: one word per cycle.
    * Latency: two cycles from ``start`` to the first offer.

    Parameters
    ----------
    width, address : int
        Bits of a word and of its address.

    Members
    -------
    start : ``In(1)``
        Begin at the first word; what was under way is dropped.
    stop : ``In(1)``
        Offer nothing more.
    read : ``Out``
        ``en``, ``addr``; ``data`` in the cycle after.
    word : ``Out(stream.Signature(width))``
    """

    start: Signal
    stop: Signal
    read: Any
    word: stream.Interface

    def __init__(self, *, width: int, address: int) -> None:
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "read": Out(memory_read(address, width)),
                "word": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()

        walking, offered = Signal(), Signal()
        moves = Signal()
        addr = Signal.like(self.read.addr, name="addr", reset_less=True)
        m.d.comb += moves.eq(~offered | self.word.ready)
        m.d.comb += [self.read.en.eq(moves & walking), self.read.addr.eq(addr)]
        m.d.comb += [self.word.valid.eq(offered), self.word.payload.eq(self.read.data)]
        with m.If(moves):
            m.d.sync += [offered.eq(walking), addr.eq(addr + 1)]
        with m.If(self.stop):
            m.d.sync += [walking.eq(0), offered.eq(0)]
        with m.If(self.start):
            m.d.sync += [walking.eq(1), offered.eq(0), addr.eq(0)]

        return m
