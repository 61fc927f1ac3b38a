"""N:M family: a PE holds n of every m weights along K."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import power_of_two
from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES, SystolicConfig
from hwsim.config.numbers import NumberConfig
from hwsim.contract.causes import CauseTable

__all__ = ["NMConfig"]


class NMConfig(SystolicConfig):
    """Systolic array whose PEs hold ``n`` of every ``m`` weights along K and see ``m`` activations.

    A K fold takes ``rows * m`` positions.
    """

    FORMAT: ClassVar[str] = "hwsim.formats.nm"
    MODEL: ClassVar[str] = "hwsim.arrays.nm.array"
    RTL: ClassVar[str] = "hwsim.rtl.arrays.nm.array"
    CELL: ClassVar[str] = "hwsim.rtl.arrays.nm.cell"
    CAUSES: ClassVar[CauseTable] = SYSTOLIC_CAUSES
    SPARSITY: ClassVar[str] = "nm"
    binary_acts: ClassVar[bool] = True
    channels_move: ClassVar[bool] = False
    stores_zeros: ClassVar[bool] = True
    SURVEY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "nm 2:4 ws": {
            "family": "nm", "dataflow": "ws", "rows": 4, "cols": 4, "n": 2, "m": 4, "acc_depth": 4,
        },
    }  # fmt: skip

    family: Literal["nm"]
    #: Weights, and multipliers, of a PE.
    n: Annotated[int, Field(ge=1, le=16)]
    #: Neighbouring positions of K that they come from.
    m: Annotated[int, Field(ge=1, le=16)]

    @model_validator(mode="after")
    def _n_of_m(self) -> Self:
        power_of_two(self.m, "m")
        if self.n > self.m:
            raise ValueError(f"n must be at most m ({self.m}), not {self.n}")
        return self

    @property
    def block(self) -> int:
        """Positions of K that one PE sees in a cycle."""
        return self.m

    @property
    def position_width(self) -> int:
        """Bits of a weight's position in its block; with n = m its order gives it."""
        return 0 if self.n == self.m else (self.m - 1).bit_length()

    def cell_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """``n`` codes, each with its position, and ``m`` activations of two bits at least."""
        weight = numbers.weight_width + self.position_width
        return self.n * weight, self.m * max(numbers.act_width, 2)

    def stream_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """``n`` codes, each with its position, and ``m`` activations."""
        return self.cell_bits(numbers)[0], self.m * numbers.act_width

    def weight_fields(self, numbers: NumberConfig) -> dict[str, int]:
        """Codes, and their positions where they are stored."""
        position = {"position": self.position_width} if self.position_width else {}
        return {"weight": numbers.weight_width, **position}

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.rows * self.cols * self.n

    @property
    def checkpoint_kind(self) -> str:
        """``nm_2x4`` where the blocks hold that, else ``nm_1x4``."""
        holds_2x4 = 2 * self.n >= self.m and self.n >= min(2, self.m)
        return "nm_2x4" if holds_2x4 else "nm_1x4"
