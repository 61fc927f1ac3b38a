"""Word widths, and what the code of a weight means."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config

__all__ = ["WEIGHT_WIDTHS", "NumberConfig", "WeightCode"]

WeightCode = Literal["int", "levels", "ternary", "pow2"]
#: Fewest and most bits of each code.
WEIGHT_WIDTHS: dict[str, tuple[int, int]] = {
    "int": (2, 16),
    "levels": (1, 8),
    "ternary": (2, 2),
    "pow2": (2, 4),
}


class NumberConfig(Config):
    """Word widths in bits, and what a weight's code means."""

    #: Activations, two's complement; 1 is binary: +1 and -1, no zero.
    act_width: Annotated[int, Field(ge=1, le=16)] = 8
    #: Weight codes.
    weight_width: Annotated[int, Field(ge=1, le=16)] = 8
    #: ``int``: two's complement. ``levels``: +-1 .. +-2**(n-1) without zero (ADMM-NN, section 4);
    #: one bit is binary. ``ternary``: -1, 0, +1 in two bits. ``pow2``: zero and +-2**e.
    weight_code: WeightCode = "int"
    #: Partial sums; they wrap modulo ``2**psum_width``.
    psum_width: Annotated[int, Field(ge=4, le=48)] = 32

    @model_validator(mode="after")
    def _widths_agree(self) -> Self:
        low, high = WEIGHT_WIDTHS[self.weight_code]
        if not low <= self.weight_width <= high:
            bounds = str(low) if low == high else f"{low}..{high}"
            raise ValueError(
                f"weight_width must be {bounds} for weight_code {self.weight_code}, "
                f"not {self.weight_width}"
            )
        if self.psum_width < self.product_width:
            raise ValueError(
                f"psum_width must hold one product ({self.product_width} bits), "
                f"not {self.psum_width}"
            )
        return self

    @property
    def value_width(self) -> int:
        """Bits, two's complement, of the integer that a weight's code stands for."""
        n = self.weight_width
        widths = {"int": n, "levels": n + 1, "ternary": 2, "pow2": 1 << (n - 1)}
        return widths[self.weight_code]

    @property
    def product_width(self) -> int:
        """Bits of one product: no pair of operands needs more."""
        # levels reach +2**(n-1), but no product of theirs leaves the range of an n-bit integer's
        width = self.weight_width if self.weight_code == "levels" else self.value_width
        return max(self.act_width, 2) + width

    @property
    def has_zero(self) -> bool:
        """Whether a stored weight may be zero; without, a zero weight must be absent."""
        return self.weight_code != "levels"
