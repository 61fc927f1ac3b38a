"""Weight-stationary grid of PEs between its skew and its deskew."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.systolic.cell import Cell
from hwsim.rtl.arrays.systolic.layout import load_layout, psum_lanes
from hwsim.rtl.arrays.systolic.ws_pe import WSPE
from hwsim.rtl.blocks.delay import delayed

__all__ = ["WSMesh"]


class WSMesh(wiring.Component):
    """``rows x cols`` PEs; rows take activations, columns give one partial sum each.

    Row r works r cycles behind row 0, column c works c cycles behind column 0. Weights and flags
    are delayed on their way in like the activations, so outside the mesh a beat is one cycle.

    * Throughput: one beat of activations and one row of weights per cycle.
    * Latency: ``rows + cols + mac_latency - 1`` cycles from ``act`` to its sums in ``psum``;
      ``swap`` works on the activations from the next cycle on.
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
    act : ``In(ArrayLayout(cell.act, rows))``
        Activations of one PE per row.
    swap : ``In(1)``
        Copy every shadow weight into the active one. The last load must have come a cycle before.
    load : ``In(load_layout(rows))``
        Rows 0 to ``load.row`` take a row of weights; in a fold, ``row`` counts down to 0.
    weight : ``In(ArrayLayout(cell.weight, cols))``
        The row of weights that comes with ``load``, one per column.
    psum : ``Out(psum_lanes(cols, psum_width))``
        Sums of one beat of activations over all rows, one per column.

    Raises
    ------
    ValueError
        A dimension is less than 1, or a partial sum cannot hold one product.
    """

    enable: Signal
    act: data.View
    swap: Signal
    load: data.View
    weight: data.View
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
                "act": In(data.ArrayLayout(cell.act, rows)),
                "swap": In(1),
                "load": In(load_layout(rows)),
                "weight": In(data.ArrayLayout(cell.weight, cols)),
                "psum": Out(psum_lanes(cols, psum_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows, cols, enable = self.rows, self.cols, self.enable

        pe_of = (self.cell, self.psum_width, self.mac_latency)
        pes = [[WSPE(*pe_of) for _ in range(cols)] for _ in range(rows)]
        for r, row in enumerate(pes):
            for c, pe in enumerate(row):
                m.submodules[f"pe_{r}_{c}"] = pe
                m.d.comb += pe.enable.eq(enable)
                if c > 0:
                    left = row[c - 1]
                    m.d.comb += pe.act_in.eq(left.act)
                    m.d.comb += pe.swap_in.eq(left.swap)
                    m.d.comb += pe.load_in.eq(left.load)
                if r > 0:
                    above = pes[r - 1][c]
                    m.d.comb += pe.shadow_in.eq(above.shadow)
                    m.d.comb += pe.psum_in.eq(above.psum)

        # left edge: flags move down a row per cycle
        swap, valid, last_row = self.swap, self.load.valid, self.load.row
        for r, row in enumerate(pes):
            act = delayed(m, self.act[r], r, enable=enable, name=f"act_{r}")
            m.d.comb += row[0].act_in.eq(act)
            m.d.comb += row[0].swap_in.eq(swap)
            m.d.comb += row[0].load_in.eq(valid & (last_row >= r))
            swap = delayed(m, swap, 1, enable=enable, name=f"swap_{r}")
            valid = delayed(m, valid, 1, enable=enable, name=f"load_{r}")
            last_row = delayed(m, last_row, 1, enable=enable, name=f"load_row_{r}")

        # top edge: a row of weights is as late as the load flag's register in each column
        for c in range(cols):
            weight = delayed(m, self.weight[c], c + 1, enable=enable, name=f"weight_{c}")
            m.d.comb += pes[0][c].shadow_in.eq(weight)

        # bottom edge
        for c, pe in enumerate(pes[-1]):
            psum = delayed(m, pe.psum, cols - 1 - c, enable=enable, name=f"psum_{c}")
            m.d.comb += self.psum[c].eq(psum)

        return m
