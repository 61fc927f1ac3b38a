"""A design with registers at its border, as place and route sees it."""

from amaranth import ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring

__all__ = ["Border"]


class Border(wiring.Component):
    """A design with a flip-flop of an ECP5 at every bit of its ports: for timing alone.

    A design has more ports than an FPGA has pins, so it is placed without pins, and paths from and
    to ports count for nothing. With registers there they are timed as they are beside other blocks:
    ``ready`` of the last stream reaches every enable of the array. The reset has none: it lasts for
    many cycles. No stream works through the border.

    The registers are cells, not signals: Yosys would merge some of them with registers of the
    design, such as that of a skid buffer at an output, and drop the logic between.

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
            name = "border_" + "_".join(map(str, path))
            register = Signal(len(source), name=name)
            m.d.comb += sink.eq(register)
            for bit in range(len(source)):
                m.submodules[f"{name}_{bit}"] = Instance(
                    "TRELLIS_FF",
                    p_GSR="DISABLED", p_CEMUX="1", p_CLKMUX="CLK", p_LSRMUX="LSR",
                    p_REGSET="RESET", p_SRMODE="LSR_OVER_CE",
                    i_CLK=ClockSignal(), i_LSR=Const(0), i_DI=source[bit], o_Q=register[bit],
                )  # fmt: skip
        return m
