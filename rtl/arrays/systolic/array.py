"""Systolic array of either dataflow."""

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.systolic.os import OSArray
from hwsim.rtl.arrays.systolic.ws import WSArray

__all__ = ["Array"]

_DATAFLOWS: dict[str, type[WSArray | OSArray]] = {"ws": WSArray, "os": OSArray}


def Array(arch: ArchConfig) -> ArrayComponent:
    """Array of a design's dataflow."""
    return _DATAFLOWS[arch.array_as(SystolicConfig).dataflow](arch)
