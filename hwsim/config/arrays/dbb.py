"""Density-bound-block family: a PE multiplies the non-zeros of a block of activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import ArrayConfig, power_of_two
from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES, SystolicConfig
from hwsim.config.numbers import NumberConfig
from hwsim.contract.causes import CauseTable
from hwsim.contract.events import Strobe
from hwsim.contract.parts import Part, linear

__all__ = ["DBBConfig"]


class DBBConfig(SystolicConfig):
    """Systolic array whose PEs take ``n`` non-zeros per cycle of a block of ``m`` activations.

    An encoder in front of the array finds them: a block stays for as many cycles as the column with
    most non-zeros needs (S2TA, HPCA 2022, without its pruning of activations). Weights are dense.
    """

    FORMAT: ClassVar[str] = "hwsim.formats.dense"
    MODEL: ClassVar[str] = "hwsim.arrays.dbb.array"
    RTL: ClassVar[str] = "hwsim.rtl.arrays.dbb.array"
    CELL: ClassVar[str] = "hwsim.rtl.arrays.dbb.cell"
    CAUSES: ClassVar[CauseTable] = SYSTOLIC_CAUSES
    EVENTS: ClassVar[Mapping[str, str]] = {
        "macs": "multiplications, those by a zero and of idle PEs included",
        "blocks": "blocks of weights that entered the array, one per filter",
    }
    SWITCHING: ClassVar[tuple[str, ...]] = ("blocks",)
    SPARSITY: ClassVar[str] = "dense"
    stores_zeros: ClassVar[bool] = True
    SURVEY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "dbb 2:8": {"family": "dbb", "rows": 4, "cols": 4, "n": 2, "m": 8},
    }

    family: Literal["dbb"]
    dataflow: Literal["os"] = "os"
    #: Multipliers of a PE: activations of a block that it takes per cycle.
    n: Annotated[int, Field(ge=1, le=8)]
    #: Neighbouring positions of K that a block of activations, and a PE's weights, are for.
    m: Annotated[int, Field(ge=2, le=16)]

    @model_validator(mode="after")
    def _n_of_m(self) -> Self:
        power_of_two(self.m, "m")
        if self.n >= self.m:
            raise ValueError(f"n must be less than m ({self.m}), not {self.n}")
        if self.carries:
            raise ValueError("carries must be off: there is no machine for family dbb")
        return self

    @property
    def block(self) -> int:
        """Positions of K whose weights one PE holds in a cycle."""
        return self.m

    def machine_beats(self, numbers: NumberConfig) -> tuple[int, int, int]:
        """Refused: no machine has the encoder in front of the array."""
        return ArrayConfig.machine_beats(self, numbers)

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.rows * self.cols * self.n

    @property
    def strobes(self) -> dict[str, Strobe]:
        """Those of every output-stationary array, and of the blocks."""
        return super().strobes | {"blocks": Strobe()}

    @property
    def core_path(self) -> str:
        """Mesh and control lie in a module of their own, behind the encoder."""
        return "array."

    def parts(self, numbers: NumberConfig) -> list[Part]:
        """Those of every output-stationary array, and the encoder."""
        return super().parts(numbers) + linear("encoder", "encoder", {"cols": (self.cols, 2, 6)})

    @property
    def position_width(self) -> int:
        """Bits of an activation's position in its block."""
        return (self.m - 1).bit_length()

    def cell_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """``m`` codes, and ``n`` activations, each with its position."""
        return self.m * numbers.weight_width, self.n * (numbers.act_width + self.position_width)

    def stream_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """``m`` codes, and ``m`` activations."""
        return self.m * numbers.weight_width, self.m * numbers.act_width
