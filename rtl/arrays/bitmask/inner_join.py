"""Inner join of two masks: the positions that both have, and the rank of their weights."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.formats.bitmask import PIECE
from hwsim.rtl.arrays.bitmask.bits import count_ones, encode, lowest, prefix_sums, select

__all__ = ["InnerJoin", "masks_layout", "pair_layout"]


def masks_layout(chunk: int) -> data.StructLayout:
    """Masks of a chunk of weights and of activations."""
    return data.StructLayout({"weight": unsigned(chunk), "act": unsigned(chunk)})


def pair_layout(chunk: int) -> data.StructLayout:
    """A position that both masks have, and the weights before it: the index of the packed one."""
    return data.StructLayout({"rank": range(chunk), "position": range(chunk)})


class InnerJoin(wiring.Component):
    """Give the pairs of two masks, one per cycle, lowest position first.

    Two stages: in the first a byte is **picked** of the masks that are offered, the lowest that has
    a pair; in the second the pairs of that byte are **joined**. Only a byte goes from the one to
    the other, with the sum of the weights below it.

    * Latency: one cycle from the offer of the masks to their first pair.
    * Throughput: one pair per cycle. Masks with n pairs stay max(1, n) cycles in the join stage;
      they are taken with their last byte, and the first byte of the next ones may follow.
    * Stalls: never by itself.

    Parameters
    ----------
    chunk : int
        Bits of a mask, whole bytes.

    Members
    -------
    masks : ``In(stream.Signature(masks_layout(chunk)))``
        Masks to join.
    enters, is_first : ``Out(1)``
        A byte enters the join stage in the next cycle; it is the first one of its masks.
    busy : ``Out(1)``
        The join stage holds a byte.
    has_pair : ``Out(1)``
        It has a pair left.
    ends : ``Out(1)``
        It holds its byte for the last cycle.
    pair : ``Out(pair_layout(chunk))``
        Lowest pair of the byte, if it has one.
    total : ``Out(range(chunk + 1))``
        Weights of the masks whose byte it holds, or held last.
    """

    masks: stream.Interface
    enters: Signal
    is_first: Signal
    busy: Signal
    has_pair: Signal
    ends: Signal
    pair: data.View
    total: Signal

    def __init__(self, chunk: int) -> None:
        if chunk < PIECE or chunk % PIECE:
            raise ValueError(f"chunk must be whole bytes, not {chunk} bits")
        self.chunk = chunk
        super().__init__(
            {
                "masks": In(stream.Signature(masks_layout(chunk))),
                "enters": Out(1),
                "is_first": Out(1),
                "busy": Out(1),
                "has_pair": Out(1),
                "ends": Out(1),
                "pair": Out(pair_layout(chunk)),
                "total": Out(range(chunk + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        masks, size = self.masks, self.chunk // PIECE
        both = Signal(self.chunk)
        left = Signal(size, init=-1)  # bytes of the masks that may still be picked
        common = Signal(size)
        above = Signal(size)
        line = Signal(size)
        is_last = Signal()
        is_free = Signal()
        weights = [masks.p.weight.word_select(i, PIECE) for i in range(size)]
        pairs = [both.word_select(i, PIECE) for i in range(size)]
        m.d.comb += [
            both.eq(masks.p.weight & masks.p.act),
            common.eq(Cat(pair.any() for pair in pairs) & left),
            line.eq(lowest(common)),
            above.eq(common & (common - 1)),
            is_last.eq(above == 0),
            self.enters.eq(masks.valid & is_free),
            self.is_first.eq(left.all()),
            masks.ready.eq(is_free & is_last),
        ]

        counts = [Signal(range(PIECE + 1), name=f"count_{i}") for i in range(size)]
        m.d.comb += [
            count.eq(count_ones(word)) for count, word in zip(counts, weights, strict=True)
        ]
        *sums, total = prefix_sums(m, counts, "sum")
        pending = Signal(PIECE, reset_less=True)
        weight = Signal(PIECE, reset_less=True)
        base = Signal.like(self.pair.rank, reset_less=True)
        byte = Signal(max(1, (size - 1).bit_length()), reset_less=True)
        with m.If(self.enters):
            m.d.sync += [
                left.eq(Mux(is_last, -1, above)),
                pending.eq(select(line, pairs)),
                weight.eq(select(line, weights)),
                base.eq(select(line, sums)),
                byte.eq(encode(line)),
                self.total.eq(total),
            ]
        self._join(m, pending, weight, base, byte)
        m.d.comb += is_free.eq(~self.busy | self.ends)
        with m.If(is_free):
            m.d.sync += self.busy.eq(masks.valid)
        return m

    def _join(self, m: Module, pending: Signal, weight: Signal, base: Signal, byte: Signal) -> None:
        """Give the lowest pair of the byte, and take it off."""
        line = Signal(PIECE)
        below = Signal(PIECE)
        remaining = Signal(PIECE)
        m.d.comb += [
            line.eq(lowest(pending)),
            below.eq(~pending & (pending - 1)),
            remaining.eq(pending & (pending - 1)),
            self.has_pair.eq(self.busy & pending.any()),
            self.ends.eq(self.busy & (remaining == 0)),
            self.pair.rank.eq(base + count_ones(weight & below)),
            self.pair.position.eq(Cat(encode(line), byte)),
        ]
        with m.If(~self.enters):
            m.d.sync += pending.eq(remaining)
