"""Inner join of two masks: the positions that both have, and the indices of their values."""

from amaranth import Module, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["InnerJoin", "count_ones", "masks_layout", "ranks_layout"]


def count_ones(bits: Value) -> Value:
    """Sum of the bits of a value: a balanced tree of adders, combinational."""
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    return count_ones(bits[:half]) + count_ones(bits[half:])


def masks_layout(chunk: int) -> data.StructLayout:
    """Masks of a chunk of weights and of activations."""
    return data.StructLayout({"weight": unsigned(chunk), "act": unsigned(chunk)})


def ranks_layout(chunk: int) -> data.StructLayout:
    """Indices of a pair's values among the chunk's packed ones."""
    rank = range(chunk)
    return data.StructLayout({"weight": rank, "act": rank})


class InnerJoin(wiring.Component):
    """Give the pairs of two masks, one per cycle, lowest position first.

    Two stages of a cycle each: **join** (the masks' AND is held; its lowest position is encoded and
    leaves it) and **rank** (the prefix sums of both masks up to that position).

    * Latency: two cycles from the masks' transfer to the first pair.
    * Throughput: one pair per cycle. Masks with n pairs stay max(1, n) cycles in the join stage,
      and the next ones are accepted in the last of them.
    * Stalls: never by itself.

    Parameters
    ----------
    chunk : int
        Bits of a mask.

    Members
    -------
    masks : ``In(stream.Signature(masks_layout(chunk)))``
        Masks to join.
    busy : ``Out(1)``
        The join stage holds masks.
    has_pair : ``Out(1)``
        They have a pair left.
    ends : ``Out(1)``
        It holds its masks for the last cycle.
    pair : ``Out(stream.Signature(ranks_layout(chunk), always_ready=True))``
        Pairs, a cycle after ``has_pair``.
    """

    masks: stream.Interface
    busy: Signal
    has_pair: Signal
    ends: Signal
    pair: stream.Interface

    def __init__(self, chunk: int) -> None:
        if chunk < 2:
            raise ValueError(f"chunk must be at least 2, not {chunk}")
        self.chunk = chunk
        super().__init__(
            {
                "masks": In(stream.Signature(masks_layout(chunk))),
                "busy": Out(1),
                "has_pair": Out(1),
                "ends": Out(1),
                "pair": Out(stream.Signature(ranks_layout(chunk), always_ready=True)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pending = Signal(self.chunk, reset_less=True)
        masks = data.View(
            masks_layout(self.chunk),
            Signal(masks_layout(self.chunk).size, name="masks_q", reset_less=True),
        )
        below = Signal(self.chunk)
        remaining = Signal(self.chunk)
        m.d.comb += [
            # the bits under the lowest one: what a prefix sum adds up
            below.eq(~pending & (pending - 1)),
            remaining.eq(pending & (pending - 1)),
            self.has_pair.eq(self.busy & pending.any()),
            self.ends.eq(self.busy & (remaining == 0)),
            self.masks.ready.eq(~self.busy | self.ends),
        ]
        m.d.sync += pending.eq(remaining)
        with m.If(self.masks.ready):
            m.d.sync += [
                self.busy.eq(self.masks.valid),
                pending.eq(self.masks.p.weight & self.masks.p.act),
                masks.eq(self.masks.payload),
            ]

        weight_below = Signal(self.chunk, reset_less=True)
        act_below = Signal(self.chunk, reset_less=True)
        m.d.sync += [
            self.pair.valid.eq(self.has_pair),
            weight_below.eq(masks.weight & below),
            act_below.eq(masks.act & below),
        ]
        m.d.comb += [
            self.pair.p.weight.eq(count_ones(weight_below)),
            self.pair.p.act.eq(count_ones(act_below)),
        ]
        return m
