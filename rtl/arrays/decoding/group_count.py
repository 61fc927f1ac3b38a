"""Groups that hold an accumulator bank."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["GroupCount"]


class GroupCount(wiring.Component):
    """Count groups from when they enter a stage until they are drained.

    * Latency: one cycle from ``enters`` or ``drained`` to the outputs.
    * Throughput: one group in and one out per cycle.
    * Stalls: never; a group must not enter while ``full`` is high, unless one is drained.

    Parameters
    ----------
    banks : int
        Accumulator banks: groups that may be counted at a time.

    Members
    -------
    enters, drained : ``In(1)``
        A group is counted from the next cycle on; the oldest group is drained in this cycle.
    one, two, full : ``Out(1)``
        At least one, at least two, ``banks`` groups are counted.
    """

    enters: Signal
    drained: Signal
    one: Signal
    two: Signal
    full: Signal

    def __init__(self, banks: int) -> None:
        if banks < 2:
            raise ValueError(f"banks must be at least 2, not {banks}")
        self.banks = banks
        super().__init__(
            {"enters": In(1), "drained": In(1), "one": Out(1), "two": Out(1), "full": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        count = Signal(range(self.banks + 1))
        m.d.sync += count.eq(count + self.enters - self.drained)
        m.d.comb += [
            self.one.eq(count != 0),
            self.two.eq(count >= 2),
            self.full.eq(count == self.banks),
        ]
        return m
