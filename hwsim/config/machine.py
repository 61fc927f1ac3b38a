"""The machine around an array: its memories on chip, and its port to the memory outside."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import power_of_two
from hwsim.config.base import Config

__all__ = ["PAGE", "BusConfig", "OnChipConfig"]

#: Bytes that a burst must not cross (AXI4).
PAGE = 4096


class OnChipConfig(Config):
    """Memories on chip; a design without them is a bare array."""

    #: Independent memories for activations, one read and one write port each.
    act_banks: Annotated[int, Field(ge=2, le=8)] = 4
    #: Words of each; a word is as wide as a beat of activations or of results.
    act_depth: Annotated[int, Field(ge=16, le=65536)] = 4096
    #: Words of each half of the weight memory; a word is a beat of the array's weight stream. Where
    #: the array's own memories are double-buffered there is no other: words that fill a half.
    weight_depth: Annotated[int, Field(ge=16, le=65536)] = 4096
    #: Words of each half of the scale memory: bias, multiplier and shift of a beat's channels.
    scale_depth: Annotated[int, Field(ge=1, le=4096)] = 64

    #: Whether each lane of an act bank has an address of its own: a list of each K fold says which
    #: word its activation is of, and columns of weights that are all zero are left out.
    gather: bool = False

    @model_validator(mode="after")
    def _depths_are_powers(self) -> Self:
        for key in ("act_depth", "weight_depth", "scale_depth"):
            power_of_two(getattr(self, key), key)
        return self


class BusConfig(Config):
    """Port to the memory outside: AXI4."""

    #: Bits of a beat.
    data_width: Literal[32, 64, 128, 256] = 64
    #: Bits of an address.
    addr_width: Annotated[int, Field(ge=32, le=64)] = 32
    #: Beats of the longest burst.
    burst: Annotated[int, Field(ge=1, le=256)] = 16
    #: Read bursts that may be under way at once.
    outstanding: Annotated[int, Field(ge=1, le=16)] = 4

    @model_validator(mode="after")
    def _bursts_stay_in_a_page(self) -> Self:
        power_of_two(self.burst, "burst")
        if self.burst * self.bytes > PAGE:
            rule = f"burst must be at most {PAGE // self.bytes} beats of {self.data_width} bits"
            raise ValueError(f"{rule}, not {self.burst}")
        return self

    @property
    def bytes(self) -> int:
        """Bytes of a beat."""
        return self.data_width // 8
