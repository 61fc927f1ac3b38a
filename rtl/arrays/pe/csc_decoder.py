"""Index decoder of an index-decoding PE: from broadcast activations to entries with their rows."""

from amaranth import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig
from hwsim.config.causes import CAUSES
from hwsim.formats.base import index_width
from rtl.arrays.csc_layout import entry_layout, lane_acts, load_layout, token_layout

__all__ = ["Decoder", "cause_code", "decoded_layout"]


def cause_code(group: str, name: str) -> Const:
    """Status code of a cause of one status group."""
    names = CAUSES["csc"][group]
    return Const(names.index(name), index_width(len(names)))


def decoded_layout(arch: ArchConfig) -> data.StructLayout:
    """An entry's value, the activations it multiplies, and the sums it belongs to."""
    return data.StructLayout(
        {
            "value": entry_layout(arch)["value"].shape,
            "act": lane_acts(arch),
            "row": unsigned(index_width(arch.array.acc_depth)),
            "bank": unsigned(1),
        }
    )


class Decoder(wiring.Component):
    """Look up the column of each broadcast position and give its entries, one a clock.

    Three stages, a clock each: **queue** (a token leaves, its two pointers are fetched from the
    memories of even and odd pointers), **issue** (an entry is fetched), **decode** (the relative
    indices add up to the row). Queue and issue of neighbouring columns overlap, so a column of n
    entries takes max(1, n) clocks of the issue stage while the queue has tokens. Padding zeros
    move the row and are not given on.

    * Latency: two clocks from a token's transfer into an empty queue to its first issue, two more to
      ``entry.valid``.
    * Throughput: one entry a clock.
    * Stalls: ``token.ready`` is low while the queue is full. It comes from a register: a token
      that leaves in this clock does not make room in this clock. The issue stage waits for the
      drain before it begins a group whose bank is not drained.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family csc.

    Members
    -------
    load_en, load : ``In(1)``, ``In(load_layout(arch))``
        Write a pointer or an entry; only while no layer runs.
    run, run_next : ``In(1)``
        A layer is running in this clock, and in the next; ``run`` low rewinds the decoder.
    more : ``In(1)``
        Tokens are still to come.
    token : ``In(stream.Signature(token_layout(arch)))``
        Broadcast tokens.
    drained : ``In(1)``
        A group's last partial sums are taken in this clock.
    entry : ``Out(stream.Signature(decoded_layout(arch), always_ready=True))``
        Entries, without padding zeros.
    finishes : ``Out(1)``
        The group's last entry, if it has one, is given in this clock; none comes later.
    cause : ``Out``
        Cause of the issue stage's clock before this one: a clock late, since an entry's value
        tells ``mac`` from ``padding``.
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        super().__init__(
            {
                "load_en": In(1),
                "load": In(load_layout(arch)),
                "run": In(1),
                "run_next": In(1),
                "more": In(1),
                "token": In(stream.Signature(token_layout(arch))),
                "drained": In(1),
                "entry": Out(stream.Signature(decoded_layout(arch), always_ready=True)),
                "finishes": Out(1),
                "cause": Out(cause_code("pe", "idle").shape()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, layout = self.arch.array, token_layout(self.arch)
        even, odd, entries = self._memories(m)

        queue = m.submodules.queue = SyncFIFO(width=layout.size, depth=array.fifo_depth)
        head = Signal(layout)
        m.d.comb += [
            queue.w_data.eq(self.token.payload),
            queue.w_en.eq(self.token.valid),
            self.token.ready.eq(queue.w_rdy),
            head.as_value().eq(queue.r_data),
        ]

        # Queue stage: a token leaves when the issue stage is free, or becomes free in this clock.
        column_valid, ends_column, pops = Signal(), Signal(), Signal()
        column = Signal(layout, reset_less=True)
        is_first = Signal(reset_less=True)
        m.d.comb += [
            pops.eq(queue.r_rdy & (~column_valid | ends_column)),
            queue.r_en.eq(pops),
            even.en.eq(pops),
            odd.en.eq(pops),
            even.addr.eq((head.k + 1) >> 1),
            odd.addr.eq(head.k >> 1),
        ]

        # Issue stage: the column's pointers stay in the memories' output registers.
        cursor = Signal(range(array.entry_depth + 1), reset_less=True)
        start, end, addr, addr_next = (Signal.like(cursor, name=n) for n in _CURSORS)
        bank = Signal()
        ahead = Signal(range(3))  # groups issued and not drained: each holds a bank
        goes, is_empty, is_issuing, ends_group = Signal(), Signal(), Signal(), Signal()
        is_odd = column.k[0]
        m.d.comb += [
            start.eq(Mux(is_odd, odd.data, even.data)),
            end.eq(Mux(is_odd, even.data, odd.data)),
            addr.eq(Mux(is_first, start, cursor)),
            addr_next.eq(addr + 1),
            goes.eq(column_valid & (ahead != 2)),
            is_empty.eq(column.null | (addr == end)),
            is_issuing.eq(goes & ~is_empty),
            ends_column.eq(goes & (is_empty | (addr_next == end))),
            ends_group.eq(ends_column & column.last),
            entries.en.eq(is_issuing),
            entries.addr.eq(addr),
        ]
        m.d.sync += [
            column_valid.eq(pops | (column_valid & ~ends_column)),
            bank.eq(self.run & (bank ^ ends_group)),
            ahead.eq(Mux(self.run, ahead + ends_group - self.drained, 0)),
        ]
        with m.If(is_issuing):
            m.d.sync += [cursor.eq(addr_next), is_first.eq(0)]
        with m.If(pops):
            m.d.sync += [column.eq(head), is_first.eq(1)]

        # Decode stage.
        is_first_q, bank_q = Signal(reset_less=True), Signal(reset_less=True)
        act_q = Signal.like(column.act, reset_less=True)
        issued, finishes_q = Signal(), Signal()
        m.d.sync += [
            issued.eq(is_issuing),
            finishes_q.eq(ends_group),
            is_first_q.eq(is_first),
            act_q.eq(column.act),
            bank_q.eq(bank),
        ]
        row, row_next = Signal.like(self.entry.p.row), Signal.like(self.entry.p.row)
        is_padding = Signal()
        m.d.comb += [
            row.eq(Mux(is_first_q, 0, row_next) + entries.data.rel_idx),
            is_padding.eq(entries.data.value == 0),
        ]
        with m.If(issued):
            m.d.sync += row_next.eq(row + 1)
        m.d.sync += [
            self.entry.valid.eq(issued & ~is_padding),
            self.entry.p.value.eq(entries.data.value),
            self.entry.p.act.eq(act_q),
            self.entry.p.row.eq(row),
            self.entry.p.bank.eq(bank_q),
            self.finishes.eq(finishes_q),
        ]

        # Cause of the clock that the issue stage had.
        cause_next, cause_q = Signal.like(self.cause), Signal.like(self.cause)
        with m.If(~(self.run & self.run_next)):
            m.d.comb += cause_next.eq(cause_code("pe", "idle"))
        with m.Elif(column_valid):
            m.d.comb += cause_next.eq(
                Mux(goes, cause_code("pe", "column"), cause_code("pe", "drain"))
            )
        with m.Elif(queue.r_rdy):
            m.d.comb += cause_next.eq(cause_code("pe", "pointer"))
        with m.Else():
            m.d.comb += cause_next.eq(
                Mux(self.more, cause_code("pe", "empty"), cause_code("pe", "done"))
            )
        entry_cause = Mux(is_padding, cause_code("pe", "padding"), cause_code("pe", "mac"))
        m.d.sync += cause_q.eq(cause_next)
        m.d.comb += self.cause.eq(Mux(issued, entry_cause, cause_q))

        return m

    def _memories(self, m):
        """Add the pointer and entry memories with their write side; give their read ports."""
        array, load = self.arch.array, self.load
        pointer = unsigned(array.entry_depth.bit_length())
        depths = (array.col_depth // 2 + 1, (array.col_depth + 1) // 2)
        reads = []
        for parity, (name, depth) in enumerate(zip(("even", "odd"), depths)):
            memory = Memory(shape=pointer, depth=depth, init=[])
            m.submodules[f"pointers_{name}"] = memory
            write = memory.write_port()
            m.d.comb += [
                write.en.eq(self.load_en & (load.kind == 0) & (load.addr[0] == parity)),
                write.addr.eq(load.addr >> 1),
                write.data.eq(load.data),
            ]
            reads.append(memory.read_port())
        layout = entry_layout(self.arch)
        memory = m.submodules.entries = Memory(shape=layout, depth=array.entry_depth, init=[])
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(self.load_en & (load.kind == 1)),
            write.addr.eq(load.addr),
            write.data.as_value().eq(load.data),
        ]
        return (*reads, memory.read_port())


_CURSORS = ("start", "end", "addr", "addr_next")
