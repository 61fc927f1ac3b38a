"""Local response normalization: each value over a power of the squares of its neighbours.

Krizhevsky et al., NeurIPS 2012, section 3.3; the window of an even size has one more channel
behind, as in ONNX. In integers the sum of squares chooses one of :data:`STEPS` multipliers.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerConfig
from hwsim.config.network import LRN_STEPS as STEPS

__all__ = ["STEPS", "factors", "square_shift", "square_sums"]

T = TypeVar("T", np.int64, np.float64)
#: Real numbers that operators take.
Real = TypeVar("Real", bound=Any)


def square_sums(layer: LayerConfig, act: NDArray[T]) -> NDArray[T]:
    """Sum of the squares of ``R`` neighbouring channels, itself among them: ``(images, C, H, W)``.

    Channels beyond the first and last count as 0.
    """
    size = layer.R or 1
    before, behind = (size - 1) // 2, size // 2
    padded = np.pad(act * act, ((0, 0), (before + 1, behind), (0, 0), (0, 0)))
    sums = padded.cumsum(axis=1)
    found: NDArray[T] = sums[:, size:] - sums[:, :-size]
    return found


def factors(layer: LayerConfig, sums: Real) -> Real:
    """What values are multiplied with: ``(bias + alpha / R * sums) ** -beta``.

    ``sums`` may be an array of any library whose operators these are.
    """
    alpha, beta, bias = _parameters(layer)
    found: Real = (bias + alpha / (layer.R or 1) * sums) ** -beta
    return found


def square_shift(layer: LayerConfig) -> int:
    """Bits by which a sum of squares of 8-bit activations is shifted to choose a multiplier."""
    largest = (layer.R or 1) * (1 << 14)
    return max(0, largest.bit_length() - (STEPS - 1).bit_length())


def _parameters(layer: LayerConfig) -> tuple[float, float, float]:
    alpha = layer.alpha if isinstance(layer.alpha, float | int) else 1e-4
    beta = 0.75 if layer.beta is None else layer.beta
    return alpha, beta, layer.bias
