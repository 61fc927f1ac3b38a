"""Index decoder of an index-decoding PE: from columns to entries with their rows."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import CSCConfig
from hwsim.config.arrays.decoding import Banks
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.csc.columns import column_layout
from hwsim.rtl.arrays.csc.layout import PESizes, entry_layout
from hwsim.rtl.arrays.decoding.base_row import BaseRow
from hwsim.rtl.arrays.decoding.group_count import GroupCount
from hwsim.rtl.arrays.status import status_code, status_codes
from hwsim.rtl.blocks.deep_memory import DeepMemory
from hwsim.rtl.blocks.delay import delayed
from hwsim.rtl.blocks.follows import follows
from hwsim.rtl.blocks.multiplier import code_shape

__all__ = ["Decoder", "factors_layout", "sums_layout"]


def sums_layout(banks: Banks) -> data.StructLayout:
    """Row and bank of the sums that an entry is added to."""
    return data.StructLayout(
        {
            "row": unsigned(index_width(banks.depth)),
            "bank": unsigned(index_width(banks.count)),
        }
    )


def factors_layout(sizes: PESizes) -> data.StructLayout:
    """A weight's code, and the activations it multiplies."""
    return data.StructLayout({"code": code_shape(sizes.numbers), "act": sizes.acts})


class Decoder(wiring.Component):
    """Give the entries of each column, one per cycle.

    Three stages of a cycle each: **issue** (an entry is fetched), **capture** (it goes into a
    register: the memory is slow) and **decode** (the relative indices add up to the row; with a
    codebook the weight is fetched). A column of n entries stays max(1, n) cycles in the issue
    stage. Padding moves the row and is not passed on.

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
    stays, rows : ``In``
        For sizes that carry: as of :class:`~hwsim.rtl.arrays.decoding.base_row.BaseRow`.
    half : ``In(1)``
        For memories with halves: the one that is read, while a layer runs.
    drained : ``In(1)``
        A group's last partial sums are taken in this cycle.
    entry : ``Out(stream.Signature(sums_layout(banks), always_ready=True))``
        Entries in the decode stage, without padding.
    factors : ``Out(factors_layout(sizes))``
        Those of the entry of the cycle before.
    finishes : ``Out(1)``
        The group's last entry, if it has one, is offered in this cycle; none comes later.
    fetches, looks_up : ``Out(1)``
        An entry is fetched in this cycle; a weight of the codebook is.
    cause : ``Out``
        Cause of the issue stage two cycles ago: late, since the entry tells ``mac`` from
        ``padding``.
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
    factors: data.View
    finishes: Signal
    stays: Signal
    rows: Signal
    half: Signal
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
                "write_addr": In(index_width(sizes.entry_depth * sizes.halves)),
                "write_data": In(entry_layout(sizes.code_width, sizes.index_bits)),
                "run": In(1),
                "run_next": In(1),
                "more": In(1),
                "waiting": In(1),
                "column": In(stream.Signature(column_layout(sizes.pointer_width, sizes.acts))),
                "drained": In(1),
                "entry": Out(stream.Signature(sums_layout(sizes.banks), always_ready=True)),
                "factors": Out(factors_layout(sizes)),
                "finishes": Out(1),
                "fetches": Out(1),
                "looks_up": Out(1),
                "cause": Out(status_code(CSCConfig.CAUSES, "pe", "idle").shape()),
            }
            | (table if sizes.has_codebook else {})
            | ({"stays": In(1), "rows": In(range(sizes.banks.depth + 1))} if sizes.carries else {})
            | ({"half": In(1)} if sizes.halves == 2 else {})
        )

    def elaborate(self, platform):
        m = Module()
        layout = self.write_data.shape()
        captured = data.View(layout, Signal(layout.size, name="captured"))
        goes = Signal()
        is_entry = Signal()
        is_top = Signal()
        is_padding = Signal()
        base = self._issue(m, captured, goes, is_entry, is_top)
        has_zero = self.sizes.has_zero
        m.d.comb += is_padding.eq(captured.code == 0 if has_zero else captured.rel_idx.all())
        self._decode(m, captured, is_entry, is_top, base, is_padding)
        self._cause(m, goes, is_entry, is_padding)
        return m

    def _issue(
        self, m: Module, captured: data.View, goes: Signal, is_entry: Signal, is_top: Signal
    ) -> Value:
        """Issue and capture: fetch the next entry of the column, which may be its first (top).

        Gives the first row of the decoded entry's group.
        """
        column, sizes = self.column, self.sizes
        cursor = Signal(sizes.pointer_width, reset_less=True)
        addr = Signal.like(cursor)
        addr_next = Signal.like(cursor)
        is_first = Signal(init=1)
        # what ends a column, told without the adder of addresses: the queue waits for it
        is_single = Signal()
        is_last = Signal(reset_less=True)  # of an entry behind the first
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
            is_empty.eq(column.p.null | (column.p.start == column.p.end)),
            is_single.eq(follows(column.p.start, column.p.end)),
            is_issuing.eq(goes & ~is_empty),
            column.ready.eq(goes & (is_empty | Mux(is_first, is_single, is_last))),
            ends_group.eq(column.ready & column.p.last),
            ahead.enters.eq(ends_group),
            ahead.drained.eq(self.drained),
            self.fetches.eq(is_issuing),
        ]
        m.d.sync += bank.eq(Mux(self.run, bank + ends_group, 0))
        with m.If(is_issuing):
            m.d.sync += [
                cursor.eq(addr_next),
                is_first.eq(column.ready),
                is_last.eq(follows(addr_next, column.p.end)),
            ]

        entries = m.submodules.entries = DeepMemory(
            captured.shape(), sizes.entry_depth, halves=sizes.halves
        )
        read_addr: Value = addr
        if sizes.halves == 2:
            read_addr = Cat(addr[: index_width(sizes.entry_depth)], self.half)
        m.d.comb += [
            entries.write_en.eq(self.write_en),
            entries.write_addr.eq(self.write_addr),
            entries.write_data.eq(self.write_data),
            entries.read_addr.eq(read_addr),
            entries.read_en.eq(is_issuing),
            captured.eq(entries.word),
        ]

        # what goes with the entry to the stages of capture, decode and multiply
        is_issued = Signal()
        always = Const(1)
        m.d.sync += is_issued.eq(is_issuing)
        m.d.sync += is_entry.eq(is_issued)
        m.d.comb += [
            is_top.eq(delayed(m, is_first, 2, enable=always, name="is_first")),
            self.entry.p.bank.eq(delayed(m, bank, 2, enable=always, name="bank")),
            self.factors.act.eq(delayed(m, column.p.act, 3, enable=always, name="act")),
            self.finishes.eq(
                delayed(m, ends_group, 2, enable=always, name="finishes", reset_less=False)
            ),
        ]
        if not sizes.carries:
            return Const(0)
        base_row = m.submodules.base_row = BaseRow(sizes.banks)
        m.d.comb += [
            base_row.run.eq(self.run),
            base_row.stays.eq(self.stays),
            base_row.rows.eq(self.rows),
            base_row.ends_group.eq(ends_group),
            base_row.bank.eq(bank),
        ]
        return Value.cast(delayed(m, base_row.base, 2, enable=always, name="base"))

    def _decode(
        self,
        m: Module,
        captured: data.View,
        is_entry: Signal,
        is_top: Signal,
        base: Value,
        is_padding: Signal,
    ) -> None:
        """Decode stage: the row of an entry, from that of the one before in its column."""
        row_next = Signal.like(self.entry.p.row)
        row = Signal.like(self.entry.p.row)
        # padding that the index marks stands for no position of its own
        position = Const(1) if self.sizes.has_zero else ~is_padding
        m.d.comb += [
            row.eq(Mux(is_top, base, row_next) + captured.rel_idx),
            self.entry.valid.eq(is_entry & ~is_padding),
            self.entry.p.row.eq(row),
        ]
        with m.If(is_entry):
            m.d.sync += row_next.eq(row + position)
        if self.sizes.has_codebook:
            self._look_up(m, is_entry, captured.code)
        else:
            m.d.sync += self.factors.code.eq(captured.code)

    def _look_up(self, m: Module, is_entry: Signal, code: Value) -> None:
        """Codebook: its memory's output register is that of the multiply stage."""
        memory: Memory = Memory(shape=self.table_data.shape(), depth=1 << len(code), init=[])
        m.submodules.codebook = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.table_en),
            write.addr.eq(self.table_addr),
            write.data.eq(self.table_data),
            self.looks_up.eq(is_entry),
            read.en.eq(self.looks_up),
            read.addr.eq(code),
            self.factors.code.eq(read.data),
        ]

    def _cause(self, m: Module, goes: Signal, is_entry: Signal, is_padding: Signal) -> None:
        """Cause of the cycle that the issue stage had before those of capture and decode."""
        code = status_codes(CSCConfig.CAUSES, "pe")
        cause_next = Signal.like(self.cause)
        cause_q = Signal.like(self.cause)
        cause_qq = Signal.like(self.cause)
        is_running = Signal()
        m.d.comb += is_running.eq(self.run & self.run_next)
        with m.If(~is_running):
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
        m.d.sync += [
            cause_q.eq(cause_next),
            cause_qq.eq(Mux(is_running, cause_q, code["idle"])),
        ]
        m.d.comb += self.cause.eq(Mux(is_entry, entry_cause, cause_qq))
