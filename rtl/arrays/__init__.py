"""Array families, one file each; a design's array is found by the family's name."""

from importlib import import_module

from amaranth.lib import wiring

from hwsim.config import ArchConfig

__all__ = ["build"]


def build(arch: ArchConfig) -> wiring.Component:
    """Array component of a design.

    Members are the streams ``command``, ``weight``, ``act`` and ``ofmap``, and ``status``: the
    cause code of the current clock for each member of each status group.
    """
    component: wiring.Component = import_module(f"rtl.arrays.{arch.array.family}").Array(arch)
    return component
