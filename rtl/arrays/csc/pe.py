"""Index-decoding PE."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import CSCConfig
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.csc.columns import ColumnQueue
from hwsim.rtl.arrays.csc.decoder import Decoder
from hwsim.rtl.arrays.csc.layout import PESizes, token_layout
from hwsim.rtl.arrays.decoding.accumulator import Accumulator
from hwsim.rtl.arrays.decoding.drain_layout import drain_layout, lane_psums
from hwsim.rtl.arrays.decoding.group_count import GroupCount
from hwsim.rtl.arrays.status import status_code
from hwsim.rtl.blocks.delay import delayed
from hwsim.rtl.blocks.multiplier import product

__all__ = ["PE"]


class PE(wiring.Component):
    """Multiply broadcast activations by the entries of their columns and add up by local row.

    The pipeline, one cycle per stage: **queue** and **wait** of the :class:`ColumnQueue` (a
    column's pointers are fetched, and go into registers), **issue**, **capture** and **decode** of
    the :class:`Decoder` (the accumulators are fetched), **multiply** and **add**. What follows the
    issue never stalls. The stages of neighbouring columns overlap, so a column of n entries costs
    max(1, n) cycles while tokens are waiting.

    * Latency: three cycles from a token's transfer into an empty queue to its first issue, five
      more to the sum being stored.
    * Throughput: one entry per cycle, on ``lanes`` multipliers.
    * Stalls: ``token.ready`` is low while the queue is full; a group waits for its bank.

    Parameters
    ----------
    sizes : :class:`~hwsim.rtl.arrays.csc.layout.PESizes`
        Sizes of the PE.
    load : :class:`amaranth.lib.data.StructLayout`
        What the PE sees of a weight beat
        (:func:`~hwsim.rtl.arrays.decoding.tiles.load_layout`).
    events : :class:`amaranth.lib.data.StructLayout`
        Strobes of the PE (:func:`~hwsim.rtl.arrays.decoding.tiles.pe_events`).

    Members
    -------
    load_en, load : ``In(1)``, ``In(load)``
        Write a pointer (``kind`` 0), an entry (1) or a weight of the codebook (2); only while no
        layer runs, or into the half that is not read.
    token
        As of :class:`ColumnQueue`.
    run, run_next, more, drained, cause
        As of :class:`Decoder`.
    half : ``In(1)``
        For memories with halves: the one that is read, while a layer runs.
    stays, rows : ``In``
        For sizes that carry: as of :class:`~hwsim.rtl.arrays.decoding.base_row.BaseRow`.
    drain : ``In(drain_layout(sizes.banks))``
        Fetch and zero of the accumulators.
    finished, finished_two : ``Out(1)``
        At least one, or two, groups are added up and not drained.
    psum : ``Out(lane_psums(sizes.banks, psum_width))``
        Partial sums that the drain looks at.
    events : ``Out(events)``
        Events of this cycle.
    """

    load_en: Signal
    load: data.View
    run: Signal
    run_next: Signal
    half: Signal
    more: Signal
    token: stream.Interface
    stays: Signal
    rows: Signal
    drain: data.View
    drained: Signal
    finished: Signal
    finished_two: Signal
    psum: data.View
    cause: Signal
    events: data.View

    def __init__(self, sizes: PESizes, load: data.StructLayout, events: data.StructLayout) -> None:
        self.sizes = sizes
        super().__init__(
            {
                "load_en": In(1),
                "load": In(load),
                "run": In(1),
                "run_next": In(1),
                "more": In(1),
                "token": In(stream.Signature(token_layout(sizes.col_depth, sizes.acts))),
                "drain": In(drain_layout(sizes.banks)),
                "drained": In(1),
                "finished": Out(1),
                "finished_two": Out(1),
                "psum": Out(lane_psums(sizes.banks, sizes.numbers.psum_width)),
                "cause": Out(status_code(CSCConfig.CAUSES, "pe", "idle").shape()),
                "events": Out(events),
            }
            | ({"stays": In(1), "rows": In(range(sizes.banks.depth + 1))} if sizes.carries else {})
            | ({"half": In(1)} if sizes.halves == 2 else {})
        )

    def elaborate(self, platform):
        m = Module()
        sizes, numbers = self.sizes, self.sizes.numbers
        columns = m.submodules.columns = ColumnQueue(
            fifo_depth=sizes.fifo_depth,
            col_depth=sizes.col_depth,
            pointer_width=sizes.pointer_width,
            acts=sizes.acts,
            halves=sizes.halves,
        )
        decoder = m.submodules.decoder = Decoder(sizes)
        accumulator = m.submodules.accumulator = Accumulator(
            sizes.banks, product_width=numbers.product_width, psum_width=numbers.psum_width
        )

        wiring.connect(m, wiring.flipped(self.token), columns.token)
        wiring.connect(m, columns.column, decoder.column)
        self._load(m, columns, decoder)
        m.d.comb += [
            decoder.waiting.eq(columns.waiting),
            decoder.run.eq(self.run),
            decoder.run_next.eq(self.run_next),
            decoder.more.eq(self.more),
            decoder.drained.eq(self.drained),
            self.cause.eq(decoder.cause),
        ]

        if sizes.carries:
            m.d.comb += [decoder.stays.eq(self.stays), decoder.rows.eq(self.rows)]
        entry, factors = decoder.entry, decoder.factors
        for lane in range(sizes.banks.lanes):
            m.d.sync += accumulator.product[lane].eq(
                product(factors.act[lane], factors.code, numbers)
            )
        m.d.comb += [
            accumulator.add.eq(entry.valid),
            accumulator.bank.eq(entry.p.bank),
            accumulator.row.eq(entry.p.row),
            accumulator.drain.eq(self.drain),
            self.psum.eq(accumulator.psum),
        ]

        # Groups added up and not drained. One counts from the cycle after its last write.
        finished = m.submodules.finished = GroupCount(sizes.banks.count)
        finishes = delayed(
            m, decoder.finishes, 2, enable=Const(1), name="finishes", reset_less=False
        )
        m.d.comb += [
            finished.enters.eq(finishes),
            finished.drained.eq(self.drained),
            self.finished.eq(finished.one),
            self.finished_two.eq(finished.two),
        ]
        self._events(m, columns, decoder, accumulator)
        return m

    def _load(self, m: Module, columns: ColumnQueue, decoder: Decoder) -> None:
        """Bring a beat of weights to the memory that its kind names."""
        load = self.load
        m.d.comb += [
            columns.write_en.eq(self.load_en & (load.kind == 0)),
            columns.write_addr.eq(load.addr),
            columns.write_data.eq(load.data),
            decoder.write_en.eq(self.load_en & (load.kind == 1)),
            decoder.write_addr.eq(load.addr),
            decoder.write_data.as_value().eq(load.data),
        ]
        if self.sizes.halves == 2:
            low = load.addr[: index_width(self.sizes.entry_depth)]
            m.d.comb += [
                columns.write_half.eq(load.half),
                columns.half.eq(self.half),
                decoder.write_addr.eq(Cat(low, load.half)),
                decoder.half.eq(self.half),
            ]
        if self.sizes.has_codebook:
            m.d.comb += [
                decoder.table_en.eq(self.load_en & (load.kind == 2)),
                decoder.table_addr.eq(load.addr),
                decoder.table_data.eq(load.data),
            ]

    def _events(
        self, m: Module, columns: ColumnQueue, decoder: Decoder, accumulator: Accumulator
    ) -> None:
        """Strobe the events: the enables of the memories, and of the multipliers."""
        strobes = {
            "queue_writes": self.token.valid & self.token.ready,
            "queue_reads": columns.pops,
            "pointer_writes": columns.write_en,
            "pointer_reads": columns.pops,
            "entry_writes": decoder.write_en,
            "entry_reads": decoder.fetches,
            "macs": decoder.entry.valid,
            "psum_reads": accumulator.reads,
            "psum_writes": accumulator.writes,
        }
        if self.sizes.has_codebook:
            strobes |= {
                "codebook_writes": decoder.table_en,
                "codebook_reads": decoder.looks_up,
            }
        m.d.comb += [self.events[name].eq(strobe) for name, strobe in strobes.items()]
