"""Control of the output-stationary array."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.systolic.cell import streamed_cell_of
from hwsim.rtl.arrays.systolic.layout import (
    act_lanes,
    array_members,
    cause,
    command_layout,
    mac_layout,
)
from hwsim.rtl.blocks.delay import delayed
from hwsim.rtl.blocks.fold_counter import FoldCounter

__all__ = ["OSControl"]


class OSControl(wiring.Component):
    """Walk through the folds of a command; behind it, drain each fold.

    The drain of a fold begins ``rows + mac_latency - 1`` cycles after its last beat and takes
    ``rows`` cycles, so the last beats of two folds are at least ``rows`` cycles apart. Sums that
    stay in the PEs for the next command are not drained, and wait for no drain.

    * Throughput: one beat of both operands per cycle.
    * Latency: none from a transfer to ``act_row`` and ``mac``; the first beat is taken in the cycle
      after the command.
    * Stalls: by cause; the outputs hold while ``enable`` is 0.

    Members
    -------
    command, weight, act : ``In``
        The array's streams.
    enable : ``In(1)``
        Nothing but the command's transfer happens while this is 0.
    act_row, mac, drain : ``Out``
        To the mesh; ``act_row`` and ``mac`` in the cycle of the operands' transfers. Binary
        activations beyond K are zeros in ``act_row``.
    psum_valid : ``Out(1)``
        A row of the fold leaves the mesh.
    cause : ``Out``
        Code of the current cycle.
    """

    command: stream.Interface
    weight: stream.Interface
    act: stream.Interface
    enable: Signal
    act_row: data.View
    mac: data.View
    drain: Signal
    psum_valid: Signal
    cause: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        members = array_members(arch)
        code = members["status"].shape["array"].shape.elem_shape
        super().__init__(
            {
                "command": members["command"],
                "weight": members["weight"],
                "act": members["act"],
                "enable": In(1),
                "act_row": Out(act_lanes(arch)),
                "mac": Out(mac_layout()),
                "drain": Out(1),
                "psum_valid": Out(1),
                "cause": Out(code),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, cell = self.arch.array_as(SystolicConfig), streamed_cell_of(self.arch)
        rows = array.rows

        layout = command_layout(self.arch)
        job = data.View(layout, Signal(layout.size, name="job", reset_less=True))
        busy = Signal()
        m.submodules.fold = fold = FoldCounter(3, array.COUNT_WIDTH)
        start, command = self.command.ready & self.command.valid, self.command.payload
        m.d.comb += fold.start.eq(start)
        m.d.comb += Cat(fold.bounds).eq(Cat(command.k_size, command.m_folds, command.n_folds))

        # feeding
        drain_wait = Signal(range(rows))
        last = Signal()
        blocked = Signal()
        able = Signal()
        feed = Signal()
        fold_end = Signal()
        first, leaves, drains = fold.first[0], last, fold_end
        if array.carries:
            # the sums of the command before stay, and its own
            leaves, drains = Signal(name="leaves"), Signal(name="drains")
            m.d.comb += [leaves.eq(last & ~job.keep), drains.eq(fold_end & ~job.keep)]
            first &= ~job.carry
        opens, closes = cell.spans(self.act)
        m.d.comb += last.eq(fold.last[0] & closes)
        m.d.comb += blocked.eq(leaves & (drain_wait != 0))
        m.d.comb += able.eq(self.enable & busy & ~blocked)
        m.d.comb += self.weight.ready.eq(able & self.act.valid & closes)
        m.d.comb += self.act.ready.eq(able & self.weight.valid)
        m.d.comb += feed.eq(able & self.weight.valid & self.act.valid)
        m.d.comb += fold_end.eq(feed & last)
        m.d.comb += fold.step.eq(feed & closes)
        m.d.comb += self.mac.valid.eq(feed)
        m.d.comb += self.mac.first.eq(first & opens)
        m.d.comb += self.mac.last.eq(drains)

        def live(_, position: int):
            return ~last | (position < getattr(job, "block_edge", cell.block))

        cell.acts(m, self.act_row, self.act.p, live)

        m.d.comb += self.command.ready.eq(~busy)
        with m.If(start):
            m.d.sync += [job.eq(command), busy.eq(1)]
        with m.If(self.enable & (drain_wait != 0)):
            m.d.sync += drain_wait.eq(drain_wait - 1)
        fold_rows = Signal(range(rows + 1), reset_less=True)
        with m.If(fold_end):
            m.d.sync += busy.eq(~fold.done)
        with m.If(drains):
            m.d.sync += drain_wait.eq(rows - 1)
            m.d.sync += fold_rows.eq(Mux(fold.last[1], job.m_edge, rows))

        # as late as the sums
        late = array.mac_latency - 1
        fold_rows = delayed(m, fold_rows, late, enable=self.enable, name="fold_rows")
        draining = self._drain(m, drains, fold_rows)
        with m.If(~self.enable):
            m.d.comb += self.cause.eq(cause("ofmap"))
        with m.Elif(busy & blocked):
            m.d.comb += self.cause.eq(cause("preload"))
        with m.Elif(busy & ~self.weight.valid):
            m.d.comb += self.cause.eq(cause("weight"))
        with m.Elif(busy):
            m.d.comb += self.cause.eq(Mux(self.act.valid, cause("compute"), cause("act")))
        with m.Else():
            m.d.comb += self.cause.eq(Mux(draining, cause("drain"), cause("idle")))

        return m

    def _drain(self, m: Module, fold_end: Signal, fold_rows: Signal):
        """Add the counter of the rows that drain; return whether a fold is on its way out.

        ``fold_rows`` may belong to the next fold from the cycle after ``drain`` on, so the count
        keeps its own copy.
        """
        array, enable = self.arch.array_as(SystolicConfig), self.enable
        rows, cols = array.rows, array.cols

        start, starting = fold_end, 0
        for stage in range(rows + array.mac_latency - 1):
            start = delayed(m, start, 1, enable=enable, name=f"start_{stage}", reset_less=False)
            starting = starting | start
        m.d.comb += self.drain.eq(start)

        drain_left = Signal(range(rows))
        drain_rows = Signal.like(fold_rows, reset_less=True)
        left = Signal(range(rows + 1))
        offered = Signal.like(fold_rows)
        m.d.comb += left.eq(Mux(self.drain, rows, drain_left))
        m.d.comb += offered.eq(Mux(self.drain, fold_rows, drain_rows))
        with m.If(enable):
            m.d.sync += drain_rows.eq(offered)
            m.d.sync += drain_left.eq(Mux(left == 0, 0, left - 1))

        valid = Signal()
        leaving = 0
        m.d.comb += valid.eq((left != 0) & (left <= offered))
        for stage in range(cols):
            valid = delayed(m, valid, 1, enable=enable, name=f"valid_{stage}", reset_less=False)
            leaving = leaving | valid
        m.d.comb += self.psum_valid.eq(valid)

        return starting | (drain_left != 0) | leaving
