"""Front of an index-decoding PE: the activation queue and the column pointers."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, CSCConfig
from hwsim.rtl.arrays.csc.layout import lane_acts, load_layout, token_layout

__all__ = ["ColumnQueue", "column_layout"]


def column_layout(arch: ArchConfig) -> data.StructLayout:
    """A broadcast position with the addresses of its entries: ``start`` to ``end``, exclusive."""
    pointer = unsigned(arch.array_as(CSCConfig).entry_depth.bit_length())
    return data.StructLayout(
        {
            "start": pointer,
            "end": pointer,
            "act": lane_acts(arch),
            "last": unsigned(1),
            "null": unsigned(1),
        }
    )


class ColumnQueue(wiring.Component):
    """Queue broadcast tokens and look up the column of each.

    Pointers lie in two memories, of even and odd columns, so that the start and the end of a column
    are fetched in one clock, as in EIE. The next token leaves the queue in the clock in which the
    column before it is taken, so its fetch hides behind that one.

    * Latency: two clocks from a token's transfer into an empty queue to ``column.valid``.
    * Throughput: one column a clock.
    * Stalls: ``token.ready`` is low while the queue is full. It comes from a register: a token
      that leaves in this clock does not make room in this clock.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family csc.

    Members
    -------
    load_en, load : ``In(1)``, ``In(load_layout(arch))``
        Write a pointer (``kind`` 0); only while no layer runs.
    token : ``In(stream.Signature(token_layout(arch)))``
        Broadcast tokens.
    column : ``Out(stream.Signature(column_layout(arch)))``
        Their columns.
    waiting : ``Out(1)``
        A token is in the queue.
    """

    load_en: Signal
    load: data.View
    token: stream.Interface
    column: stream.Interface
    waiting: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch, self.array = arch, arch.array_as(CSCConfig)
        super().__init__(
            {
                "load_en": In(1),
                "load": In(load_layout(arch)),
                "token": In(stream.Signature(token_layout(arch))),
                "column": Out(stream.Signature(column_layout(arch))),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, column = self.array, self.column
        pointer = column.p.start.shape()

        layout = token_layout(self.arch)
        queue = m.submodules.queue = SyncFIFO(width=layout.size, depth=array.fifo_depth)
        head = data.View(layout, queue.r_data)
        pops = Signal()
        m.d.comb += [
            queue.w_data.eq(self.token.payload),
            queue.w_en.eq(self.token.valid),
            self.token.ready.eq(queue.w_rdy),
            self.waiting.eq(queue.r_rdy),
            pops.eq(queue.r_rdy & (~column.valid | column.ready)),
            queue.r_en.eq(pops),
        ]

        is_odd = Signal()
        with m.If(pops | column.ready):
            m.d.sync += column.valid.eq(pops)
        with m.If(pops):
            m.d.sync += [
                column.p.act.eq(head.act),
                column.p.last.eq(head.last),
                column.p.null.eq(head.null),
                is_odd.eq(head.k[0]),
            ]

        # Pointers stay in the memories' output registers while the column does.
        fetched = []
        depths = (array.col_depth // 2 + 1, (array.col_depth + 1) // 2)
        for parity, (name, depth) in enumerate(zip(("even", "odd"), depths)):
            memory: Memory = Memory(shape=pointer, depth=depth, init=[])
            m.submodules[f"pointers_{name}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(self.load_en & (self.load.kind == 0) & (self.load.addr[0] == parity)),
                write.addr.eq(self.load.addr >> 1),
                write.data.eq(self.load.data),
                read.en.eq(pops),
                read.addr.eq((head.k + (1 - parity)) >> 1),
            ]
            fetched.append(read.data)
        even, odd = fetched
        m.d.comb += [
            column.p.start.eq(Mux(is_odd, odd, even)),
            column.p.end.eq(Mux(is_odd, even, odd)),
        ]
        return m
