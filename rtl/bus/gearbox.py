"""Beats of the bus to words of a memory, and words to beats, packed without gaps."""

from math import gcd

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Pack", "Unpack"]


class Unpack(wiring.Component):
    """Cut a stream of beats into words, the first word from the lowest bits.

    What is left over of the beats is held in units of the widths' greatest common divisor, and is
    always less than a word when a beat is taken: a beat is shifted to ``word / unit`` places.

    * Throughput: one word per cycle, or one beat where words are wider.
    * Latency: none; a word is offered with the beat that ends it.
    * Stalls: the input waits while a whole word is held; never, where a word is at least as wide
      as a beat and is always taken.

    Parameters
    ----------
    beat_bits, word_bits : int
        Widths, multiples of 8.

    Members
    -------
    i : ``In(stream.Signature(beat_bits))``
    o : ``Out(stream.Signature(word_bits))``
    restart : ``In(1)``
        With the transfer of a word: it is the last of its row. What is left over is dropped, and
        the next beat begins a row.

    Raises
    ------
    ValueError
        A width that is no multiple of 8.
    """

    i: stream.Interface
    o: stream.Interface
    restart: Signal

    def __init__(self, beat_bits: int, word_bits: int) -> None:
        for name, bits in (("beat_bits", beat_bits), ("word_bits", word_bits)):
            if bits < 8 or bits % 8:
                raise ValueError(f"{name} must be a multiple of 8, not {bits}")
        self.beat_bits, self.word_bits = beat_bits, word_bits
        super().__init__(
            {
                "i": In(stream.Signature(beat_bits)),
                "o": Out(stream.Signature(word_bits)),
                "restart": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        unit = gcd(self.beat_bits, self.word_bits)
        beat, word = self.beat_bits // unit, self.word_bits // unit

        # the most that is left: all of a beat but a unit, or less than a word before its last beat
        most = max(beat, word) - 1
        held = Signal(max(most, 1) * unit, reset_less=True)
        level = Signal(range(max(most, 1) + 1))

        # a beat follows what is left over; while that is a whole word, no beat is taken
        whole = Signal()
        m.d.comb += whole.eq(level >= word)
        seen = Signal((most + beat) * unit)
        m.d.comb += seen.eq(self.i.payload)
        with m.Switch(level):
            for below in range(1, word):
                with m.Case(below):
                    m.d.comb += seen.eq(Cat(held[: below * unit], self.i.payload))
        with m.If(whole):
            m.d.comb += seen.eq(held)

        total = Signal(range(most + beat + 1))
        taken = Signal()
        m.d.comb += [
            total.eq(level + Mux(self.i.valid & ~whole, beat, 0)),
            self.o.valid.eq(total >= word),
            self.o.payload.eq(seen),
            taken.eq(self.o.valid & self.o.ready),
            self.i.ready.eq(~whole & (self.o.ready | (level + beat < word))),
        ]
        with m.If(taken):
            m.d.sync += held.eq(seen >> (word * unit))
            m.d.sync += level.eq(Mux(self.restart, 0, total - word))
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [held.eq(seen), level.eq(total)]
        return m


class Pack(wiring.Component):
    """Join words into beats, the first word in the lowest bits, or cut wide words into beats.

    * Throughput: one word per cycle, or one beat where words are wider.
    * Latency: one cycle from a beat's last word to the beat.
    * Stalls: the input waits while a beat is offered and not taken.

    Parameters
    ----------
    word_bits, beat_bits : int
        Widths; one divides the other.

    Members
    -------
    i : ``In(stream.Signature(StructLayout({"data": word_bits, "last": 1})))``
        ``last``: the beat that this word is in ends with it; zeros fill its upper bits.
    o : ``Out(stream.Signature(beat_bits))``

    Raises
    ------
    ValueError
        Neither width divides the other.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, word_bits: int, beat_bits: int) -> None:
        if max(word_bits, beat_bits) % min(word_bits, beat_bits):
            raise ValueError(f"one of word_bits and beat_bits must divide the other, "
                             f"not {word_bits} and {beat_bits}")  # fmt: skip
        self.word_bits, self.beat_bits = word_bits, beat_bits
        word = data.StructLayout({"data": word_bits, "last": 1})
        super().__init__({"i": In(stream.Signature(word)), "o": Out(stream.Signature(beat_bits))})

    def elaborate(self, platform):
        m = Module()
        held = Signal(max(self.word_bits, self.beat_bits), reset_less=True)
        m.d.comb += self.o.payload.eq(held)
        if self.word_bits < self.beat_bits:
            self._join(m, held)
        else:
            self._cut(m, held)
        return m

    def _join(self, m: Module, held: Signal) -> None:
        words = self.beat_bits // self.word_bits
        position = Signal(range(words))
        full = Signal()
        m.d.comb += self.o.valid.eq(full)
        m.d.comb += self.i.ready.eq(~full | self.o.ready)
        with m.If(self.i.valid & self.i.ready):
            with m.If(position == 0):
                m.d.sync += held.eq(self.i.p.data)
            with m.Else():
                m.d.sync += held.word_select(position, self.word_bits).eq(self.i.p.data)
            m.d.sync += full.eq(self.i.p.last | (position == words - 1))
            m.d.sync += position.eq(Mux(self.i.p.last, 0, position + 1))
        with m.Elif(self.o.ready):
            m.d.sync += full.eq(0)

    def _cut(self, m: Module, held: Signal) -> None:
        beats = self.word_bits // self.beat_bits
        left = Signal(range(beats + 1))
        m.d.comb += self.o.valid.eq(left != 0)
        m.d.comb += self.i.ready.eq((left == 0) | ((left == 1) & self.o.ready))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [held.eq(self.i.p.data), left.eq(beats)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [held.eq(held >> self.beat_bits), left.eq(left - 1)]
