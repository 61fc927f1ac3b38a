"""Address walker over nested loops."""

from amaranth import Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.blocks.fold_counter import FoldCounter

__all__ = ["Nest"]


class Nest(wiring.Component):
    """Give the address of each position of a nest of loops, the innermost loop (level 0) first.

    With ``step`` the innermost loop that is not in its last iteration steps, and the loops within
    it begin again. Its entry in ``steps`` is added to the address, modulo ``2**address_width``: one
    adder serves all loops, because whoever computes the steps subtracts from each the way that the
    loops within have gone.

    * Throughput: one position per cycle.
    * Latency: one cycle from ``start`` to the first address, one from ``step`` to the next.

    Parameters
    ----------
    levels : int
        Loops.
    bound_width : int
        Bits of a loop's length.
    address_width : int
        Bits of an address.

    Members
    -------
    base : ``In(address_width)``
        Address of the first position.
    bounds : ``In(ArrayLayout(bound_width, levels))``
        Lengths of the loops, at least 1.
    steps : ``In(ArrayLayout(address_width, levels))``
        What each loop adds to the address. ``base``, ``bounds`` and ``steps`` are taken with
        ``start``.
    start, step : ``In(1)``
        Go to the first, to the next position.
    address : ``Out(address_width)``
    first, last : ``Out(levels)``
        Bit i: loop i is in its first, its last iteration.
    done : ``Out(1)``
        This is the last position of the nest.

    Raises
    ------
    ValueError
        No loop, one without a length, or addresses without a bit.
    """

    base: Signal
    bounds: data.View
    steps: data.View
    start: Signal
    step: Signal
    address: Signal
    first: Signal
    last: Signal
    done: Signal

    def __init__(self, levels: int, bound_width: int = 16, address_width: int = 16) -> None:
        sizes = {"levels": levels, "bound_width": bound_width, "address_width": address_width}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        self.levels, self.bound_width = levels, bound_width
        super().__init__(
            {
                "base": In(address_width),
                "bounds": In(data.ArrayLayout(bound_width, levels)),
                "steps": In(data.ArrayLayout(address_width, levels)),
                "start": In(1),
                "step": In(1),
                "address": Out(address_width),
                "first": Out(levels),
                "last": Out(levels),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        m.submodules.counter = counter = FoldCounter(self.levels, self.bound_width)
        m.d.comb += [counter.bounds.eq(self.bounds), counter.start.eq(self.start)]
        m.d.comb += counter.step.eq(self.step)
        m.d.comb += [self.first.eq(counter.first), self.last.eq(counter.last)]
        m.d.comb += self.done.eq(counter.done)

        address = Signal.like(self.address, name="address_q", reset_less=True)
        chosen = Signal.like(address, name="chosen")
        m.d.comb += self.address.eq(address)
        for level in reversed(range(self.levels)):
            given = Value.cast(self.steps[level])
            step = Signal.like(given, name=f"step_{level}", reset_less=True)
            with m.If(self.start):
                m.d.sync += step.eq(given)
            # a later statement wins: the innermost loop that is not at its end
            with m.If(~counter.last[level]):
                m.d.comb += chosen.eq(step)
        with m.If(self.start):
            m.d.sync += address.eq(self.base)
        with m.Elif(self.step):
            m.d.sync += address.eq(address + chosen)

        return m
