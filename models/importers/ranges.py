"""Ranges of activations: which real value the largest integer of a tensor stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.models.quantization.scales import scale_of

__all__ = ["RANGES", "Ranges"]

#: ``mse``: the least squared error; ``minmax``: the largest magnitude seen; ``percentile``: the
#: magnitude below which so many per cent of the values are.
RANGES = ("mse", "minmax", "percentile")


@dataclass(frozen=True)
class Ranges:
    """A way to choose the range of a tensor from samples of its values.

    Raises
    ------
    InputError
        The method is unknown, or the percentile is not above 50 and at most 100.
    """

    method: str = "mse"
    percentile: float = 99.99

    def __post_init__(self) -> None:
        if self.method not in RANGES:
            rule = f"must be one of {', '.join(RANGES)}"
            raise InputError("arguments", "ranges", self.method, rule)
        if not 50 < self.percentile <= 100:
            rule = "must be above 50 and at most 100"
            raise InputError("arguments", "percentile", self.percentile, rule)

    def __str__(self) -> str:
        """The method, and of percentiles which."""
        is_percentile = self.method == "percentile"
        return f"percentile {self.percentile:g}" if is_percentile else self.method

    def scale(self, values: NDArray[np.floating], limit: int) -> float:
        """Real value of one integer step where integers reach ``limit``; 1 where all are 0."""
        if self.method == "mse":
            return scale_of(values.astype(np.float64), limit)
        magnitudes = np.abs(values)
        largest = float(magnitudes.max())
        if self.method == "percentile":
            # a value that occurs, not one between two; the largest where nearly all are 0
            largest = float(np.percentile(magnitudes, self.percentile, method="higher")) or largest
        return largest / limit if largest else 1.0
