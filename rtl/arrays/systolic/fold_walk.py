"""Walk of a weight-stationary control through the folds of a command: loading and feeding."""

from typing import Protocol

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream

from hwsim.rtl.blocks.fold_counter import FoldCounter

__all__ = ["FoldWalk", "WalkPorts", "fold_layout"]


def fold_layout() -> data.StructLayout:
    """What a control must know of a fold: first, last along K; in the last tile; last of all."""
    return data.StructLayout({"first": 1, "last": 1, "edge": 1, "done": 1})


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
    after the last load. One counter walks the folds as they are loaded; what it says of a fold
    follows the fold's weights, from ``loaded`` to ``fold`` with the swap.

    A pixel must not return to the accumulator before ``reuse`` cycles, so the swap behind a fold of
    n pixels comes ``reuse - n`` cycles after the last of them at the earliest.

    The three methods add their part to the control's module, in this order: :meth:`feed`,
    :meth:`load`, :meth:`step`.

    Parameters
    ----------
    m
        Module of the control.
    ports
        The control; ``swap``, ``load``, ``tag`` and ``weight.ready`` are driven.
    job
        Register of the command; where it has the flags ``carry`` and ``keep``, the first K fold
        adds to the sums in the accumulator, and the last one leaves its sums there.
    bounds
        Fields of the command: lengths of the loops of folds, K innermost; of three, the last is
        that of tiles.
    rows : int
        Rows of the mesh.
    reuse : int
        Cycles, 2 or 3, from a pixel to the same one of the next fold at the least.

    Attributes
    ----------
    loaded, fold : View
        :func:`fold_layout` of the fold whose weights wait for the swap, and of the one that is fed.
    busy, waiting : Signal
        A command is under way; no pixel can be fed, for the fold waits for its swap.
    fed, fold_end : Signal
        A pixel is fed; it is the fold's last.
    inject : Signal
        The row to be loaded holds no weights.
    """

    def __init__(
        self,
        m: Module,
        ports: WalkPorts,
        job: data.View,
        bounds: tuple[str, ...],
        *,
        rows: int,
        reuse: int,
    ) -> None:
        self.ports, self.job, self.rows, self.reuse = ports, job, rows, reuse
        self.bounds = bounds
        self.busy = Signal()
        self.waiting = Signal(init=1)
        self.loading = Signal()
        self.full = Signal()
        self.fed = Signal()
        self.fold_end = Signal()
        self.load_row = Signal(range(rows), init=rows - 1)
        self.last_row = Signal(init=rows == 1)
        self.beyond = Signal(reset_less=True)
        self.room = Signal()
        self.inject = Signal()
        self.fold_loaded = Signal()
        layout = fold_layout()
        self.loaded, self.fold = (
            data.View(layout, Signal(layout.size, name=name, reset_less=True))
            for name in ("loaded", "fold")
        )
        m.submodules.load_fold = self.load_fold = FoldCounter(len(bounds), len(job[bounds[0]]))

    def feed(self, m: Module, *, ready: Value, valid: Value, pixels: Value) -> None:
        """Take a pixel per cycle; swap and step to the next fold with the last one.

        Parameters
        ----------
        ready, valid
            Handshake of the pixels; ``ready`` is driven.
        pixels
            Pixels of the fold that is ``loaded``.
        """
        ports, fold = self.ports, self.fold
        left = Signal.like(pixels, name="pixels_left", reset_less=True)
        final = Signal(name="pixel_is_last", reset_less=True)
        # at least k + 1 pixels of the fold have been fed; only one, and the cycle after it
        some = Signal(self.reuse - 1, name="pixels_some", reset_less=True)
        settling = Signal()
        m.d.comb += ready.eq(ports.enable & ~self.waiting)
        m.d.comb += self.fed.eq(ready & valid)
        m.d.comb += self.fold_end.eq(self.fed & final)
        at_once, later = self.fold_end & some[-1], self.waiting & ~settling
        m.d.comb += ports.swap.eq(ports.enable & self.full & (later | at_once))
        m.d.comb += ports.tag.valid.eq(self.fed)
        first, last = fold.first, fold.last
        if "carry" in dict(self.job.shape()):
            first, last = first & ~self.job.carry, last & ~self.job.keep
        m.d.comb += [ports.tag.first.eq(first), ports.tag.last.eq(last)]
        m.d.comb += ports.tag.end.eq(self.fold_end)
        with m.If(self.fed):
            m.d.sync += [left.eq(left - 1), final.eq(left == 2), some.eq(Cat(1, some))]
        with m.If(ports.swap):
            m.d.sync += [left.eq(pixels), final.eq(pixels == 1), some.eq(0)]
            m.d.sync += fold.eq(self.loaded)
        if self.reuse == 3:
            with m.If(ports.enable):
                m.d.sync += settling.eq(self.fold_end & ~some[0])

    def load(self, m: Module) -> None:
        """Load a row of weights per cycle, the bottom one first."""
        ports, load_fold, inject = self.ports, self.load_fold, self.inject
        m.d.comb += self.room.eq(self.loading & (~self.full | ports.swap))
        m.d.comb += inject.eq(load_fold.last[0] & self.beyond)
        m.d.comb += ports.weight.ready.eq(ports.enable & self.room & ~inject)
        m.d.comb += ports.load.valid.eq(ports.enable & self.room & (inject | ports.weight.valid))
        m.d.comb += ports.load.row.eq(self.load_row)
        m.d.comb += self.fold_loaded.eq(ports.load.valid & self.last_row)
        m.d.comb += load_fold.step.eq(self.fold_loaded)

    def step(self, m: Module, *, start: Value, command: data.View) -> None:
        """Add the registers; a command is taken in the cycle in which ``start`` is 1."""
        ports, load_fold, bottom = self.ports, self.load_fold, self.rows - 1
        m.d.comb += load_fold.start.eq(start)
        m.d.comb += Cat(load_fold.bounds).eq(Cat(*(command[name] for name in self.bounds)))
        with m.If(start):
            m.d.sync += [self.job.eq(command), self.busy.eq(1), self.loading.eq(1)]
            m.d.sync += self.beyond.eq(command.k_edge <= bottom)
        with m.If(self.fold_end):
            m.d.sync += [self.waiting.eq(1), self.busy.eq(~self.fold.done)]
        with m.If(ports.swap):
            m.d.sync += [self.waiting.eq(0), self.full.eq(0)]
        with m.If(ports.load.valid):
            m.d.sync += [self.load_row.eq(self.load_row - 1), self.last_row.eq(self.load_row == 1)]
            m.d.sync += self.beyond.eq(self.load_row > self.job.k_edge)
        with m.If(self.fold_loaded):
            m.d.sync += [self.load_row.eq(bottom), self.last_row.eq(self.rows == 1)]
            m.d.sync += self.beyond.eq(self.job.k_edge <= bottom)
            m.d.sync += [self.full.eq(1), self.loading.eq(~load_fold.done)]
            m.d.sync += self.loaded.first.eq(load_fold.first[0])
            m.d.sync += self.loaded.last.eq(load_fold.last[0])
            m.d.sync += self.loaded.edge.eq(load_fold.last[-1])
            m.d.sync += self.loaded.done.eq(load_fold.done)

    @property
    def starved(self) -> Value:
        """The row to be loaded needs a word, and none is offered."""
        return self.room & ~self.inject & ~self.ports.weight.valid
