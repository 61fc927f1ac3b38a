"""Skid buffer: cuts the path from a consumer's ready to a producer's enable."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skid"]


class Skid(wiring.Component):
    """Pass a stream on; keep the word that a producer offers while it has yet to see the stall.

    ``i.ready`` is a register: 0 from the cycle after an offer that was not taken to the cycle of
    its transfer.

    * Throughput: one word per cycle.
    * Latency: none; a word that is not taken at once waits in the buffer.
    * Stalls: ``i`` stops one cycle after ``o`` and goes on one cycle after it.

    Parameters
    ----------
    shape
        Payload.

    Members
    -------
    i : ``In(stream.Signature(shape))``
    o : ``Out(stream.Signature(shape))``
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: ShapeLike) -> None:
        self.shape = shape
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))},
        )

    def elaborate(self, platform):
        m = Module()

        ready = Signal(init=1)
        held = Signal(self.shape, name="held", reset_less=True)
        m.d.comb += self.i.ready.eq(ready)
        m.d.comb += self.o.valid.eq(self.i.valid | ~ready)
        m.d.comb += self.o.payload.eq(Mux(ready, self.i.payload, held))
        m.d.sync += ready.eq(~self.o.valid | self.o.ready)
        with m.If(ready):
            m.d.sync += held.eq(self.i.payload)

        return m
