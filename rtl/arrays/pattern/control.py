"""Control of the pattern array."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, PatternConfig
from hwsim.formats.pattern import TAPS, WINDOW
from hwsim.rtl.arrays.pattern.layout import (
    array_members,
    cause,
    command_layout,
    taps_layout,
)
from hwsim.rtl.arrays.systolic.fold_walk import FoldWalk
from hwsim.rtl.arrays.systolic.layout import load_layout, tag_layout, weight_lanes

__all__ = ["PatternControl"]


class PatternControl(wiring.Component):
    """Keep the library; walk through the folds of a command twice, to load and to feed windows.

    Loading, swapping and feeding are those of
    :class:`~hwsim.rtl.arrays.systolic.fold_walk.FoldWalk`. An id becomes the four taps of its
    pattern where a row of weights enters the array: the PEs hold taps, so that the library is read
    once per column and not once per PE.

    Members
    -------
    command, weight : ``In``
        The array's streams.
    window : ``In(1)``, ``ready`` : ``Out(1)``
        Handshake of the window unit's windows.
    starved : ``In(1)``
        The window unit waits for a pixel.
    start : ``Out(1)``
        The window unit takes the command on offer.
    enable : ``In(1)``
        Nothing but the command's transfer happens while this is 0.
    draining : ``In(1)``
        Windows are on their way behind the mesh.
    swap, load, weight_row, tag : ``Out``
        To the mesh and to the accumulator, in the cycle of the transfers they belong to.
    library : ``Out(1)``
        An entry of the library is written.
    cause : ``Out``
        Code of the current cycle.
    """

    command: stream.Interface
    weight: stream.Interface
    window: Signal
    ready: Signal
    starved: Signal
    start: Signal
    enable: Signal
    draining: Signal
    swap: Signal
    load: data.View
    weight_row: data.View
    tag: data.View
    library: Signal
    cause: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        members = array_members(arch)
        code = members["status"].shape["array"].shape.elem_shape
        super().__init__(
            {
                "command": members["command"],
                "weight": members["weight"],
                "window": In(1),
                "ready": Out(1),
                "starved": In(1),
                "start": Out(1),
                "enable": In(1),
                "draining": In(1),
                "swap": Out(1),
                "load": Out(load_layout(arch.array_as(PatternConfig).rows)),
                "weight_row": Out(weight_lanes(arch)),
                "tag": Out(tag_layout()),
                "library": Out(1),
                "cause": Out(code),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array = self.arch.array_as(PatternConfig)

        layout = command_layout(self.arch)
        job = data.View(layout, Signal(layout.size, name="job", reset_less=True))
        bounds = ("k_folds", "m_folds")
        walk = FoldWalk(m, self, job, bounds, rows=array.rows, reuse=array.reuse)
        walk.feed(m, ready=self.ready, valid=self.window, pixels=job.pixels)
        walk.load(m)

        taken, runs = self.command.ready & self.command.valid, self.command.p.run
        m.d.comb += self.command.ready.eq(~walk.busy)
        m.d.comb += self.start.eq(taken & runs)
        walk.step(m, start=self.start, command=self.command.payload)

        m.d.comb += self.library.eq(taken & ~runs)
        self._look_up(m, self.library, walk.inject)

        with m.If(~self.enable):
            m.d.comb += self.cause.eq(cause("ofmap"))
        with m.Elif(walk.busy & walk.waiting):
            m.d.comb += self.cause.eq(Mux(walk.starved, cause("weight"), cause("preload")))
        with m.Elif(walk.busy):
            lack = Mux(self.starved, cause("act"), cause("window"))
            m.d.comb += self.cause.eq(Mux(self.window, cause("compute"), lack))
        with m.Elif(self.library):
            m.d.comb += self.cause.eq(cause("library"))
        with m.Else():
            m.d.comb += self.cause.eq(Mux(self.draining, cause("drain"), cause("idle")))

        return m

    def _look_up(self, m: Module, write: Value, inject: Value) -> None:
        """Drive ``weight_row`` from the weight stream: codes, and the taps of their patterns."""
        library = []
        for entry in range(self.arch.array_as(PatternConfig).patterns):
            taps = Signal(taps_layout(), name=f"library_{entry}", reset_less=True)
            with m.If(write & (self.command.p.entry == entry)):
                m.d.sync += taps.eq(self.command.p.taps)
            library.append(taps)
        for c, lane in enumerate(self.weight_row):
            for slot in range(TAPS):
                m.d.comb += lane.tap[slot].eq(WINDOW)
            with m.If(~inject):
                m.d.comb += lane.code.eq(self.weight.p.weight[c])
                with m.Switch(self.weight.p.pattern[c]):
                    for entry, taps in enumerate(library):
                        with m.Case(entry):
                            m.d.comb += lane.tap.eq(taps)
