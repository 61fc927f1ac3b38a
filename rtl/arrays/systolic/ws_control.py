"""Control of the weight-stationary array."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.systolic.cell import streamed_cell_of
from hwsim.rtl.arrays.systolic.layout import (
    acc_depth,
    act_lanes,
    array_members,
    cause,
    command_layout,
    load_layout,
    tag_layout,
    weight_lanes,
)
from hwsim.rtl.blocks.fold_counter import FoldCounter

__all__ = ["WSControl"]


class WSControl(wiring.Component):
    """Walk through the folds of a command twice: load weights and, a fold behind, feed pixels.

    Loading takes ``rows`` clocks a fold: rows beyond ``k_edge`` in a last K fold are zeros put in
    without a word from the stream. The first load of a fold comes at the earliest with the swap of
    the fold before; a swap, at the earliest with that fold's last pixel and one clock after the
    last load.

    Members
    -------
    command, weight, act : ``In``
        The array's streams.
    enable : ``In(1)``
        Nothing but the command's transfer happens while this is 0.
    draining : ``In(1)``
        Pixels are on their way behind the mesh.
    act_row, swap, load, weight_row, tag : ``Out``
        To the mesh and to the accumulator, in the clock of the transfers they belong to. Binary
        activations beyond K are zeros in ``act_row``.
    cause : ``Out``
        Code of the current clock.
    """

    command: stream.Interface
    weight: stream.Interface
    act: stream.Interface
    enable: Signal
    draining: Signal
    act_row: data.View
    swap: Signal
    load: data.View
    weight_row: data.View
    tag: data.View
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
                "draining": In(1),
                "act_row": Out(act_lanes(arch)),
                "swap": Out(1),
                "load": Out(load_layout(arch.array_as(SystolicConfig).rows)),
                "weight_row": Out(weight_lanes(arch)),
                "tag": Out(tag_layout()),
                "cause": Out(code),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, depth, cell = (
            self.arch.array_as(SystolicConfig),
            acc_depth(self.arch),
            streamed_cell_of(self.arch),
        )

        layout = command_layout(self.arch)
        job = data.View(layout, Signal(layout.size, reset_less=True))
        busy, waiting = Signal(), Signal()
        loading, full = Signal(), Signal()
        m.submodules.fold = fold = FoldCounter(3, array.COUNT_WIDTH)
        m.submodules.load_fold = load_fold = FoldCounter(3, array.COUNT_WIDTH)
        for counter in (fold, load_fold):
            m.d.comb += Cat(counter.bounds).eq(Cat(job.k_folds, job.m_folds, job.n_tiles))

        # feeding
        pixel = Signal(range(depth))
        feed, fold_end = Signal(), Signal()
        pixels = Mux(fold.last[2], job.n_edge, depth)
        m.d.comb += self.act.ready.eq(self.enable & busy & ~waiting)
        m.d.comb += feed.eq(self.act.ready & self.act.valid)
        m.d.comb += fold_end.eq(feed & (pixel + 1 == pixels))
        m.d.comb += self.swap.eq(self.enable & full & (waiting | fold_end))
        m.d.comb += fold.step.eq(fold_end)
        m.d.comb += self.tag.valid.eq(feed)
        m.d.comb += self.tag.first.eq(fold.first[0])
        m.d.comb += self.tag.last.eq(fold.last[0])
        m.d.comb += self.tag.end.eq(fold_end)

        def live(lane: int, place: int):
            within = (lane + 1 < job.k_edge) | (
                (lane + 1 == job.k_edge) & (place < getattr(job, "block_edge", cell.block))
            )
            return ~fold.last[0] | within

        cell.acts(m, self.act_row, self.act.p, live)

        # loading
        load_row = Signal(range(array.rows), init=array.rows - 1)
        room, inject, fold_loaded = Signal(), Signal(), Signal()
        m.d.comb += room.eq(loading & (~full | self.swap))
        m.d.comb += inject.eq(load_fold.last[0] & (load_row >= job.k_edge))
        m.d.comb += self.weight.ready.eq(self.enable & room & ~inject)
        m.d.comb += self.load.valid.eq(self.enable & room & (inject | self.weight.valid))
        m.d.comb += self.load.row.eq(load_row)
        m.d.comb += fold_loaded.eq(self.load.valid & (load_row == 0))
        m.d.comb += load_fold.step.eq(fold_loaded)
        with m.If(~inject):
            cell.weights(m, self.weight_row, self.weight.p)

        m.d.comb += self.command.ready.eq(~busy)
        with m.If(self.command.ready & self.command.valid):
            m.d.sync += [job.eq(self.command.payload), busy.eq(1), loading.eq(1), waiting.eq(1)]
        with m.If(feed):
            m.d.sync += pixel.eq(pixel + 1)
        with m.If(fold_end):
            m.d.sync += [pixel.eq(0), waiting.eq(1), busy.eq(~fold.done)]
        with m.If(self.swap):
            m.d.sync += [waiting.eq(0), full.eq(0)]
        with m.If(self.load.valid):
            m.d.sync += load_row.eq(load_row - 1)
        with m.If(fold_loaded):
            m.d.sync += [load_row.eq(array.rows - 1), full.eq(1), loading.eq(~load_fold.done)]

        starved = room & ~inject & ~self.weight.valid
        with m.If(~self.enable):
            m.d.comb += self.cause.eq(cause("ofmap"))
        with m.Elif(busy & waiting):
            m.d.comb += self.cause.eq(Mux(starved, cause("weight"), cause("preload")))
        with m.Elif(busy):
            m.d.comb += self.cause.eq(Mux(self.act.valid, cause("compute"), cause("act")))
        with m.Else():
            m.d.comb += self.cause.eq(Mux(self.draining, cause("drain"), cause("idle")))

        return m
