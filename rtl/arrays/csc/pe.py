"""Index-decoding PE."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, CSCConfig
from hwsim.rtl.arrays.csc.columns import ColumnQueue
from hwsim.rtl.arrays.csc.decoder import Decoder
from hwsim.rtl.arrays.csc.layout import load_layout, token_layout
from hwsim.rtl.arrays.decoding.accumulator import Accumulator
from hwsim.rtl.arrays.decoding.drain_layout import drain_layout, lane_psums
from hwsim.rtl.arrays.status import status_code
from hwsim.rtl.blocks.multiplier import product

__all__ = ["PE"]


class PE(wiring.Component):
    """Multiply broadcast activations by the entries of their columns and add up by local row.

    The pipeline, a clock a stage: **queue** of the :class:`ColumnQueue` (a column's pointers are
    fetched), **issue** and **decode** of the :class:`Decoder`, **multiply** (the accumulators are
    fetched) and **add**. The last three never stall. Queue and issue of neighbouring columns
    overlap, so a column of n entries costs max(1, n) clocks while tokens are waiting.

    * Latency: two clocks from a token's transfer into an empty queue to its first issue, four more
      to the sum being stored.
    * Throughput: one entry a clock, on ``lanes`` multipliers.
    * Stalls: ``token.ready`` is low while the queue is full; a group waits for its bank.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family csc.

    Members
    -------
    load_en, load, token
        As of :class:`ColumnQueue` and :class:`Decoder`.
    run, run_next, more, drained, cause
        As of :class:`Decoder`.
    clear : ``In(1)``
        Zero row ``drain.row`` of both accumulator banks.
    drain : ``In(drain_layout(arch))``
        Fetch and zero of the accumulators.
    finished, finished_two : ``Out(1)``
        At least one, or two, groups are added up and not drained.
    psum : ``Out(lane_psums(arch))``
        Partial sums that the drain looks at.
    """

    load_en: Signal
    load: data.View
    run: Signal
    run_next: Signal
    more: Signal
    token: stream.Interface
    clear: Signal
    drain: data.View
    drained: Signal
    finished: Signal
    finished_two: Signal
    psum: data.View
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
                "token": In(stream.Signature(token_layout(arch))),
                "clear": In(1),
                "drain": In(drain_layout(arch)),
                "drained": In(1),
                "finished": Out(1),
                "finished_two": Out(1),
                "psum": Out(lane_psums(arch)),
                "cause": Out(status_code(CSCConfig.CAUSES, "pe", "idle").shape()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        columns = m.submodules.columns = ColumnQueue(self.arch)
        decoder = m.submodules.decoder = Decoder(self.arch)
        accumulator = m.submodules.accumulator = Accumulator(self.arch)

        wiring.connect(m, wiring.flipped(self.token), columns.token)
        wiring.connect(m, columns.column, decoder.column)
        m.d.comb += [
            columns.load_en.eq(self.load_en),
            columns.load.eq(self.load),
            decoder.load_en.eq(self.load_en),
            decoder.load.eq(self.load),
            decoder.waiting.eq(columns.waiting),
            decoder.run.eq(self.run),
            decoder.run_next.eq(self.run_next),
            decoder.more.eq(self.more),
            decoder.drained.eq(self.drained),
            self.cause.eq(decoder.cause),
        ]

        entry = decoder.entry
        for lane in range(self.array.lanes):
            result = product(entry.p.act[lane], entry.p.code, self.arch.numbers)
            m.d.sync += accumulator.product[lane].eq(result)
        m.d.comb += [
            accumulator.add.eq(entry.valid),
            accumulator.bank.eq(entry.p.bank),
            accumulator.row.eq(entry.p.row),
            accumulator.clear.eq(self.clear),
            accumulator.drain.eq(self.drain),
            self.psum.eq(accumulator.psum),
        ]

        # Groups added up and not drained. One counts from the clock after its last write.
        finishes_q = Signal()
        count = Signal(range(3))
        m.d.sync += [
            finishes_q.eq(decoder.finishes),
            count.eq(count + finishes_q - self.drained),
        ]
        m.d.comb += [self.finished.eq(count != 0), self.finished_two.eq(count == 2)]

        return m
