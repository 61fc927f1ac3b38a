"""Writer: words of weights get the places that their order implies."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Writer", "word_layout"]


def word_layout(place: data.StructLayout) -> data.StructLayout:
    """Word of a memory: what a write has, but for where; ``begins`` begins a block of a kind."""
    return data.StructLayout(
        {"kind": place["kind"].shape, "begins": 1, "data": place["data"].shape}
    )


class Writer(wiring.Component):
    """Give each word its bank and address.

    Words of a bank lie together: a block of kind 0, from address 0 on, then one of kind 1 where the
    bank has such words; the next block of kind 0 is the next bank's.

    * Throughput: one word per cycle.
    * Latency: none.
    * Stalls: those of ``write``.

    Parameters
    ----------
    place : data.StructLayout
        A write: ``kind``, ``bank``, ``addr``, ``data``.

    Members
    -------
    start : ``In(1)``
        The next word is the first one.
    word : ``In(stream.Signature(word_layout(place)))``
    write : ``Out(stream.Signature(place))``
    """

    start: Signal
    word: stream.Interface
    write: stream.Interface

    def __init__(self, place: data.StructLayout) -> None:
        super().__init__(
            {
                "start": In(1),
                "word": In(stream.Signature(word_layout(place))),
                "write": Out(stream.Signature(place)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word, write = self.word, self.write

        # of the word before; the first block goes on to bank 0
        bank, addr = Signal.like(write.p.bank, name="bank"), Signal.like(write.p.addr, name="addr")
        m.d.comb += [
            write.valid.eq(word.valid),
            word.ready.eq(write.ready),
            write.p.kind.eq(word.p.kind),
            write.p.bank.eq(bank + (word.p.begins & (word.p.kind == 0))),
            write.p.addr.eq(Mux(word.p.begins, 0, addr + 1)),
            write.p.data.eq(word.p.data),
        ]
        with m.If(write.valid & write.ready):
            m.d.sync += [bank.eq(write.p.bank), addr.eq(write.p.addr)]
        with m.If(self.start):
            m.d.sync += bank.eq(-1)

        return m
