"""Dense family: a systolic array that consumes weights as they are."""

from amaranth.lib import wiring

from hwsim.config import ArchConfig
from rtl.arrays.dense_ws import WSArray

__all__ = ["Array"]


def Array(arch: ArchConfig) -> wiring.Component:
    """Array of a design's dataflow; both have the same members."""
    return WSArray(arch)
