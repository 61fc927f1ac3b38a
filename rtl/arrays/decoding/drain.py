"""Drain of the index-decoding arrays' accumulators."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config.arrays.decoding import Banks
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.decoding.drain_layout import drain_layout

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Walk a finished accumulator bank, row by row, and leave zeros behind.

    A group is drained once every PE has finished it. A row is fetched once, stays in the memories'
    output registers while its lanes go out, ``drain_lanes`` of one slice of the PEs per beat, and
    is cleared when the last beat is taken; the next row is fetched in that same cycle.

    * Latency: one cycle from ``finished`` to ``valid``.
    * Throughput: one beat per cycle; no bubble between rows, nor between groups when the next one
      is finished in time.
    * Stalls while ``ready`` is low, or no group is finished.

    With ``carries`` the sums of a layer may stay: with ``keep`` a group counts as drained in the
    cycle in which every PE has finished it. Where sums of many groups lie in a bank, ``stays``,
    each has its own rows (:class:`~hwsim.rtl.arrays.decoding.base_row.BaseRow`).

    Parameters
    ----------
    banks : :class:`~hwsim.config.arrays.decoding.Banks`
        Number and size of the banks.
    slices : int
        Slices of the PEs, one after the other for each beat of lanes.
    carries : bool
        Whether sums may stay.

    Members
    -------
    start, groups, rows, beats, tail, edge : ``In``
        Begin a layer of ``groups`` groups of ``rows`` local rows, each of ``beats`` beats but for
        the last group's, which have ``tail``; of a group's last row only ``edge`` slices leave. All
        five hold until it is over, and ``finished`` comes two cycles after ``start`` or later.
    finished, finished_two : ``In(1)``
        Every PE has finished at least one, or two, groups that are not drained.
    keep, stays : ``In(1)``
        With ``carries``: sums are left where they are; each group has its own rows.
    clear, clear_row : ``In``
        Clear this row of all banks; only while no layer runs.
    valid, ready : ``Out(1)``, ``In(1)``
        Handshake of the row and beat that ``drain`` shows.
    drain : ``Out(drain_layout(banks))``
        What every PE's accumulators do.
    slice : ``Out(index_width(slices))``
        Slice of the PEs whose turn it is.
    drained : ``Out(1)``
        Last transfer of the group.
    done : ``Out(1)``
        Last transfer of the layer.
    """

    start: Signal
    groups: Signal
    rows: Signal
    beats: Signal
    tail: Signal
    edge: Signal
    finished: Signal
    finished_two: Signal
    clear: Signal
    clear_row: Signal
    valid: Signal
    ready: Signal
    drain: data.View
    slice: Signal
    drained: Signal
    done: Signal
    keep: Signal
    stays: Signal

    def __init__(self, banks: Banks, slices: int = 1, *, carries: bool = False) -> None:
        if slices < 1:
            raise ValueError(f"slices must be at least 1, not {slices}")
        self.banks, self.slices, self.carries = banks, slices, carries
        super().__init__(
            {
                "start": In(1),
                "groups": In(unsigned(32)),
                "rows": In(range(banks.depth + 1)),
                "beats": In(range(banks.beats + 1)),
                "tail": In(range(banks.beats + 1)),
                "edge": In(range(slices + 1)),
                "finished": In(1),
                "finished_two": In(1),
                "clear": In(1),
                "clear_row": In(range(banks.depth)),
                "valid": Out(1),
                "ready": In(1),
                "drain": Out(drain_layout(banks)),
                "slice": Out(index_width(slices)),
                "drained": Out(1),
                "done": Out(1),
            }
            | ({"keep": In(1), "stays": In(1)} if carries else {})
        )

    def elaborate(self, platform):
        m = Module()
        drain = self.drain

        bank = Signal.like(drain.bank)
        row = Signal.like(drain.row)
        beat = Signal.like(drain.beat)
        groups_left = Signal.like(self.groups)
        valid = Signal()
        # what the transfer that is offered ends; registers, as ``ready`` arrives late
        ends_beat = Signal()
        ends_row = Signal()
        is_last_row = Signal()
        is_last_group = Signal()

        end, first_row = self._rows(m, bank) if self.carries else (self.rows, 0)
        next_slice = Signal.like(self.slice)
        next_beat = Signal.like(beat)
        next_row = Signal.like(row)
        ends_group = Signal()
        m.d.comb += [
            next_slice.eq(self.slice),
            next_beat.eq(beat),
            next_row.eq(row),
            self.valid.eq(valid),
            drain.bank.eq(bank),
            drain.row.eq(Mux(self.clear, self.clear_row, row)),
            drain.clear.eq(self.clear),
            drain.beat.eq(beat),
            # Only the enables depend on ``ready``.
            drain.read_bank.eq(bank + (valid & is_last_row)),
            drain.read_row.eq(Mux(valid & ~is_last_row, row + 1, first_row)),
        ]
        with m.If(valid & self.ready):
            m.d.comb += next_slice.eq(Mux(ends_beat, 0, self.slice + 1))
            with m.If(ends_beat):
                m.d.comb += next_beat.eq(Mux(ends_row, 0, beat + 1))
            with m.If(ends_row):
                m.d.comb += [
                    drain.zero.eq(1),
                    next_row.eq(Mux(is_last_row, first_row, row + 1)),
                    ends_group.eq(is_last_row),
                    drain.read.eq(~is_last_row | self.finished_two),
                ]
        with m.If(ends_group):
            m.d.comb += [self.drained.eq(1), self.done.eq(is_last_group)]
            m.d.sync += [
                bank.eq(bank + 1),
                groups_left.eq(groups_left - 1),
                valid.eq(self.finished_two),
            ]
        with m.If(~valid):
            m.d.comb += drain.read.eq(self.finished)
            m.d.sync += valid.eq(self.finished)
            if self.carries:
                with m.If(self.keep):
                    m.d.comb += [drain.read.eq(0), ends_group.eq(self.finished)]
                    m.d.sync += valid.eq(0)
        with m.If(self.start):
            m.d.sync += [bank.eq(0), groups_left.eq(self.groups)]
            if self.carries:
                m.d.comb += next_row.eq(0)

        is_last_row_next = Signal()
        is_last_group_next = Signal()
        ends_beat_next = Signal()
        beats = Mux(is_last_group_next, self.tail, self.beats)
        m.d.comb += [
            is_last_row_next.eq(next_row + 1 == end),
            is_last_group_next.eq(Mux(ends_group, groups_left == 2, groups_left == 1)),
            ends_beat_next.eq(next_slice + 1 == Mux(is_last_row_next, self.edge, self.slices)),
        ]
        m.d.sync += [
            self.slice.eq(next_slice),
            beat.eq(next_beat),
            row.eq(next_row),
            is_last_row.eq(is_last_row_next),
            is_last_group.eq(is_last_group_next),
            ends_beat.eq(ends_beat_next),
            ends_row.eq(ends_beat_next & (next_beat + 1 == beats)),
        ]
        return m

    def _rows(self, m: Module, bank: Signal) -> tuple[Signal, Signal]:
        """Row behind the last one of the group in the next cycle; first row that is read next."""
        row = self.drain.row
        begin = Signal.like(row, name="begin")
        first_row = Signal.like(row, name="first_row")
        end = Signal.like(self.rows, name="end")
        next_end = Signal.like(self.rows, name="next_end")
        ends_round = self.stays & self.valid & (bank == self.banks.count - 1)
        m.d.comb += [
            first_row.eq(Mux(ends_round, end, begin)),
            next_end.eq(Mux(self.drained & ends_round, end + self.rows, end)),
        ]
        m.d.sync += end.eq(next_end)
        with m.If(self.drained):
            m.d.sync += begin.eq(first_row)
        with m.If(self.start):
            m.d.sync += [begin.eq(0), end.eq(self.rows)]
        return next_end, first_row
