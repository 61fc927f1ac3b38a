"""Index-decoding array (EIE): P PEs share the broadcast non-zero activations."""

from amaranth import Cat, Module, Mux, Value
from amaranth.lib import wiring

from hwsim.config import ArchConfig, CSCConfig
from hwsim.rtl.arrays.csc.layout import (
    PESizes,
    act_layout,
    command_layout,
    lane_acts,
    load_layout,
    weight_layout,
)
from hwsim.rtl.arrays.csc.lnzd import LNZD
from hwsim.rtl.arrays.csc.pe import PE
from hwsim.rtl.arrays.decoding.drain import Drain
from hwsim.rtl.arrays.decoding.drain_layout import ofmap_layout
from hwsim.rtl.arrays.decoding.tile_control import TileControl
from hwsim.rtl.arrays.decoding.tiles import connect_load, connect_tiles, pe_events
from hwsim.rtl.arrays.interface import ArrayComponent, border
from hwsim.rtl.arrays.status import status_codes

__all__ = ["Array"]


class Array(ArrayComponent):
    """Multiply a sparse matrix, resident in the PEs, by groups of sparse activation columns.

    Each command loads one M tile and runs all groups of ``lanes`` pixels through it. The leading
    non-zero detector broadcasts one position per cycle into the queue of every PE; a PE adds up a
    group in one bank of its accumulators while the bank of the group before is drained.

    * Latency: from a command, one cycle, the weight beats, two cycles to the first broadcast, three
      to the first issue; from the last issue of a group six cycles to its first ``ofmap.valid``.
    * Throughput: a group takes the largest of its detector cycles (max(1, non-zeros) per word), its
      busiest PE's sum of max(1, entries) over the broadcast columns, and its drain (rows times
      lanes / drain_lanes), if the queues are deep enough to even out the columns. See
      ``docs/timing/csc.md``.
    * Stalls: by cause in ``status``. After a reset ``command.ready`` stays low for ``acc_depth``
      cycles, in which the accumulators are zeroed.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family csc.

    Members
    -------
    command : ``In(stream.Signature(command_layout(arch)))``
        One M tile.
    weight : ``In(stream.Signature(weight_layout(arch)))``
        The tile's pointers and entries, before the first tile also the codebook; in any order.
    act : ``In(stream.Signature(act_layout(window, acts)))``
        Words of activations: all words of a group, then the next group. A position beyond K, and
        a lane beyond the last pixel, must be zero.
    ofmap : ``Out(stream.Signature(ofmap_layout(arch)))``
        For each group, for each local row, ``drain_lanes`` lanes at a time: the partial sums of
        all PEs.
    status : ``Out``
        Causes of the current cycle: ``control`` (one) and ``pe`` (P).
    events : ``Out``
        Strobes of the events of the current cycle.
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch, self.array = arch, arch.array_as(CSCConfig)
        self.acts = lane_acts(self.array.lanes, arch.numbers.act_width)
        super().__init__(
            border(
                arch,
                command=command_layout(arch),
                weight=weight_layout(arch),
                act=act_layout(self.array.window, self.acts),
                ofmap=ofmap_layout(arch),
            )
        )

    def elaborate(self, platform):
        m = Module()
        arch, array = self.arch, self.array
        control = m.submodules.control = TileControl(
            command_layout(arch), acc_depth=array.acc_depth
        )
        lnzd = m.submodules.lnzd = LNZD(
            window=array.window, col_depth=array.col_depth, acts=self.acts
        )
        drain = m.submodules.drain = Drain(array.banks, array.drain_slices, carries=array.carries)
        sizes, load, events = PESizes.of(arch), load_layout(arch), pe_events(array)
        pes = [PE(sizes, load, events) for _ in range(array.pes)]

        connect_tiles(m, self, control, drain, pes)
        wiring.connect(m, wiring.flipped(self.act), lnzd.act)
        m.d.comb += [
            lnzd.start.eq(control.start),
            lnzd.words.eq(control.current.words),
            lnzd.groups.eq(control.current.groups),
            # A token enters every queue in the same cycle, when none of them is full.
            lnzd.token.ready.eq(Cat(pe.token.ready for pe in pes).all()),
            drain.beats.eq(control.current.beats),
            drain.tail.eq(control.current.tail),
            drain.edge.eq(array.drain_slices),
            self.status.control[0].eq(self._cause(control, lnzd)),
        ]
        is_table = None if array.codebook_bits is None else self.weight.p.kind == 2
        for p, pe in enumerate(pes):
            bank, lane = divmod(p, array.load_pes)
            connect_load(m, self.weight, pe, bank=bank, lane=lane, to_all=is_table)
            m.d.comb += [
                pe.run.eq(control.run),
                pe.run_next.eq(control.run & ~drain.done),
                pe.more.eq(lnzd.busy),
                pe.token.valid.eq(lnzd.token.valid & lnzd.token.ready),
                pe.token.payload.eq(lnzd.token.payload),
            ]
        return m

    def _cause(self, control: TileControl, lnzd: LNZD) -> Value:
        """Cause of this cycle: what becomes of the beat of weights, or of the detector's word."""
        code = status_codes(CSCConfig.CAUSES, "control")
        loading = Mux(self.weight.valid, code["load"], code["weight"])
        sent = Mux(lnzd.token.p.null, code["scan"], code["broadcast"])
        offered = Mux(lnzd.token.ready, sent, code["full"])
        nothing = Mux(lnzd.busy, code["act"], code["drain"])
        running = Mux(lnzd.token.valid, offered, Mux(lnzd.scan, code["scan"], nothing))
        return Mux(control.run, running, Mux(control.weight_ready, loading, code["idle"]))
