"""Output-stationary grid of PEs between its skew and its deskew."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.systolic.cell import Cell
from hwsim.rtl.arrays.systolic.layout import mac_layout, psum_lanes
from hwsim.rtl.arrays.systolic.os_pe import OSPE
from hwsim.rtl.blocks.delay import delayed

__all__ = ["OSMesh"]


class OSMesh(wiring.Component):
    """``rows x cols`` PEs; rows take weights, columns activations.

    Row r works r cycles behind row 0, column c works c cycles behind column 0. Partial sums leave
    at the bottom, a row of the fold per cycle, the bottom row first. Outside the mesh a beat is one
    cycle.

    * Throughput: one beat of weights and activations per cycle; a fold's drain takes ``rows``
      cycles.
    * Latency: ``rows + mac_latency - 1`` cycles from the last beat of a fold to ``drain``, ``cols``
      more to the first row in ``psum``.
    * Stalls while ``enable`` is 0.

    Parameters
    ----------
    rows, cols : int
        Size of the grid.
    cell : :class:`~hwsim.rtl.arrays.systolic.cell.Cell`
        What a PE holds and sees.
    psum_width : int
        Bits of a partial sum.
    mac_latency : int
        Of a PE.

    Members
    -------
    mac : ``In(mac_layout())``
        ``weight`` and ``act`` are a pair to multiply: the first, the last of their fold.
    weight : ``In(ArrayLayout(cell.weight, rows))``
        Weights of one PE per row.
    act : ``In(ArrayLayout(cell.act, cols))``
        Activations of one PE per column.
    drain : ``In(1)``
        Begin to drain a fold, ``rows + mac_latency - 1`` cycles after its last beat.
    psum : ``Out(psum_lanes(cols, psum_width))``
        One row of partial sums.

    Raises
    ------
    ValueError
        A dimension is less than 1, or a partial sum cannot hold one product.
    """

    enable: Signal
    mac: data.View
    weight: data.View
    act: data.View
    drain: Signal
    psum: data.View

    def __init__(
        self, *, rows: int, cols: int, cell: Cell, psum_width: int, mac_latency: int = 1
    ) -> None:
        for name, value in (("rows", rows), ("cols", cols)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.rows, self.cols, self.cell, self.psum_width = rows, cols, cell, psum_width
        self.mac_latency = mac_latency
        super().__init__(
            {
                "enable": In(1),
                "mac": In(mac_layout()),
                "weight": In(data.ArrayLayout(cell.weight, rows)),
                "act": In(data.ArrayLayout(cell.act, cols)),
                "drain": In(1),
                "psum": Out(psum_lanes(cols, psum_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, cols, enable = self.rows, self.cols, self.enable

        pe_of = (self.cell, self.psum_width, self.mac_latency)
        pes = [[OSPE(*pe_of) for _ in range(cols)] for _ in range(rows)]
        for r, row in enumerate(pes):
            for c, pe in enumerate(row):
                m.submodules[f"pe_{r}_{c}"] = pe
                m.d.comb += pe.enable.eq(enable)
                if c > 0:
                    left = row[c - 1]
                    m.d.comb += pe.weight_in.eq(left.weight)
                    m.d.comb += pe.mac_in.eq(left.mac)
                    m.d.comb += pe.first_in.eq(left.first)
                    m.d.comb += pe.last_in.eq(left.last)
                    m.d.comb += pe.shift_in.eq(left.shift)
                if r > 0:
                    above = pes[r - 1][c]
                    m.d.comb += pe.act_in.eq(above.act)
                    m.d.comb += pe.drain_in.eq(above.drain)

        # left edge: flags move down a row per cycle
        mac = self.mac
        for r, row in enumerate(pes):
            weight = delayed(m, self.weight[r], r, enable=enable, name=f"weight_{r}")
            m.d.comb += row[0].weight_in.eq(weight)
            m.d.comb += row[0].mac_in.eq(mac.valid)
            m.d.comb += row[0].first_in.eq(mac.first)
            m.d.comb += row[0].last_in.eq(mac.last)
            mac = delayed(m, mac, 1, enable=enable, name=f"mac_{r}")

        # all rows but the top one begin to shift together; a token that moves down a row per cycle
        # stops row r after r shifts, before the next fold's sum comes to rest in it
        stop = self.drain
        for r in range(1, rows):
            shifting = Signal(name=f"shifting_{r}")
            shift = self.drain | shifting
            m.d.comb += pes[r][0].shift_in.eq(shift)
            with m.If(enable):
                m.d.sync += shifting.eq(shift & ~stop)
            stop = delayed(m, stop, 1, enable=enable, name=f"stop_{r}", reset_less=False)

        # top edge, bottom edge
        for c in range(cols):
            act = delayed(m, self.act[c], c, enable=enable, name=f"act_{c}")
            m.d.comb += pes[0][c].act_in.eq(act)
            drain = pes[-1][c].drain
            psum = delayed(m, drain, cols - 1 - c, enable=enable, name=f"psum_{c}")
            m.d.comb += self.psum[c].eq(psum)

        return m
