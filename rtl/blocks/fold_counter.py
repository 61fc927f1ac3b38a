"""Nested loop counter."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FoldCounter"]


class FoldCounter(wiring.Component):
    """Walk through a nest of loops, the innermost (level 0) first.

    A level counts down from its bound, which it reads in its first iteration: nothing is loaded at
    the start of a nest, and what says that an iteration is the last is a comparison with 1.

    * Throughput: one step per cycle. After the last fold of the nest it is back at the first.
    * Latency: one cycle from ``step`` to the next fold; the outputs are combinational functions of
      the registers and of ``bounds``.

    Parameters
    ----------
    levels : int
        Loops.
    width : int
        Bits of a loop's length.

    Members
    -------
    bounds : ``In(ArrayLayout(width, levels))``
        Lengths of the loops, at least 1; they hold still while the nest is walked.
    step : ``In(1)``
        Go to the next fold.
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
            bound = Value.cast(self.bounds[level])
            left = Signal.like(bound, name=f"left_{level}", reset_less=True)
            first = Signal(init=1, name=f"first_{level}")
            now = Signal.like(bound, name=f"now_{level}")
            m.d.comb += now.eq(Mux(first, bound, left))
            m.d.comb += self.first[level].eq(first)
            m.d.comb += self.last[level].eq(now == 1)
            with m.If(carry):
                m.d.sync += [left.eq(now - 1), first.eq(self.last[level])]
            carry = carry & self.last[level]
        m.d.comb += self.done.eq(self.last.all())

        return m
