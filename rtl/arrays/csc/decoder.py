"""Index decoder of an index-decoding PE: from columns to entries with their rows."""

from amaranth import Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import CSCConfig
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.csc.columns import column_layout
from hwsim.rtl.arrays.csc.layout import PESizes, entry_layout
from hwsim.rtl.arrays.decoding.group_count import GroupCount
from hwsim.rtl.arrays.status import status_code, status_codes
from hwsim.rtl.blocks.multiplier import code_shape

__all__ = ["Decoder", "decoded_layout"]


def decoded_layout(sizes: PESizes) -> data.StructLayout:
    """A weight's code, the activations it multiplies, and the sums it belongs to."""
    return data.StructLayout(
        {
            "code": code_shape(sizes.numbers),
            "act": sizes.acts,
            "row": unsigned(index_width(sizes.banks.depth)),
            "bank": unsigned(index_width(sizes.banks.count)),
        }
    )


class Decoder(wiring.Component):
    """Give the entries of each column, one per cycle.

    Two stages of a cycle each: **issue** (an entry is fetched) and **decode** (the relative indices
    add up to the row; with a codebook the weight is fetched). A column of n entries stays
    max(1, n) cycles in the issue stage. Padding moves the row and is not passed on.

    * Latency: two cycles from ``column.valid`` to the first ``entry.valid``.
    * Throughput: one entry per cycle; a column without entries takes a cycle.
    * Stalls: the issue stage waits for the drain before it begins a group whose bank is not
      drained.

    Parameters
    ----------
    sizes : :class:`~hwsim.rtl.arrays.csc.layout.PESizes`
        Sizes of the PE.

    Members
    -------
    write_en, write_addr, write_data : ``In``
        Write an entry; only while no layer runs.
    table_en, table_addr, table_data : ``In``
        Write a weight of the codebook, for sizes with one; only while no layer runs.
    run, run_next : ``In(1)``
        A layer is running in this cycle, and in the next; ``run`` low selects bank 0.
    more, waiting : ``In(1)``
        Tokens are still to come; one is in the queue. They tell causes apart.
    column : ``In(stream.Signature(column_layout(pointer_width, acts)))``
        Columns, taken in the cycle of their last fetch.
    drained : ``In(1)``
        A group's last partial sums are taken in this cycle.
    entry : ``Out(stream.Signature(decoded_layout(sizes), always_ready=True))``
        Entries, without padding.
    finishes : ``Out(1)``
        The group's last entry, if it has one, is offered in this cycle; none comes later.
    fetches, looks_up : ``Out(1)``
        An entry is fetched in this cycle; a weight of the codebook is.
    cause : ``Out``
        Cause of the issue stage's cycle before this one: a cycle late, since the entry tells
        ``mac`` from ``padding``.
    """

    write_en: Signal
    write_addr: Signal
    write_data: data.View
    table_en: Signal
    table_addr: Signal
    table_data: Signal
    run: Signal
    run_next: Signal
    more: Signal
    waiting: Signal
    column: stream.Interface
    drained: Signal
    entry: stream.Interface
    finishes: Signal
    fetches: Signal
    looks_up: Signal
    cause: Signal

    def __init__(self, sizes: PESizes) -> None:
        self.sizes = sizes
        table = {
            "table_en": In(1),
            "table_addr": In(sizes.code_width),
            "table_data": In(code_shape(sizes.numbers)),
        }
        super().__init__(
            {
                "write_en": In(1),
                "write_addr": In(index_width(sizes.entry_depth)),
                "write_data": In(entry_layout(sizes.code_width, sizes.index_bits)),
                "run": In(1),
                "run_next": In(1),
                "more": In(1),
                "waiting": In(1),
                "column": In(stream.Signature(column_layout(sizes.pointer_width, sizes.acts))),
                "drained": In(1),
                "entry": Out(stream.Signature(decoded_layout(sizes), always_ready=True)),
                "finishes": Out(1),
                "fetches": Out(1),
                "looks_up": Out(1),
                "cause": Out(status_code(CSCConfig.CAUSES, "pe", "idle").shape()),
            }
            | (table if sizes.has_codebook else {})
        )

    def elaborate(self, platform):
        m = Module()
        layout = self.write_data.shape()
        fetched = data.View(layout, Signal(layout.size, name="fetched"))
        goes = Signal()
        issued = Signal()
        is_padding = Signal()
        has_zero = self.sizes.has_zero
        m.d.comb += is_padding.eq(fetched.code == 0 if has_zero else fetched.rel_idx.all())
        # padding that the index marks stands for no position of its own
        position = Const(1) if has_zero else ~is_padding
        self._issue(m, fetched, goes, issued, position)
        m.d.sync += self.entry.valid.eq(issued & ~is_padding)
        if self.sizes.has_codebook:
            self._look_up(m, issued, fetched.code)
        else:
            m.d.sync += self.entry.p.code.eq(fetched.code)
        self._cause(m, goes, issued, is_padding)
        return m

    def _look_up(self, m: Module, issued: Signal, code: Value) -> None:
        """Codebook: its memory's output register is that of the decode stage."""
        memory: Memory = Memory(shape=self.table_data.shape(), depth=1 << len(code), init=[])
        m.submodules.codebook = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.table_en),
            write.addr.eq(self.table_addr),
            write.data.eq(self.table_data),
            self.looks_up.eq(issued),
            read.en.eq(self.looks_up),
            read.addr.eq(code),
            self.entry.p.code.eq(read.data),
        ]

    def _issue(
        self, m: Module, fetched: data.View, goes: Signal, issued: Signal, position: Value
    ) -> None:
        """Issue stage, and the rows of the decode stage; ``position`` is the entry's own."""
        column, sizes = self.column, self.sizes
        cursor = Signal(sizes.pointer_width, reset_less=True)
        addr = Signal.like(cursor)
        addr_next = Signal.like(cursor)
        is_first = Signal(init=1)
        bank = Signal.like(self.entry.p.bank)
        # groups issued and not drained: each holds a bank
        ahead = m.submodules.ahead = GroupCount(sizes.banks.count)
        is_empty = Signal()
        is_issuing = Signal()
        ends_group = Signal()
        m.d.comb += [
            addr.eq(Mux(is_first, column.p.start, cursor)),
            addr_next.eq(addr + 1),
            goes.eq(column.valid & ~ahead.full),
            is_empty.eq(column.p.null | (addr == column.p.end)),
            is_issuing.eq(goes & ~is_empty),
            column.ready.eq(goes & (is_empty | (addr_next == column.p.end))),
            ends_group.eq(column.ready & column.p.last),
            ahead.enters.eq(ends_group),
            ahead.drained.eq(self.drained),
            self.fetches.eq(is_issuing),
        ]
        m.d.sync += bank.eq(Mux(self.run, bank + ends_group, 0))
        with m.If(is_issuing):
            m.d.sync += [cursor.eq(addr_next), is_first.eq(column.ready)]

        memory: Memory = Memory(shape=fetched.shape(), depth=sizes.entry_depth, init=[])
        m.submodules.entries = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.write_en),
            write.addr.eq(self.write_addr),
            write.data.eq(self.write_data),
            read.addr.eq(addr),
            read.en.eq(is_issuing),
            fetched.eq(read.data),
        ]

        is_first_q = Signal(reset_less=True)
        bank_q = Signal.like(bank, reset_less=True)
        act_q = Signal.like(column.p.act, reset_less=True)
        finishes_q = Signal()
        row_next = Signal.like(self.entry.p.row)
        row = Signal.like(self.entry.p.row)
        m.d.comb += row.eq(Mux(is_first_q, 0, row_next) + fetched.rel_idx)
        with m.If(issued):
            m.d.sync += row_next.eq(row + position)
        m.d.sync += [
            issued.eq(is_issuing),
            finishes_q.eq(ends_group),
            is_first_q.eq(is_first),
            act_q.eq(column.p.act),
            bank_q.eq(bank),
            self.entry.p.act.eq(act_q),
            self.entry.p.row.eq(row),
            self.entry.p.bank.eq(bank_q),
            self.finishes.eq(finishes_q),
        ]

    def _cause(self, m: Module, goes: Signal, issued: Signal, is_padding: Signal) -> None:
        """Cause of the cycle that the issue stage had."""
        code = status_codes(CSCConfig.CAUSES, "pe")
        cause_next = Signal.like(self.cause)
        cause_q = Signal.like(self.cause)
        with m.If(~(self.run & self.run_next)):
            m.d.comb += cause_next.eq(code["idle"])
        with m.Elif(goes):
            m.d.comb += cause_next.eq(code["column"])
        with m.Elif(self.column.valid):
            m.d.comb += cause_next.eq(code["drain"])
        with m.Elif(self.waiting):
            m.d.comb += cause_next.eq(code["pointer"])
        with m.Elif(self.more):
            m.d.comb += cause_next.eq(code["empty"])
        with m.Else():
            m.d.comb += cause_next.eq(code["done"])
        entry_cause = Mux(is_padding, code["padding"], code["mac"])
        m.d.sync += cause_q.eq(cause_next)
        m.d.comb += self.cause.eq(Mux(issued, entry_cause, cause_q))
