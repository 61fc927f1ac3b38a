"""Dense family: a systolic array that consumes weights as they are."""

from amaranth.lib import wiring

from hwsim.config import ArchConfig, DenseConfig
from hwsim.rtl.arrays.dense.gather import GatherArray
from hwsim.rtl.arrays.systolic.array import Array as SystolicArray

__all__ = ["Array"]


def Array(arch: ArchConfig) -> wiring.Component:
    """Array of a design's dataflow, behind a scratchpad where the design has one."""
    gathers = arch.array_as(DenseConfig).gather_depth is not None
    return GatherArray(arch) if gathers else SystolicArray(arch)
