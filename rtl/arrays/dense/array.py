"""Dense family: a systolic array that consumes weights as they are."""

from amaranth.lib import wiring

from hwsim.config import ArchConfig, DenseConfig
from hwsim.rtl.arrays.dense.compressed import CompressedArray
from hwsim.rtl.arrays.dense.gather import GatherArray
from hwsim.rtl.arrays.systolic.array import Array as SystolicArray

__all__ = ["Array"]


def Array(arch: ArchConfig) -> wiring.Component:
    """Array of a design's dataflow, behind a decompressor or a scratchpad where it has one."""
    config = arch.array_as(DenseConfig)
    if config.decompresses:
        return CompressedArray(arch)
    return SystolicArray(arch) if config.gather_depth is None else GatherArray(arch)
