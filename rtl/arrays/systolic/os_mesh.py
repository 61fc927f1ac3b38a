"""Output-stationary grid of PEs between its skew and its deskew."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.systolic.cell import cell_of
from hwsim.rtl.arrays.systolic.layout import (
    act_lanes,
    mac_layout,
    ofmap_lanes,
    weight_lanes,
)
from hwsim.rtl.arrays.systolic.os_pe import OSPE
from hwsim.rtl.blocks.delay import delayed

__all__ = ["OSMesh"]


class OSMesh(wiring.Component):
    """``rows x cols`` PEs; rows take weights, columns activations.

    Row r works r clocks behind row 0, column c works c clocks behind column 0. Partial sums leave
    at the bottom, a row of the fold a clock, the bottom row first. Outside the mesh a beat is one
    clock.

    * Throughput: one beat of weights and activations a clock; a fold's drain takes ``rows`` clocks.
    * Latency: ``rows`` clocks from the last beat of a fold to ``drain``, ``cols`` more to the first
      row in ``psum``.
    * Stalls while ``enable`` is 0.

    Members
    -------
    mac : ``In(mac_layout())``
        ``weight`` and ``act`` are a pair to multiply: the first, the last of their fold.
    weight : ``In(weight_lanes(arch))``
        One PE's weights a row.
    act : ``In(act_lanes(arch))``
        One PE's activations a column.
    drain : ``In(1)``
        Begin to drain a fold, ``rows`` clocks after its last beat.
    psum : ``Out(ofmap_lanes(arch))``
        One row of partial sums.
    """

    enable: Signal
    mac: data.View
    weight: data.View
    act: data.View
    drain: Signal
    psum: data.View

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        super().__init__(
            {
                "enable": In(1),
                "mac": In(mac_layout()),
                "weight": In(weight_lanes(arch)),
                "act": In(act_lanes(arch)),
                "drain": In(1),
                "psum": Out(ofmap_lanes(arch)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, enable = self.arch.array_as(SystolicConfig), self.enable
        rows, cols = array.rows, array.cols

        cell, width = cell_of(self.arch), self.arch.numbers.psum_width
        pes = [[OSPE(cell, width) for _ in range(cols)] for _ in range(rows)]
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

        # left edge: flags move down a row a clock
        mac = self.mac
        for r, row in enumerate(pes):
            weight = delayed(m, self.weight[r], r, enable=enable, name=f"weight_{r}")
            m.d.comb += row[0].weight_in.eq(weight)
            m.d.comb += row[0].mac_in.eq(mac.valid)
            m.d.comb += row[0].first_in.eq(mac.first)
            m.d.comb += row[0].last_in.eq(mac.last)
            mac = delayed(m, mac, 1, enable=enable, name=f"mac_{r}", reset_less=False)

        # all rows but the top one begin to shift together; a token that moves down a row a clock
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
