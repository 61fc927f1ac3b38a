"""Weight-stationary dataflow of the systolic arrays."""

from amaranth import Module
from amaranth.lib import wiring

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.systolic.accumulator import Accumulator
from hwsim.rtl.arrays.systolic.cell import cell_of
from hwsim.rtl.arrays.systolic.layout import acc_depth, array_members
from hwsim.rtl.arrays.systolic.ws_control import WSControl
from hwsim.rtl.arrays.systolic.ws_mesh import WSMesh

__all__ = ["WSArray"]


class WSArray(ArrayComponent):
    """Systolic array whose rows hold K and whose columns hold M; pixels stream.

    The next fold's weights are loaded while the current fold's pixels are fed.

    * Throughput: a fold of n pixels every max(n, ``rows``) clocks.
    * Latency: ``rows + 2`` clocks from the command's transfer to the first activation's;
      ``rows + cols + 1`` from an activation's to its partial sum's, in a last K fold.
    * Stalls: ``weight`` and ``act`` are not taken while ``ofmap`` is offered and not taken (their
      ``ready`` is a combinational function of ``ofmap.ready``). Lack of weights stops the next
      fold, lack of activations stops the current one; what is under way moves on.
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
        Pixels of one partial sum a column: n tile, M fold, pixel.
    status : ``Out``
        Cause code of the current clock (:mod:`hwsim.contract.causes`).
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        super().__init__(array_members(arch))

    def elaborate(self, platform):
        m = Module()
        array = self.arch.array_as(SystolicConfig)
        rows, cols, psum_width = array.rows, array.cols, self.arch.numbers.psum_width

        m.submodules.control = control = WSControl(self.arch)
        m.submodules.mesh = mesh = WSMesh(
            rows=rows, cols=cols, cell=cell_of(self.arch), psum_width=psum_width
        )
        m.submodules.accumulator = accumulator = Accumulator(
            cols=cols, psum_width=psum_width, depth=acc_depth(self.arch), delay=rows + cols
        )

        wiring.connect(m, wiring.flipped(self.command), control.command)
        wiring.connect(m, wiring.flipped(self.weight), control.weight)
        wiring.connect(m, wiring.flipped(self.act), control.act)
        wiring.connect(m, wiring.flipped(self.ofmap), accumulator.ofmap)
        m.d.comb += self.status.array[0].eq(control.cause)
        m.d.comb += self.events.macs.eq(control.tag.valid)
        m.d.comb += self.events.weight_loads.eq(control.load.valid)
        m.d.comb += self.events.psum_reads.eq(accumulator.reads)
        m.d.comb += self.events.psum_writes.eq(accumulator.writes)

        m.d.comb += control.enable.eq(accumulator.enable)
        m.d.comb += control.draining.eq(accumulator.busy)
        m.d.comb += mesh.enable.eq(accumulator.enable)
        m.d.comb += mesh.act.eq(control.act_row)
        m.d.comb += mesh.swap.eq(control.swap)
        m.d.comb += mesh.load.eq(control.load)
        m.d.comb += mesh.weight.eq(control.weight_row)
        m.d.comb += accumulator.tag.eq(control.tag)
        m.d.comb += accumulator.psum.eq(mesh.psum)

        return m
