"""Index decoder of an index-decoding PE: from columns to entries with their rows."""

from amaranth import Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, CSCConfig
from hwsim.formats.base import index_width
from hwsim.formats.csc import entry_has_zero
from hwsim.rtl.arrays.csc.columns import column_layout
from hwsim.rtl.arrays.csc.layout import entry_layout, lane_acts, load_layout
from hwsim.rtl.arrays.status import status_code
from hwsim.rtl.blocks.multiplier import code_shape

__all__ = ["Decoder", "decoded_layout"]


def decoded_layout(arch: ArchConfig) -> data.StructLayout:
    """A weight's code, the activations it multiplies, and the sums it belongs to."""
    return data.StructLayout(
        {
            "code": code_shape(arch.numbers),
            "act": lane_acts(arch),
            "row": unsigned(index_width(arch.array_as(CSCConfig).acc_depth)),
            "bank": unsigned(1),
        }
    )


class Decoder(wiring.Component):
    """Give the entries of each column, one a clock.

    Two stages, a clock each: **issue** (an entry is fetched) and **decode** (the relative indices
    add up to the row; with a codebook the weight is fetched). A column of n entries stays
    max(1, n) clocks in the issue stage. Padding moves the row and is not given on.

    * Latency: two clocks from ``column.valid`` to the first ``entry.valid``.
    * Throughput: one entry a clock; a column without entries takes a clock.
    * Stalls: the issue stage waits for the drain before it begins a group whose bank is not
      drained.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family csc.

    Members
    -------
    load_en, load : ``In(1)``, ``In(load_layout(arch))``
        Write an entry (``kind`` 1) or a word of the codebook (2); only while no layer runs.
    run, run_next : ``In(1)``
        A layer is running in this clock, and in the next; ``run`` low rewinds the decoder.
    more, waiting : ``In(1)``
        Tokens are still to come; one is in the queue. They tell causes apart.
    column : ``In(stream.Signature(column_layout(arch)))``
        Columns, taken in the clock of their last fetch.
    drained : ``In(1)``
        A group's last partial sums are taken in this clock.
    entry : ``Out(stream.Signature(decoded_layout(arch), always_ready=True))``
        Entries, without padding.
    finishes : ``Out(1)``
        The group's last entry, if it has one, is given in this clock; none comes later.
    cause : ``Out``
        Cause of the issue stage's clock before this one: a clock late, since the entry tells
        ``mac`` from ``padding``.
    """

    load_en: Signal
    load: data.View
    run: Signal
    run_next: Signal
    more: Signal
    waiting: Signal
    column: stream.Interface
    drained: Signal
    entry: stream.Interface
    finishes: Signal
    cause: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch, self.array = arch, arch.array_as(CSCConfig)
        super().__init__(
            {
                "load_en": In(1),
                "load": In(load_layout(arch)),
                "run": In(1),
                "run_next": In(1),
                "more": In(1),
                "waiting": In(1),
                "column": In(stream.Signature(column_layout(arch))),
                "drained": In(1),
                "entry": Out(stream.Signature(decoded_layout(arch), always_ready=True)),
                "finishes": Out(1),
                "cause": Out(status_code(CSCConfig.CAUSES, "pe", "idle").shape()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        fetched = data.View(entry_layout(self.arch), Signal(entry_layout(self.arch).size))
        goes, issued, is_padding = Signal(), Signal(), Signal()
        has_zero = entry_has_zero(self.arch)
        m.d.comb += is_padding.eq(fetched.code == 0 if has_zero else fetched.rel_idx.all())
        # padding that the index marks stands for no position of its own
        position = Const(1) if has_zero else ~is_padding
        self._issue(m, fetched, goes, issued, position)
        m.d.sync += self.entry.valid.eq(issued & ~is_padding)
        if self.array.codebook_bits is None:
            m.d.sync += self.entry.p.code.eq(fetched.code)
        else:
            self._look_up(m, fetched.code)
        self._cause(m, goes, issued, is_padding)
        return m

    def _look_up(self, m: Module, code: Value) -> None:
        """Codebook: its memory's output register is that of the decode stage."""
        memory: Memory = Memory(shape=code_shape(self.arch.numbers), depth=1 << len(code), init=[])
        m.submodules.codebook = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.load_en & (self.load.kind == 2)),
            write.addr.eq(self.load.addr),
            write.data.eq(self.load.data),
            read.addr.eq(code),
            self.entry.p.code.eq(read.data),
        ]

    def _issue(
        self, m: Module, fetched: data.View, goes: Signal, issued: Signal, position: Value
    ) -> None:
        """Issue stage, and the rows of the decode stage; ``position`` is the entry's own."""
        column = self.column
        cursor = Signal(range(self.array.entry_depth + 1), reset_less=True)
        addr, addr_next = Signal.like(cursor), Signal.like(cursor)
        is_first = Signal(init=1)
        bank = Signal()
        ahead = Signal(range(3))  # groups issued and not drained: each holds a bank
        is_empty, is_issuing, ends_group = Signal(), Signal(), Signal()
        m.d.comb += [
            addr.eq(Mux(is_first, column.p.start, cursor)),
            addr_next.eq(addr + 1),
            goes.eq(column.valid & (ahead != 2)),
            is_empty.eq(column.p.null | (addr == column.p.end)),
            is_issuing.eq(goes & ~is_empty),
            column.ready.eq(goes & (is_empty | (addr_next == column.p.end))),
            ends_group.eq(column.ready & column.p.last),
        ]
        m.d.sync += [
            bank.eq(self.run & (bank ^ ends_group)),
            ahead.eq(Mux(self.run, ahead + ends_group - self.drained, 0)),
        ]
        with m.If(is_issuing):
            m.d.sync += [cursor.eq(addr_next), is_first.eq(column.ready)]

        memory: Memory = Memory(
            shape=entry_layout(self.arch), depth=self.array.entry_depth, init=[]
        )
        m.submodules.entries = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.load_en & (self.load.kind == 1)),
            write.addr.eq(self.load.addr),
            write.data.as_value().eq(self.load.data),
            read.addr.eq(addr),
            read.en.eq(is_issuing),
            fetched.eq(read.data),
        ]

        is_first_q, bank_q = Signal(reset_less=True), Signal(reset_less=True)
        act_q = Signal.like(column.p.act, reset_less=True)
        finishes_q = Signal()
        row_next, row = Signal.like(self.entry.p.row), Signal.like(self.entry.p.row)
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
        """Cause of the clock that the issue stage had."""
        cause_next, cause_q = Signal.like(self.cause), Signal.like(self.cause)
        with m.If(~(self.run & self.run_next)):
            m.d.comb += cause_next.eq(status_code(CSCConfig.CAUSES, "pe", "idle"))
        with m.Elif(goes):
            m.d.comb += cause_next.eq(status_code(CSCConfig.CAUSES, "pe", "column"))
        with m.Elif(self.column.valid):
            m.d.comb += cause_next.eq(status_code(CSCConfig.CAUSES, "pe", "drain"))
        with m.Elif(self.waiting):
            m.d.comb += cause_next.eq(status_code(CSCConfig.CAUSES, "pe", "pointer"))
        with m.Elif(self.more):
            m.d.comb += cause_next.eq(status_code(CSCConfig.CAUSES, "pe", "empty"))
        with m.Else():
            m.d.comb += cause_next.eq(status_code(CSCConfig.CAUSES, "pe", "done"))
        entry_cause = Mux(
            is_padding,
            status_code(CSCConfig.CAUSES, "pe", "padding"),
            status_code(CSCConfig.CAUSES, "pe", "mac"),
        )
        m.d.sync += cause_q.eq(cause_next)
        m.d.comb += self.cause.eq(Mux(issued, entry_cause, cause_q))
