"""Walk of a weight-stationary control through the folds of a command: loading and feeding."""

from typing import Protocol

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream

from hwsim.rtl.blocks.fold_counter import FoldCounter

__all__ = ["FoldWalk", "WalkPorts"]


class WalkPorts(Protocol):
    """What a control has for its walk; the members are described in the controls."""

    weight: stream.Interface
    enable: Signal
    swap: Signal
    load: data.View
    tag: data.View


class FoldWalk:
    """Logic of a control: load the weights of each fold and, a fold behind, feed its pixels.

    Loading takes ``rows`` cycles per fold: rows beyond ``k_edge`` in a last K fold are zeros
    injected without a word from the stream. The first load of a fold comes at the earliest with
    the swap of the fold before; a swap, at the earliest with that fold's last pixel and one cycle
    after the last load.

    The three methods add their part to the control's module, in this order: :meth:`feed`,
    :meth:`load`, :meth:`step`.

    Parameters
    ----------
    m
        Module of the control.
    ports
        The control; ``swap``, ``load``, ``tag`` and ``weight.ready`` are driven.
    job
        Register of the command, which has ``k_edge``.
    bounds
        Lengths of the loops of folds, K innermost.
    rows : int
        Rows of the mesh.

    Attributes
    ----------
    fold
        Counter of the fold that is fed.
    busy, waiting : Signal
        A command is under way; the fold to be fed waits for its swap.
    fed, fold_end : Signal
        A pixel is fed; it is the fold's last.
    inject : Signal
        The row to be loaded holds no weights.
    """

    def __init__(
        self, m: Module, ports: WalkPorts, job: data.View, bounds: list[Value], rows: int
    ) -> None:
        self.ports, self.job, self.rows = ports, job, rows
        self.busy = Signal()
        self.waiting = Signal()
        self.loading = Signal()
        self.full = Signal()
        self.fed = Signal()
        self.fold_end = Signal()
        self.load_row = Signal(range(rows), init=rows - 1)
        self.room = Signal()
        self.inject = Signal()
        self.fold_loaded = Signal()
        width = len(bounds[0])
        m.submodules.fold = self.fold = FoldCounter(len(bounds), width)
        m.submodules.load_fold = self.load_fold = FoldCounter(len(bounds), width)
        for counter in (self.fold, self.load_fold):
            m.d.comb += Cat(counter.bounds).eq(Cat(*bounds))

    def feed(self, m: Module, *, ready: Value, valid: Value, pixel: Signal, pixels: Value) -> None:
        """Take a pixel per cycle; swap and step to the next fold with the last one.

        Parameters
        ----------
        ready, valid
            Handshake of the pixels; ``ready`` is driven.
        pixel
            Register: pixels of the fold that have been fed.
        pixels
            Pixels of the fold.
        """
        ports, fold = self.ports, self.fold
        self.pixel = pixel
        m.d.comb += ready.eq(ports.enable & self.busy & ~self.waiting)
        m.d.comb += self.fed.eq(ready & valid)
        m.d.comb += self.fold_end.eq(self.fed & (pixel + 1 == pixels))
        m.d.comb += ports.swap.eq(ports.enable & self.full & (self.waiting | self.fold_end))
        m.d.comb += fold.step.eq(self.fold_end)
        m.d.comb += ports.tag.valid.eq(self.fed)
        m.d.comb += ports.tag.first.eq(fold.first[0])
        m.d.comb += ports.tag.last.eq(fold.last[0])
        m.d.comb += ports.tag.end.eq(self.fold_end)

    def load(self, m: Module) -> None:
        """Load a row of weights per cycle, the bottom one first."""
        ports, load_fold, inject = self.ports, self.load_fold, self.inject
        m.d.comb += self.room.eq(self.loading & (~self.full | ports.swap))
        m.d.comb += inject.eq(load_fold.last[0] & (self.load_row >= self.job.k_edge))
        m.d.comb += ports.weight.ready.eq(ports.enable & self.room & ~inject)
        m.d.comb += ports.load.valid.eq(ports.enable & self.room & (inject | ports.weight.valid))
        m.d.comb += ports.load.row.eq(self.load_row)
        m.d.comb += self.fold_loaded.eq(ports.load.valid & (self.load_row == 0))
        m.d.comb += load_fold.step.eq(self.fold_loaded)

    def step(self, m: Module, *, start: Value, command: data.View) -> None:
        """Add the registers; a command is taken in the cycle in which ``start`` is 1."""
        ports = self.ports
        with m.If(start):
            m.d.sync += [self.job.eq(command), self.busy.eq(1), self.loading.eq(1)]
            m.d.sync += self.waiting.eq(1)
        with m.If(self.fed):
            m.d.sync += self.pixel.eq(self.pixel + 1)
        with m.If(self.fold_end):
            m.d.sync += [self.pixel.eq(0), self.waiting.eq(1), self.busy.eq(~self.fold.done)]
        with m.If(ports.swap):
            m.d.sync += [self.waiting.eq(0), self.full.eq(0)]
        with m.If(ports.load.valid):
            m.d.sync += self.load_row.eq(self.load_row - 1)
        with m.If(self.fold_loaded):
            m.d.sync += [self.load_row.eq(self.rows - 1), self.full.eq(1)]
            m.d.sync += self.loading.eq(~self.load_fold.done)

    @property
    def starved(self) -> Value:
        """The row to be loaded needs a word, and none is offered."""
        return self.room & ~self.inject & ~self.ports.weight.valid
