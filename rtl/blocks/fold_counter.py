"""Nested loop counter."""

from amaranth import Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FoldCounter"]


class FoldCounter(wiring.Component):
    """Walk through a nest of loops, the innermost (level 0) first.

    Each level counts down from its bound, and has a register that says whether its iteration is the
    last: what depends on ``first``, ``last`` and ``done`` waits for no comparison.

    * Throughput: one step per cycle.
    * Latency: one cycle from ``start`` to the first fold, one from ``step`` to the next.

    Parameters
    ----------
    levels : int
        Loops.
    width : int
        Bits of a loop's length.

    Members
    -------
    bounds : ``In(ArrayLayout(width, levels))``
        Lengths of the loops, at least 1; taken with ``start``.
    start, step : ``In(1)``
        Go to the first, to the next fold.
    first, last : ``Out(levels)``
        Bit i: loop i is in its first, its last iteration.
    done : ``Out(1)``
        This is the last fold of the nest.

    Raises
    ------
    ValueError
        No loop, or one without a length.
    """

    bounds: data.View
    start: Signal
    step: Signal
    first: Signal
    last: Signal
    done: Signal

    def __init__(self, levels: int, width: int) -> None:
        if levels < 1:
            raise ValueError(f"levels must be at least 1, not {levels}")
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        self.levels = levels
        super().__init__(
            {
                "bounds": In(data.ArrayLayout(width, levels)),
                "start": In(1),
                "step": In(1),
                "first": Out(levels),
                "last": Out(levels),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        carry: Value = self.step
        for level in range(self.levels):
            length = Value.cast(self.bounds[level])
            bound = Signal.like(length, name=f"bound_{level}", reset_less=True)
            left = Signal.like(length, name=f"left_{level}", reset_less=True)
            only = Signal(name=f"only_{level}", reset_less=True)
            first = Signal(name=f"first_{level}", reset_less=True)
            last = Signal(name=f"last_{level}", reset_less=True)
            m.d.comb += [self.first[level].eq(first), self.last[level].eq(last)]
            with m.If(self.start):
                m.d.sync += [bound.eq(length), left.eq(length), first.eq(1)]
                m.d.sync += [only.eq(length == 1), last.eq(length == 1)]
            with m.Elif(carry):
                m.d.sync += first.eq(last)
                with m.If(last):
                    m.d.sync += [left.eq(bound), last.eq(only)]
                with m.Else():
                    m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
            carry = carry & last
        m.d.comb += self.done.eq(self.last.all())

        return m
