"""Performance counters: what the engines did in each cycle of a run."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.contract.registers import COUNTERS

__all__ = ["Counters"]


class Counters(wiring.Component):
    """Count strobes from one start to the next.

    * Latency: a strobe is in its counter in the cycle after.

    Members
    -------
    clear : ``In(1)``
        All begin from 0.
    strobes : ``In``
        One of each counter, by its name.
    values : ``Out(ArrayLayout(64, len(COUNTERS)))``
    """

    clear: Signal
    strobes: data.View
    values: data.View

    def __init__(self) -> None:
        names = [name for name, _ in COUNTERS]
        super().__init__(
            {
                "clear": In(1),
                "strobes": In(data.StructLayout(dict.fromkeys(names, 1))),
                "values": Out(data.ArrayLayout(64, len(names))),
            }
        )

    def elaborate(self, platform):
        m = Module()

        for index, (name, _) in enumerate(COUNTERS):
            count = Signal(64, name=name)
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.Elif(self.strobes[name]):
                m.d.sync += count.eq(count + 1)
            m.d.comb += self.values[index].eq(count)

        return m
