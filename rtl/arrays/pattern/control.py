"""Control of the pattern array."""

from amaranth import Cat, Module, Mux, Signal, Value
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
from hwsim.rtl.arrays.systolic.layout import load_layout, tag_layout, weight_lanes
from hwsim.rtl.blocks.fold_counter import FoldCounter

__all__ = ["PatternControl"]


class PatternControl(wiring.Component):
    """Keep the library; walk through the folds of a command twice, to load and to feed windows.

    Loading and swapping are those of the dense array
    (:class:`~hwsim.rtl.arrays.systolic.ws_control`). An id becomes the four taps of its pattern
    where a row of weights enters the array: the PEs hold taps, so that the library is read once a
    column and not once a PE.

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
        To the mesh and to the accumulator, in the clock of the transfers they belong to.
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
        job = data.View(layout, Signal(layout.size, reset_less=True))
        busy, waiting = Signal(), Signal()
        loading, full = Signal(), Signal()
        m.submodules.fold = fold = FoldCounter(2, array.COUNT_WIDTH)
        m.submodules.load_fold = load_fold = FoldCounter(2, array.COUNT_WIDTH)
        for counter in (fold, load_fold):
            m.d.comb += Cat(counter.bounds).eq(Cat(job.k_folds, job.m_folds))

        # feeding
        pixel = Signal.like(job.pixels, name="pixel")
        feed, fold_end = Signal(), Signal()
        m.d.comb += self.ready.eq(self.enable & busy & ~waiting)
        m.d.comb += feed.eq(self.ready & self.window)
        m.d.comb += fold_end.eq(feed & (pixel + 1 == job.pixels))
        m.d.comb += self.swap.eq(self.enable & full & (waiting | fold_end))
        m.d.comb += fold.step.eq(fold_end)
        m.d.comb += self.tag.valid.eq(feed)
        m.d.comb += self.tag.first.eq(fold.first[0])
        m.d.comb += self.tag.last.eq(fold.last[0])
        m.d.comb += self.tag.end.eq(fold_end)

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

        taken, runs = self.command.ready & self.command.valid, self.command.p.run
        m.d.comb += self.command.ready.eq(~busy)
        m.d.comb += self.start.eq(taken & runs)
        with m.If(self.start):
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

        m.d.comb += self.library.eq(taken & ~runs)
        self._look_up(m, self.library, inject)

        starved = room & ~inject & ~self.weight.valid
        with m.If(~self.enable):
            m.d.comb += self.cause.eq(cause("ofmap"))
        with m.Elif(busy & waiting):
            m.d.comb += self.cause.eq(Mux(starved, cause("weight"), cause("preload")))
        with m.Elif(busy):
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
            for place in range(TAPS):
                m.d.comb += lane.tap[place].eq(WINDOW)
            with m.If(~inject):
                m.d.comb += lane.code.eq(self.weight.p.weight[c])
                with m.Switch(self.weight.p.pattern[c]):
                    for entry, taps in enumerate(library):
                        with m.Case(entry):
                            m.d.comb += lane.tap.eq(taps)
