"""Pattern family: PEs that hold four taps of a 3x3 kernel and choose them from a window of nine."""

from amaranth import Module
from amaranth.lib import wiring

from hwsim.config import ArchConfig, PatternConfig
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.pattern.control import PatternControl
from hwsim.rtl.arrays.pattern.layout import array_members
from hwsim.rtl.arrays.pattern.window import WindowUnit
from hwsim.rtl.arrays.systolic.ws_core import WSCore

__all__ = ["Array"]


class Array(ArrayComponent):
    """Systolic array whose rows hold input channels and whose columns hold filters.

    A window unit before the array forms the nine taps around each output pixel; every PE chooses
    four of them. Each pixel of a patch comes once per row and fold.

    * Throughput: a fold of n windows from t pixels every max(t, ``rows``) cycles.
    * Latency: ``rows + 2`` cycles, or the first window's if they are more, from a command's
      transfer to its first window in the array; ``rows + cols + mac_latency`` from there to its
      partial sum, in a last channel fold.
    * Stalls: ``weight`` and ``act`` are not taken from the cycle after an offer of ``ofmap`` that
      is not taken to that of its transfer. Lack of weights stops the next fold, lack of
      activations stops the window unit; what is under way moves on.
    * The next command is taken when the last window is in.

    Members
    -------
    command : ``In(stream.Signature(command_layout(arch)))``
        An entry of the library, or one tile of a run of groups.
    weight : ``In``
        Channels of a group, one kernel per column: group, channel fold, bottom row first; no rows
        at or below ``k_edge`` in a last fold.
    act : ``In``
        Pixels of one channel per row: group, channel fold, image, raster order.
    ofmap : ``Out``
        Pixels of one partial sum per column: group, image, raster order.
    status : ``Out``
        Cause code of the current cycle (:mod:`hwsim.contract.causes`).
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        super().__init__(array_members(arch))

    def elaborate(self, platform):
        m = Module()
        array = self.arch.array_as(PatternConfig)

        m.submodules.control = control = PatternControl(self.arch)
        m.submodules.window = window = WindowUnit(
            array.rows,
            self.arch.numbers.act_width,
            array.line_depth,
            array.COUNT_WIDTH,
            array.WINDOW_WIDTH,
        )
        wiring.connect(m, wiring.flipped(self.command), control.command)
        wiring.connect(m, wiring.flipped(self.weight), control.weight)
        core = WSCore(m, self, self.arch, control)
        m.d.comb += self.events.library_writes.eq(control.library)
        m.d.comb += self.events.line_reads.eq(window.step)
        m.d.comb += self.events.line_writes.eq(window.step)

        m.d.comb += window.enable.eq(core.enable)
        m.d.comb += window.start.eq(control.start)
        for field, _ in window.job.shape():
            m.d.comb += window.job[field].eq(self.command.p[field])
        m.d.comb += window.act.payload.eq(self.act.p.act)
        m.d.comb += window.act.valid.eq(self.act.valid)
        m.d.comb += self.act.ready.eq(window.act.ready)
        m.d.comb += window.window.ready.eq(control.ready)
        m.d.comb += control.window.eq(window.window.valid)
        m.d.comb += control.starved.eq(window.starved)
        core.connect(m, window.window.payload)

        return m
