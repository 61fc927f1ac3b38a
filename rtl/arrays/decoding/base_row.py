"""First accumulator row of the group that a PE adds up."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.config.arrays.decoding import Banks
from hwsim.formats.base import index_width

__all__ = ["BaseRow"]


class BaseRow(wiring.Component):
    """Step from group to group, where the sums of many stay: bank after bank, then further down.

    Group g adds up in bank g modulo their number; where sums stay, from row
    ``g // banks * rows`` on, else from row 0 on.

    * Latency: one cycle from ``ends_group`` to ``base``.
    * Throughput: a group per cycle. Never stalls.

    Parameters
    ----------
    banks : :class:`~hwsim.config.arrays.decoding.Banks`
        Number and size of the banks.

    Members
    -------
    run : ``In(1)``
        A layer is running; low selects row 0.
    stays : ``In(1)``
        Sums of all groups have rows of their own.
    rows : ``In(range(banks.depth + 1))``
        Rows of a group.
    ends_group, bank : ``In``
        In this cycle a group ends, whose bank this is.
    base : ``Out``
        First row of the group.
    """

    run: Signal
    stays: Signal
    rows: Signal
    ends_group: Signal
    bank: Signal
    base: Signal

    def __init__(self, banks: Banks) -> None:
        self.banks = banks
        super().__init__(
            {
                "run": In(1),
                "stays": In(1),
                "rows": In(range(banks.depth + 1)),
                "ends_group": In(1),
                "bank": In(index_width(banks.count)),
                "base": Out(index_width(banks.depth)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ends_round = self.ends_group & (self.bank == self.banks.count - 1)
        with m.If(~self.run):
            m.d.sync += self.base.eq(0)
        with m.Elif(ends_round & self.stays):
            m.d.sync += self.base.eq(self.base + self.rows)
        return m
