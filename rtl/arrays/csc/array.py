"""Index-decoding array (EIE): P PEs share the broadcast non-zero activations."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring

from hwsim.config import ArchConfig, CSCConfig
from hwsim.rtl.arrays.csc.layout import act_layout, command_layout, weight_layout
from hwsim.rtl.arrays.csc.lnzd import LNZD
from hwsim.rtl.arrays.csc.pe import PE
from hwsim.rtl.arrays.decoding.drain import Drain
from hwsim.rtl.arrays.decoding.drain_layout import drain_layout, ofmap_layout
from hwsim.rtl.arrays.interface import ArrayComponent, border
from hwsim.rtl.arrays.status import status_code, status_codes

__all__ = ["Array"]


class Array(ArrayComponent):
    """Multiply a sparse matrix, resident in the PEs, by groups of sparse activation columns.

    Each command loads one M tile and runs all groups of ``lanes`` pixels through it. The leading
    non-zero detector broadcasts one position a clock into the queue of every PE; a PE adds up a
    group in one bank of its accumulators while the bank of the group before is drained.

    * Latency: from a command, one clock, the weight beats, two clocks to the first broadcast, two
      to the first issue; from the last issue of a group five clocks to its first ``ofmap.valid``.
    * Throughput: a group takes the largest of its detector clocks (max(1, non-zeros) a word), its
      busiest PE's sum of max(1, entries) over the broadcast columns, and its drain (rows times
      lanes / drain_lanes), if the queues are deep enough to even out the columns. See
      ``docs/timing/csc.md``.
    * Stalls: by cause in ``status``. After a reset ``command.ready`` stays low for ``acc_depth``
      clocks, in which the accumulators are zeroed.

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
    act : ``In(stream.Signature(act_layout(arch)))``
        Words of activations: all words of a group, then the next group. A position beyond K, and
        a lane beyond the last pixel, must be zero.
    ofmap : ``Out(stream.Signature(ofmap_layout(arch)))``
        For each group, for each local row, ``drain_lanes`` lanes at a time: the partial sums of
        all PEs.
    status : ``Out``
        Causes of the current clock: ``control`` (one) and ``pe`` (P).
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch, self.array = arch, arch.array_as(CSCConfig)
        super().__init__(
            border(
                arch,
                command=command_layout(arch),
                weight=weight_layout(arch),
                act=act_layout(arch),
                ofmap=ofmap_layout(arch),
            )
        )

    def elaborate(self, platform):
        m = Module()
        lnzd = m.submodules.lnzd = LNZD(self.arch)
        drain = m.submodules.drain = Drain(self.arch)
        pes = [PE(self.arch) for _ in range(self.array.pes)]
        run, clear = Signal(), Signal()
        clear_row = Signal.like(drain.drain.row)
        self._control(m, lnzd, drain, run, clear, clear_row)

        # A token enters every queue in the same clock, when none of them is full.
        wiring.connect(m, wiring.flipped(self.act), lnzd.act)
        m.d.comb += lnzd.token.ready.eq(Cat(pe.token.ready for pe in pes).all())

        m.d.comb += [
            drain.finished.eq(Cat(pe.finished for pe in pes).all()),
            drain.finished_two.eq(Cat(pe.finished_two for pe in pes).all()),
            drain.ready.eq(self.ofmap.ready),
            self.ofmap.valid.eq(drain.valid),
        ]
        sweep = data.View(drain_layout(self.arch), Signal(drain_layout(self.arch).size))
        m.d.comb += sweep.eq(drain.drain)
        with m.If(clear):
            m.d.comb += sweep.row.eq(clear_row)

        load_pes = self.array.load_pes
        is_loading = self.weight.valid & self.weight.ready
        is_table = self.weight.p.kind == 2  # for every PE; never, without a codebook
        for p, pe in enumerate(pes):
            m.submodules[f"pe_{p}"] = pe
            m.d.comb += [
                pe.load_en.eq(is_loading & (is_table | (self.weight.p.bank == p // load_pes))),
                pe.load.kind.eq(self.weight.p.kind),
                pe.load.addr.eq(self.weight.p.addr),
                pe.load.data.eq(self.weight.p.data[p % load_pes]),
                pe.run.eq(run),
                pe.run_next.eq(run & ~drain.done),
                pe.more.eq(lnzd.busy),
                pe.token.valid.eq(lnzd.token.valid & lnzd.token.ready),
                pe.token.payload.eq(lnzd.token.payload),
                pe.clear.eq(clear),
                pe.drain.eq(sweep),
                pe.drained.eq(drain.drained),
                *(
                    self.ofmap.p.psum[p * self.array.drain_lanes + lane].eq(pe.psum[lane])
                    for lane in range(self.array.drain_lanes)
                ),
                self.status.pe[p].eq(pe.cause),
            ]
        return m

    def _control(
        self, m: Module, lnzd: LNZD, drain: Drain, run: Signal, clear: Signal, clear_row: Signal
    ) -> None:
        """Sequence the commands; hold the current one for detector and drain."""
        command = data.View(
            command_layout(self.arch),
            Signal(command_layout(self.arch).size, name="command_q", reset_less=True),
        )
        weight_left = Signal.like(command.weight_beats)
        start = Signal()
        cause = Signal.like(self.status.control[0])
        m.d.comb += [
            lnzd.start.eq(start),
            lnzd.words.eq(command.words),
            lnzd.groups.eq(command.groups),
            drain.start.eq(start),
            drain.groups.eq(command.groups),
            drain.rows.eq(command.rows),
            drain.tail.eq(command.tail),
            self.status.control[0].eq(cause),
        ]
        with m.FSM():
            with m.State("Clear"):
                m.d.comb += clear.eq(1)
                m.d.sync += clear_row.eq(clear_row + 1)
                with m.If(clear_row == self.array.acc_depth - 1):
                    m.d.sync += clear_row.eq(0)
                    m.next = "Idle"
            with m.State("Idle"):
                m.d.comb += self.command.ready.eq(1)
                with m.If(self.command.valid):
                    m.d.sync += command.eq(self.command.payload)
                    m.d.sync += weight_left.eq(self.command.p.weight_beats)
                    m.next = "Load"
            with m.State("Load"):
                m.d.comb += self.weight.ready.eq(1)
                m.d.comb += cause.eq(status_code(CSCConfig.CAUSES, "control", "weight"))
                with m.If(self.weight.valid):
                    m.d.comb += cause.eq(status_code(CSCConfig.CAUSES, "control", "load"))
                    m.d.sync += weight_left.eq(weight_left - 1)
                    with m.If(weight_left == 1):
                        m.d.comb += start.eq(1)
                        m.next = "Run"
            with m.State("Run"):
                m.d.comb += run.eq(1)
                m.d.comb += cause.eq(self._running_cause(lnzd))
                with m.If(drain.done):
                    m.next = "Idle"

    def _running_cause(self, lnzd: LNZD) -> Value:
        """Cause of a clock in which a layer runs: what becomes of the detector's word."""
        code = status_codes(CSCConfig.CAUSES, "control")
        sent = Mux(lnzd.token.p.null, code["scan"], code["broadcast"])
        offered = Mux(lnzd.token.ready, sent, code["full"])
        nothing = Mux(lnzd.busy, code["act"], code["drain"])
        return Mux(lnzd.token.valid, offered, Mux(lnzd.scan, code["scan"], nothing))
