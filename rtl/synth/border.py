"""A design with registers at its border, as place and route sees it."""

from amaranth import Module, Signal, Value
from amaranth.lib import wiring

__all__ = ["Border"]


class Border(wiring.Component):
    """A design with a register at every bit of its ports: for timing alone, no stream works here.

    A design has more ports than an FPGA has pins, so it is placed without pins, and paths from and
    to ports count for nothing. With registers there they are timed as they are beside other blocks:
    ``ready`` of the last stream reaches every enable of the array. The reset has none: it lasts for
    many cycles.

    * Latency: one cycle at the inputs, one at the outputs.

    Parameters
    ----------
    design : wiring.Component
        Placed as the submodule ``design``.

    Members
    -------
    ... :
        Those of ``design``.
    """

    def __init__(self, design: wiring.Component) -> None:
        self.design = design
        super().__init__(design.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.design = self.design
        inside = self.design.signature.flatten(self.design)
        outside = self.signature.flatten(self)
        for (path, member, inner), (_, _, outer) in zip(inside, outside, strict=True):
            source, sink = Value.cast(inner), Value.cast(outer)
            if member.flow is wiring.In:
                source, sink = sink, source
            name = "_".join(map(str, path))
            register = Signal(len(source), name=f"border_{name}", reset_less=True)
            m.d.sync += register.eq(source)
            m.d.comb += sink.eq(register)
        return m
