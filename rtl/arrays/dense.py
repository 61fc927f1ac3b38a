"""Dense family: a systolic array that consumes weights as they are."""

from amaranth.lib import wiring

from hwsim.config import ArchConfig
from rtl.arrays.dense_layout import systolic
from rtl.arrays.dense_os import OSArray
from rtl.arrays.dense_ws import WSArray

__all__ = ["Array"]

_DATAFLOWS = {"ws": WSArray, "os": OSArray}


def Array(arch: ArchConfig) -> wiring.Component:
    """Array of a design's dataflow; both have the same members."""
    return _DATAFLOWS[systolic(arch).dataflow](arch)
