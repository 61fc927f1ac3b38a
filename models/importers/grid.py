"""Values that a quantized file allows a tensor: integers of some range, times a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid"]

#: Integers of an activation here.
_LOW, _HIGH = -128, 127


@dataclass(frozen=True)
class Grid:
    """Integers ``low`` to ``high``, the zero point subtracted, times ``step``."""

    step: float
    low: int
    high: int

    @property
    def is_kept(self) -> bool:
        """Whether its integers are the activations here: ``step`` is their scale."""
        return (self.low, self.high) == (_LOW, _HIGH)

    @property
    def scale(self) -> float:
        """Scale of activations here: ``step``, or the one with which they reach as far."""
        if self.is_kept:
            return self.step
        return self.step * max(-self.low / -_LOW, self.high / _HIGH)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Nearest values of the grid, as QuantizeLinear and DequantizeLinear give them."""
        steps = np.clip(np.rint(values / np.float32(self.step)), self.low, self.high)
        rounded: NDArray[np.float32] = (steps * self.step).astype(np.float32)
        return rounded
