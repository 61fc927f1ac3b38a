"""Front of an index-decoding PE: the activation queue and the column pointers."""

from amaranth import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hwsim.formats.base import index_width
from hwsim.rtl.arrays.csc.layout import token_layout
from hwsim.rtl.blocks.halved_memory import HalvedMemory

__all__ = ["ColumnQueue", "column_layout"]


def column_layout(pointer_width: int, acts: data.ArrayLayout) -> data.StructLayout:
    """A broadcast position with the addresses of its entries: ``start`` to ``end``, exclusive."""
    return data.StructLayout(
        {
            "start": unsigned(pointer_width),
            "end": unsigned(pointer_width),
            "act": acts,
            "last": unsigned(1),
            "null": unsigned(1),
        }
    )


class ColumnQueue(wiring.Component):
    """Queue broadcast tokens and look up the column of each.

    Pointers lie in two memories, of even and odd columns, so that the start and the end of a column
    are fetched in one cycle, as in EIE. The memories are slow: what they give goes into registers,
    from which the column is offered. Behind the one that is offered a second token waits with its
    pointers fetched, so that both cycles hide behind the columns before.

    * Latency: three cycles from a token's transfer into an empty queue to ``column.valid``.
    * Throughput: one column per cycle.
    * Stalls: ``token.ready`` is low while the queue is full. It comes from a register: a token
      that leaves in this cycle does not make room in this cycle.

    Parameters
    ----------
    fifo_depth : int
        Tokens that the queue holds.
    col_depth : int
        Columns, a power of two: there is one more pointer.
    pointer_width : int
        Bits of a pointer.
    acts : :class:`amaranth.lib.data.ArrayLayout`
        Activations of a token.
    halves : int
        Halves of the memories: 1 or 2.

    Members
    -------
    write_en, write_addr, write_data : ``In``
        Write a pointer; only while no layer runs, or into the half that is not read.
    write_half, half : ``In(1)``
        Half that is written, and that is read: holds while a layer runs. Only where there are two.
    token : ``In(stream.Signature(token_layout(col_depth, acts)))``
        Broadcast tokens.
    column : ``Out(stream.Signature(column_layout(pointer_width, acts)))``
        Their columns.
    waiting : ``Out(1)``
        A token is in the queue, or its pointers are fetched.
    pops : ``Out(1)``
        A token leaves the queue, and its two pointers are fetched, in this cycle.
    """

    write_en: Signal
    write_addr: Signal
    write_data: Signal
    write_half: Signal
    half: Signal
    token: stream.Interface
    column: stream.Interface
    waiting: Signal
    pops: Signal

    def __init__(
        self,
        *,
        fifo_depth: int,
        col_depth: int,
        pointer_width: int,
        acts: data.ArrayLayout,
        halves: int = 1,
    ) -> None:
        for name, value in (("fifo_depth", fifo_depth), ("col_depth", col_depth)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.fifo_depth, self.col_depth, self.halves = fifo_depth, col_depth, halves
        super().__init__(
            {
                "write_en": In(1),
                "write_addr": In(index_width(col_depth + 1)),
                "write_data": In(pointer_width),
                "token": In(stream.Signature(token_layout(col_depth, acts))),
                "column": Out(stream.Signature(column_layout(pointer_width, acts))),
                "waiting": Out(1),
                "pops": Out(1),
            }
            | ({"write_half": In(1), "half": In(1)} if halves == 2 else {})
        )

    def elaborate(self, platform):
        m = Module()
        column, pops = self.column, self.pops

        layout = self.token.payload.shape()
        queue = m.submodules.queue = SyncFIFO(width=layout.size, depth=self.fifo_depth)
        head = data.View(layout, queue.r_data)
        is_fetched = Signal()
        moves = Signal()
        m.d.comb += [
            queue.w_data.eq(self.token.payload),
            queue.w_en.eq(self.token.valid),
            self.token.ready.eq(queue.w_rdy),
            self.waiting.eq(queue.r_rdy | is_fetched),
            moves.eq(~column.valid | column.ready),
            pops.eq(queue.r_rdy & (~is_fetched | moves)),
            queue.r_en.eq(pops),
        ]
        with m.If(pops | moves):
            m.d.sync += is_fetched.eq(pops)

        # what is known of a token while its pointers are fetched
        is_odd = Signal(reset_less=True)
        act = Signal.like(column.p.act, reset_less=True)
        last = Signal(reset_less=True)
        null = Signal(reset_less=True)
        with m.If(pops):
            m.d.sync += [
                act.eq(head.act),
                last.eq(head.last),
                null.eq(head.null),
                is_odd.eq(head.k[0]),
            ]

        # Pointers stay in the memories' output registers until the column before is taken.
        fetched = []
        depths = (self.col_depth // 2 + 1, (self.col_depth + 1) // 2)
        fills, reads = (self.write_half, self.half) if self.halves == 2 else (Const(0), Const(0))
        for parity, (name, depth) in enumerate(zip(("even", "odd"), depths)):
            memory = HalvedMemory(
                m,
                f"pointers_{name}",
                column.p.start.shape(),
                depth,
                halves=self.halves,
                fills=fills,
                reads=reads,
            )
            write, read = memory.write, memory.read
            m.d.comb += [
                write.en.eq(self.write_en & (self.write_addr[0] == parity)),
                write.addr.eq(self.write_addr >> 1),
                write.data.eq(self.write_data),
                read.en.eq(pops),
                read.addr.eq((head.k + (1 - parity)) >> 1),
            ]
            fetched.append(read.data)
        even, odd = fetched
        with m.If(moves):
            m.d.sync += [
                column.valid.eq(is_fetched),
                column.p.start.eq(Mux(is_odd, odd, even)),
                column.p.end.eq(Mux(is_odd, even, odd)),
                column.p.act.eq(act),
                column.p.last.eq(last),
                column.p.null.eq(null),
            ]
        return m
