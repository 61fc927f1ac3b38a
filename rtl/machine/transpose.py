"""Transposer: words of one thing's elements become beats of one element of each thing."""

from amaranth import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Transposer"]


class Transposer(wiring.Component):
    """Take blocks of words, and give element 0 of each word, then element 1 of each, and so on.

    Two blocks of registers take turns: one is filled while the other is emptied. Of a block,
    ``taken`` words come and ``given`` beats leave; elements of a beat whose words do not come are
    arbitrary.

    * Throughput: one word and one beat per cycle; a block per the larger of ``taken`` and ``given``
      cycles.
    * Latency: one cycle from the last word of a block to its first beat.
    * Stalls: ``word`` waits while both blocks are full; the one that is emptied takes words from
      the cycle after its last beat on.

    Parameters
    ----------
    words : int
        Words of a block at most: elements of a beat.
    lanes : int
        Elements of a word: beats of a block at most.
    width : int
        Bits of an element.

    Members
    -------
    taken : ``In(range(words + 1))``
        Words of each block, at least 1; holds still from the first word to the last beat.
    given : ``In(range(lanes + 1))``
        Beats of each block, likewise.
    word : ``In(stream.Signature(ArrayLayout(width, lanes)))``
    beat : ``Out(stream.Signature(ArrayLayout(width, words)))``

    Raises
    ------
    ValueError
        A size is less than 1.
    """

    taken: Signal
    given: Signal
    word: stream.Interface
    beat: stream.Interface

    def __init__(self, *, words: int, lanes: int, width: int) -> None:
        for name, size in (("words", words), ("lanes", lanes), ("width", width)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        self.words, self.lanes, self.width = words, lanes, width
        element = unsigned(width)
        super().__init__(
            {
                "taken": In(range(words + 1)),
                "given": In(range(lanes + 1)),
                "word": In(stream.Signature(data.ArrayLayout(element, lanes))),
                "beat": Out(stream.Signature(data.ArrayLayout(element, words))),
            }
        )

    def elaborate(self, platform):
        m = Module()

        filling, emptying = Signal(), Signal()
        full = Signal(2)
        row, column = Signal.like(self.taken), Signal.like(self.given)
        fills, empties = Signal(), Signal()
        m.d.comb += [
            self.word.ready.eq(~full.bit_select(filling, 1)),
            self.beat.valid.eq(full.bit_select(emptying, 1)),
            fills.eq(self.word.valid & self.word.ready),
            empties.eq(self.beat.valid & self.beat.ready),
        ]
        with m.If(fills):
            m.d.sync += row.eq(row + 1)
            with m.If(row + 1 == self.taken):
                m.d.sync += [row.eq(0), filling.eq(~filling), full.bit_select(filling, 1).eq(1)]
        with m.If(empties):
            m.d.sync += column.eq(column + 1)
            with m.If(column + 1 == self.given):
                m.d.sync += [column.eq(0), emptying.eq(~emptying)]
                m.d.sync += full.bit_select(emptying, 1).eq(0)

        # a word stays in its row and moves down by an element per beat
        bits = self.lanes * self.width
        rows_of = range(self.words)
        blocks = [
            [Signal(bits, name=f"word_{block}_{index}", reset_less=True) for index in rows_of]
            for block in range(2)
        ]
        for block, rows in enumerate(blocks):
            for index, kept in enumerate(rows):
                with m.If(fills & (filling == block) & (row == index)):
                    m.d.sync += kept.eq(Value.cast(self.word.payload))
                with m.Elif(empties & (emptying == block)):
                    m.d.sync += kept.eq(kept[self.width :])
        for index in rows_of:
            heads = [blocks[block][index][: self.width] for block in range(2)]
            m.d.comb += self.beat.payload[index].eq(Mux(emptying, heads[1], heads[0]))

        return m
