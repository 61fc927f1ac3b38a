"""Control of the weight-stationary array."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.systolic.cell import streamed_cell_of
from hwsim.rtl.arrays.systolic.fold_walk import FoldWalk
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

__all__ = ["WSControl"]


class WSControl(wiring.Component):
    """Walk through the folds of a command twice: load weights and, a fold behind, feed pixels.

    Loading, swapping and feeding are those of
    :class:`~hwsim.rtl.arrays.systolic.fold_walk.FoldWalk`.

    * Throughput: one row of weights and one beat of activations per cycle; a fold takes at least
      ``rows`` cycles, for its successor is loaded meanwhile.
    * Latency: none from a transfer to ``act_row``, ``load`` and ``tag``; the first activation is
      taken ``rows`` + 2 cycles after the command.
    * Stalls: by cause; the outputs hold while ``enable`` is 0.

    Members
    -------
    command, weight, act : ``In``
        The array's streams.
    enable : ``In(1)``
        Nothing but the command's transfer happens while this is 0.
    draining : ``In(1)``
        Pixels are on their way behind the mesh.
    act_row, swap, load, weight_row, tag : ``Out``
        To the mesh and to the accumulator, in the cycle of the transfers they belong to. Binary
        activations beyond K are zeros in ``act_row``.
    cause : ``Out``
        Code of the current cycle.
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
        job = data.View(layout, Signal(layout.size, name="job", reset_less=True))
        bounds = ("k_folds", "m_folds", "n_tiles")
        walk = FoldWalk(m, self, job, bounds, rows=array.rows, reuse=array.reuse)
        walk.feed(
            m,
            ready=self.act.ready,
            valid=self.act.valid,
            pixels=Mux(walk.loaded.edge, job.n_edge, depth),
        )

        def live(lane: int, position: int):
            within = (lane + 1 < job.k_edge) | (
                (lane + 1 == job.k_edge) & (position < getattr(job, "block_edge", cell.block))
            )
            return ~walk.fold.last | within

        cell.acts(m, self.act_row, self.act.p, live)

        walk.load(m)
        with m.If(~walk.inject):
            cell.weights(m, self.weight_row, self.weight.p)

        m.d.comb += self.command.ready.eq(~walk.busy)
        taken = self.command.ready & self.command.valid
        walk.step(m, start=taken, command=self.command.payload)

        with m.If(~self.enable):
            m.d.comb += self.cause.eq(cause("ofmap"))
        with m.Elif(walk.busy & walk.waiting):
            m.d.comb += self.cause.eq(Mux(walk.starved, cause("weight"), cause("preload")))
        with m.Elif(walk.busy):
            m.d.comb += self.cause.eq(Mux(self.act.valid, cause("compute"), cause("act")))
        with m.Else():
            m.d.comb += self.cause.eq(Mux(self.draining, cause("drain"), cause("idle")))

        return m
