"""Weight-stationary dataflow of the systolic arrays."""

from amaranth import Module
from amaranth.lib import wiring

from hwsim.config import ArchConfig
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.systolic.layout import array_members
from hwsim.rtl.arrays.systolic.ws_control import WSControl
from hwsim.rtl.arrays.systolic.ws_core import WSCore

__all__ = ["WSArray"]


class WSArray(ArrayComponent):
    """Systolic array whose rows hold K and whose columns hold M; pixels stream.

    The next fold's weights are loaded while the current fold's pixels are fed.

    * Throughput: a fold of n pixels every max(n, ``rows``) cycles, at least 2.
    * Latency: ``rows + 2`` cycles from the command's transfer to the first activation's;
      ``rows + cols + mac_latency`` from an activation's to its partial sum's, in a last K fold.
    * Stalls: ``weight`` and ``act`` are not taken from the cycle after an offer of ``ofmap`` that
      is not taken to that of its transfer. Lack of weights stops the next fold, lack of
      activations stops the current one; what is under way moves on.
    * The next command is taken when the last activation is in: its weights load while the last
      partial sums drain.

    Members
    -------
    command : ``In(stream.Signature(command_layout(arch)))``
        One job.
    weight : ``In``
        Rows of weights: n tile, M fold, K fold, bottom row first; no rows at or below ``k_edge``
        in a last K fold.
    act : ``In``
        Pixels: n tile, M fold, K fold, pixel.
    ofmap : ``Out``
        Pixels of one partial sum per column: n tile, M fold, pixel.
    status : ``Out``
        Cause code of the current cycle (:mod:`hwsim.contract.causes`).
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        super().__init__(array_members(arch))

    def elaborate(self, platform):
        m = Module()

        m.submodules.control = control = WSControl(self.arch)
        wiring.connect(m, wiring.flipped(self.command), control.command)
        wiring.connect(m, wiring.flipped(self.weight), control.weight)
        wiring.connect(m, wiring.flipped(self.act), control.act)
        core = WSCore(m, self, self.arch, control)
        core.connect(m, control.act_row)

        return m
