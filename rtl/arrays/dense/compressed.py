"""Systolic array of either dataflow whose weights come compressed."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from hwsim.config import ArchConfig, DenseConfig
from hwsim.formats.weight_stream import Packing
from hwsim.rtl.arrays.dense.decompressor import Decompressor
from hwsim.rtl.arrays.dense.fork import fork
from hwsim.rtl.arrays.dense.layout import compressed_command_layout, word_layout
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.systolic.array import Array as SystolicArray
from hwsim.rtl.arrays.systolic.layout import array_members

__all__ = ["CompressedArray"]


class CompressedArray(ArrayComponent):
    """A systolic array behind a :class:`Decompressor`: masks and non-zeros in place of weights.

    Throughput, latency and stalls are those of the two; a row of weights that the decompressor has
    not unpacked is cause ``weight``.

    Members
    -------
    command : ``In``
        One job; taken when both parts are ready for it.
    weight : ``In``
        As ``word`` of the :class:`Decompressor`: the rows of one pass, for each pass again.
    act : ``In``
        As of the array.
    ofmap, status : ``Out``
        As of the array.
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch, self.packing = arch, Packing.of(arch)
        super().__init__(
            array_members(arch)
            | {
                "command": In(stream.Signature(compressed_command_layout(arch))),
                "weight": In(stream.Signature(word_layout(self.packing))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.decompressor = decompressor = Decompressor(self.packing)
        m.submodules.array = array = SystolicArray(self.arch)

        fork(m, self.command, decompressor.command, array.command)
        # the stream is sent again for each tile of pixels, or for each fold of pixels
        is_ws = self.arch.array_as(DenseConfig).dataflow == "ws"
        passes = self.command.p["n_tiles" if is_ws else "n_folds"]
        m.d.comb += decompressor.command.p.passes.eq(passes)

        wiring.connect(m, wiring.flipped(self.weight), decompressor.word)
        wiring.connect(m, decompressor.row, array.weight)
        wiring.connect(m, wiring.flipped(self.act), array.act)
        wiring.connect(m, wiring.flipped(self.ofmap), array.ofmap)
        m.d.comb += self.status.eq(array.status)
        m.d.comb += self.events.eq(array.events)

        return m
