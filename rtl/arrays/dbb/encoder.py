"""Encoder of activations: the non-zeros of a block, a few per cycle."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BlockEncoder", "blocks_layout", "slot_layout", "slots_layout"]


def slot_layout(act: Shape, m: int) -> data.StructLayout:
    """An activation and its position in a block of ``m``."""
    return data.StructLayout({"value": act, "position": range(m)})


def blocks_layout(act: Shape, m: int, cols: int) -> data.StructLayout:
    """A block of each column."""
    return data.StructLayout({"act": data.ArrayLayout(data.ArrayLayout(act, m), cols)})


def slots_layout(act: Shape, n: int, m: int, cols: int) -> data.StructLayout:
    """``n`` activations of each column's block: the first, the last that are sent of the blocks."""
    slots = data.ArrayLayout(slot_layout(act, m), n)
    return data.StructLayout({"act": data.ArrayLayout(slots, cols), "first": 1, "last": 1})


class BlockEncoder(wiring.Component):
    """Send the non-zeros of each column's block, ``n`` per cycle, lowest positions first.

    The columns take their blocks together and keep them for as long as one has a non-zero left. A
    slot without a non-zero has value 0 and position 0; blocks of zeros are sent once.

    * Throughput: one beat of slots per cycle. Blocks with at most z non-zeros take max(1,
      ceil(z / ``n``)) cycles, and the next ones are accepted in the last of them.
    * Latency: two cycles from the blocks' transfer to their first slots: into the register of the
      blocks, then, encoded, into that of the slots.
    * Stalls while ``slots`` is offered and not taken.

    Parameters
    ----------
    cols, n, m : int
        Columns, slots of a column, positions of a block.
    act : Shape
        Shape of an activation.

    Members
    -------
    blocks : ``In(stream.Signature(blocks_layout(act, m, cols)))``
    slots : ``Out(stream.Signature(slots_layout(act, n, m, cols)))``

    Raises
    ------
    ValueError
        No column, or not fewer slots than positions.
    """

    blocks: stream.Interface
    slots: stream.Interface

    def __init__(self, *, cols: int, n: int, m: int, act: Shape) -> None:
        if cols < 1:
            raise ValueError(f"cols must be at least 1, not {cols}")
        if not 0 < n < m:
            raise ValueError(f"n must be from 1 to {m - 1}, not {n}")
        self.cols, self.n, self.m = cols, n, m
        super().__init__(
            {
                "blocks": In(stream.Signature(blocks_layout(act, m, cols))),
                "slots": Out(stream.Signature(slots_layout(act, n, m, cols))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        blocks, slots = self.blocks, self.slots

        busy = Signal()
        first = Signal(reset_less=True)
        last = Signal()
        move = Signal()
        empty = Signal(self.cols)
        beat = Signal.like(slots.payload, name="beat", reset_less=True)
        m.d.comb += last.eq(empty.all())
        m.d.comb += move.eq(~slots.valid | slots.ready)
        m.d.comb += blocks.ready.eq(~busy | (move & last))
        m.d.comb += slots.payload.eq(beat)
        with m.If(blocks.ready):
            m.d.sync += [busy.eq(blocks.valid), first.eq(1)]
        with m.Elif(move):
            m.d.sync += first.eq(0)
        with m.If(move):
            m.d.sync += [slots.valid.eq(busy), beat.first.eq(first), beat.last.eq(last)]

        for c in range(self.cols):
            block = blocks.p.act[c]
            acts = Signal.like(block, name=f"acts_{c}", reset_less=True)
            pending = Signal(self.m, name=f"pending_{c}", reset_less=True)
            remaining = pending
            for index, slot in enumerate(beat.act[c]):
                name = f"{c}_{index}"
                remaining = self._encode(m, acts, remaining, slot, enable=move, name=name)
            m.d.comb += empty[c].eq(remaining == 0)
            with m.If(blocks.ready):
                m.d.sync += [acts.eq(block), pending.eq(Cat(act != 0 for act in block))]
            with m.Elif(move):
                m.d.sync += pending.eq(remaining)

        return m

    def _encode(self, m: Module, acts, pending: Signal, slot, *, enable: Signal, name: str):
        """Register the lowest pending activation in a slot; return those that are left."""
        lowest = Signal(self.m, name=f"lowest_{name}")
        remaining = Signal(self.m, name=f"remaining_{name}")
        m.d.comb += remaining.eq(pending & (pending - 1))
        m.d.comb += lowest.eq(pending & ~remaining)
        # at most one bit is set, so that an OR selects
        terms = [act & lowest[p].replicate(len(act)) for p, act in enumerate(acts)]
        bits = range(len(slot.position))
        position = Cat(Cat(lowest[p] for p in range(self.m) if p >> bit & 1).any() for bit in bits)
        with m.If(enable):
            m.d.sync += [slot.value.eq(reduce(or_, terms)), slot.position.eq(position)]
        return remaining
