"""Systolic array of either dataflow."""

from amaranth.lib import wiring

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.systolic.os import OSArray
from hwsim.rtl.arrays.systolic.ws import WSArray

__all__ = ["Array"]

_DATAFLOWS = {"ws": WSArray, "os": OSArray}


def Array(arch: ArchConfig) -> wiring.Component:
    """Array of a design's dataflow."""
    return _DATAFLOWS[arch.array_as(SystolicConfig).dataflow](arch)
