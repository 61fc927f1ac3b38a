"""Weight-stationary array that gathers its activations from a banked scratchpad."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from hwsim.config import ArchConfig
from hwsim.rtl.arrays.dense.fork import fork
from hwsim.rtl.arrays.dense.layout import (
    act_layout,
    bank_depth,
    gather_command_layout,
    load_layout,
)
from hwsim.rtl.arrays.dense.scratchpad import Gather
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.systolic.layout import acc_depth, array_members
from hwsim.rtl.arrays.systolic.ws import WSArray

__all__ = ["GatherArray"]


class GatherArray(ArrayComponent):
    """A :class:`WSArray` behind a :class:`Gather`: each activation comes once, in the order of K.

    Throughput, latency and stalls are those of the two; a tile whose activations are not all loaded
    is cause ``act``.

    Members
    -------
    command : ``In``
        One job; taken when both parts are ready for it.
    weight : ``In``
        As of the :class:`WSArray`, with a zero for each row whose bank has no entry in a fold.
    act : ``In``
        As ``load`` of the :class:`Gather`.
    ofmap, status : ``Out``
        As of the :class:`WSArray`.
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        super().__init__(
            array_members(arch)
            | {
                "command": In(stream.Signature(gather_command_layout(arch))),
                "act": In(stream.Signature(load_layout(act_layout(arch), bank_depth(arch)))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.gather = gather = Gather(
            command=gather_command_layout(self.arch),
            act=act_layout(self.arch),
            depth=bank_depth(self.arch),
            pixels=acc_depth(self.arch),
        )
        m.submodules.array = array = WSArray(self.arch)

        fork(m, self.command, gather.command, array.command)
        wiring.connect(m, wiring.flipped(self.act), gather.load)
        wiring.connect(m, gather.act, array.act)
        wiring.connect(m, wiring.flipped(self.weight), array.weight)
        wiring.connect(m, wiring.flipped(self.ofmap), array.ofmap)
        m.d.comb += self.status.eq(array.status)
        m.d.comb += self.events.eq(array.events)
        m.d.comb += self.events.bank_writes.eq(gather.load.valid & gather.load.ready)
        m.d.comb += self.events.bank_reads.eq(gather.issue)
        m.d.comb += self.events.list_writes.eq(gather.lists)
        m.d.comb += self.events.list_reads.eq(gather.issue)

        return m
