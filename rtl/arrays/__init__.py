"""Array families, one room each; a design's array is found through its family."""

from amaranth.lib import wiring

from hwsim.config import ArchConfig, wing

__all__ = ["build"]


def build(arch: ArchConfig) -> wiring.Component:
    """Array component of a design.

    Members are the streams ``command``, ``weight``, ``act`` and ``ofmap``, and ``status``: the
    cause code of the current cycle for each member of each status group.
    """
    component: wiring.Component = wing(arch.array.RTL).Array(arch)
    return component
