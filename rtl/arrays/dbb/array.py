"""Density-bound-block family: an output-stationary array behind an encoder of its activations."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from hwsim.config import ArchConfig, DBBConfig
from hwsim.rtl.arrays.dbb.encoder import BlockEncoder, blocks_layout
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.systolic.layout import array_members
from hwsim.rtl.arrays.systolic.os import OSArray
from hwsim.rtl.blocks.multiplier import act_shape

__all__ = ["Array"]


class Array(ArrayComponent):
    """An :class:`OSArray` behind a :class:`BlockEncoder`; a beat of weights stays for its blocks.

    * Throughput: a fold every max(S, ``rows``) cycles, S being the beats that the encoder makes of
      its blocks.
    * Latency: as of the :class:`OSArray`, and two cycles from a beat of ``act`` to the first of it
      in the array.
    * Stalls: ``weight`` is taken with the last of the activations that it meets. ``act`` is taken
      ahead, as far as the encoder's two registers hold.

    Members
    -------
    command : ``In``
        One job; ``k_size`` counts blocks.
    weight : ``In``
        A block of weights per row: pixel fold, M fold, block.
    act : ``In(stream.Signature(blocks_layout(...)))``
        A block of activations per column, zeros included, in the same order.
    ofmap, status : ``Out``
        As of the :class:`OSArray`.
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch, config = arch, arch.array_as(DBBConfig)
        blocks = blocks_layout(act_shape(arch.numbers), config.m, config.cols)
        super().__init__(array_members(arch) | {"act": In(stream.Signature(blocks))})

    def elaborate(self, platform):
        m = Module()
        config = self.arch.array_as(DBBConfig)
        m.submodules.encoder = encoder = BlockEncoder(
            cols=config.cols, n=config.n, m=config.m, act=act_shape(self.arch.numbers)
        )
        m.submodules.array = array = OSArray(self.arch)

        wiring.connect(m, wiring.flipped(self.command), array.command)
        wiring.connect(m, wiring.flipped(self.weight), array.weight)
        wiring.connect(m, wiring.flipped(self.act), encoder.blocks)
        wiring.connect(m, encoder.slots, array.act)
        wiring.connect(m, wiring.flipped(self.ofmap), array.ofmap)
        m.d.comb += self.status.eq(array.status)
        m.d.comb += self.events.macs.eq(array.events.macs)
        m.d.comb += self.events.blocks.eq(array.weight.valid & array.weight.ready)

        return m
