"""Arrays whose weights only a machine can bring."""

from __future__ import annotations

from hwsim.config import ArchConfig, DecodingConfig
from hwsim.errors import InputError

__all__ = ["check_alone"]


def check_alone(arch: ArchConfig) -> None:
    """Make sure that the array has a time of its own.

    Raises
    ------
    InputError
        Its memories are double-buffered: their halves are filled beside the commands.
    """
    if arch.array_as(DecodingConfig).double_buffered:
        rule = "must be off for an array alone: the load engine of a machine fills its halves"
        raise InputError(arch.name, "array.double_buffered", True, rule)
