"""Dense family: a systolic array that consumes weights as they are."""

from amaranth.lib import wiring

from hwsim.config import ArchConfig, DenseConfig, SystolicConfig
from hwsim.rtl.arrays.dense.gather import GatherArray
from hwsim.rtl.arrays.systolic.os import OSArray
from hwsim.rtl.arrays.systolic.ws import WSArray

__all__ = ["Array"]

_DATAFLOWS = {"ws": WSArray, "os": OSArray}


def Array(arch: ArchConfig) -> wiring.Component:
    """Array of a design's dataflow, with its scratchpad where it has one."""
    if isinstance(arch.array, DenseConfig) and arch.array.gather_depth is not None:
        return GatherArray(arch)
    return _DATAFLOWS[arch.array_as(SystolicConfig).dataflow](arch)
