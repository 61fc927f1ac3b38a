"""Weight-stationary grid of PEs between its skew and its deskew."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.systolic.cell import cell_of
from hwsim.rtl.arrays.systolic.layout import (
    act_lanes,
    load_layout,
    ofmap_lanes,
    weight_lanes,
)
from hwsim.rtl.arrays.systolic.ws_pe import WSPE
from hwsim.rtl.blocks.delay import delayed

__all__ = ["WSMesh"]


class WSMesh(wiring.Component):
    """``rows x cols`` PEs; rows take activations, columns give one partial sum each.

    Row r works r clocks behind row 0, column c works c clocks behind column 0. Weights and flags
    are delayed on their way in like the activations, so outside the mesh a beat is one clock.

    * Throughput: one beat of activations and one row of weights a clock.
    * Latency: ``rows + cols`` clocks from ``act`` to its sums in ``psum``; ``swap`` works on the
      activations from the next clock on.
    * Stalls while ``enable`` is 0.

    Members
    -------
    act : ``In(act_lanes(arch))``
        One PE's activations a row.
    swap : ``In(1)``
        Copy every shadow weight into the active one. The last load must have come a clock before.
    load : ``In(load_layout(arch))``
        Rows 0 to ``load.row`` take a row of weights; in a fold, ``row`` counts down to 0.
    weight : ``In(weight_lanes(arch))``
        The row of weights that comes with ``load``, one a column.
    psum : ``Out(ofmap_lanes(arch))``
        Sums of one beat of activations over all rows, one a column.
    """

    enable: Signal
    act: data.View
    swap: Signal
    load: data.View
    weight: data.View
    psum: data.View

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        super().__init__(
            {
                "enable": In(1),
                "act": In(act_lanes(arch)),
                "swap": In(1),
                "load": In(load_layout(arch)),
                "weight": In(weight_lanes(arch)),
                "psum": Out(ofmap_lanes(arch)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, enable = self.arch.array_as(SystolicConfig), self.enable
        rows, cols = array.rows, array.cols

        cell, width = cell_of(self.arch), self.arch.numbers.psum_width
        pes = [[WSPE(cell, width) for _ in range(cols)] for _ in range(rows)]
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

        # left edge: flags move down a row a clock
        swap, valid, last_row = self.swap, self.load.valid, self.load.row
        for r, row in enumerate(pes):
            act = delayed(m, self.act[r], r, enable=enable, name=f"act_{r}")
            m.d.comb += row[0].act_in.eq(act)
            m.d.comb += row[0].swap_in.eq(swap)
            m.d.comb += row[0].load_in.eq(valid & (last_row >= r))
            swap = delayed(m, swap, 1, enable=enable, name=f"swap_{r}", reset_less=False)
            valid = delayed(m, valid, 1, enable=enable, name=f"load_{r}", reset_less=False)
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
