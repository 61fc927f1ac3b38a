"""Output-stationary dataflow of the systolic arrays."""

from amaranth import Module
from amaranth.lib import wiring

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.systolic.cell import streamed_cell_of
from hwsim.rtl.arrays.systolic.layout import array_members
from hwsim.rtl.arrays.systolic.os_control import OSControl
from hwsim.rtl.arrays.systolic.os_mesh import OSMesh
from hwsim.rtl.blocks.skid import Skid

__all__ = ["OSArray"]


class OSArray(ArrayComponent):
    """Systolic array whose rows hold M and whose columns hold pixels; K streams.

    A fold's partial sums drain while the next fold's products are accumulated.

    * Throughput: a fold every max(K, ``rows``) cycles.
    * Latency: one cycle from the command's transfer to the first operands'; ``rows + cols +
      mac_latency - 1`` from the last operands' of a fold to its first partial sums' (the bottom
      row's), ``rows`` beats.
    * Stalls: ``weight`` and ``act`` are taken together (the ``ready`` of each is a combinational
      function of the other's ``valid``). Neither is from the cycle after an offer of ``ofmap`` that
      is not taken to that of its transfer, and the last beat of a fold waits for the previous
      fold's drain.
    * The next command is taken when the last operands are in: its folds run into the last drain.

    Members
    -------
    command : ``In(stream.Signature(command_layout(arch)))``
        One job.
    weight, act : ``In``
        One weight per row, one activation per column: pixel fold, M fold, k.
    ofmap : ``Out``
        Rows of one partial sum per column: pixel fold, M fold, row, the bottom one first; rows at
        or below ``m_edge`` of a last M fold do not appear.
    status : ``Out``
        Cause code of the current cycle (:mod:`hwsim.contract.causes`).
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        super().__init__(array_members(arch))

    def elaborate(self, platform):
        m = Module()
        array, cell = self.arch.array_as(SystolicConfig), streamed_cell_of(self.arch)

        m.submodules.control = control = OSControl(self.arch)
        m.submodules.mesh = mesh = OSMesh(
            rows=array.rows,
            cols=array.cols,
            cell=cell,
            psum_width=self.arch.numbers.psum_width,
            mac_latency=array.mac_latency,
        )

        m.submodules.skid = skid = Skid(self.ofmap.payload.shape())

        wiring.connect(m, wiring.flipped(self.command), control.command)
        wiring.connect(m, wiring.flipped(self.weight), control.weight)
        wiring.connect(m, wiring.flipped(self.act), control.act)
        m.d.comb += self.status.array[0].eq(control.cause)
        m.d.comb += self.events.macs.eq(control.mac.valid)

        # one enable for everything, a register: an offer that is not taken freezes the array
        m.d.comb += control.enable.eq(skid.i.ready)
        m.d.comb += mesh.enable.eq(control.enable)
        m.d.comb += mesh.mac.eq(control.mac)
        cell.weights(m, mesh.weight, self.weight.p)
        m.d.comb += mesh.act.eq(control.act_row)
        m.d.comb += mesh.drain.eq(control.drain)
        m.d.comb += skid.i.valid.eq(control.psum_valid)
        m.d.comb += skid.i.p.psum.eq(mesh.psum)
        wiring.connect(m, skid.o, wiring.flipped(self.ofmap))

        return m
