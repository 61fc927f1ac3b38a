"""Dense family: a systolic array that consumes weights as they are."""

from amaranth.lib import wiring

from hwsim.config import ArchConfig, DenseConfig
from rtl.arrays.dense_gather import GatherArray
from rtl.arrays.dense_layout import systolic
from rtl.arrays.dense_os import OSArray
from rtl.arrays.dense_ws import WSArray

__all__ = ["Array"]

_DATAFLOWS = {"ws": WSArray, "os": OSArray}


def Array(arch: ArchConfig) -> wiring.Component:
    """Array of a design's dataflow, with its scratchpad where it has one."""
    if isinstance(arch.array, DenseConfig) and arch.array.gather_depth is not None:
        return GatherArray(arch)
    return _DATAFLOWS[systolic(arch).dataflow](arch)
