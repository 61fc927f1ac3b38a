"""Scales: the real value of one integer step, and factors between scales in fixed point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fixed_point", "scale_of"]


def scale_of(values: NDArray[np.float64], codes: int) -> float:
    """Find the scale whose ``codes`` levels on each side of 0 give the least squared error.

    Clipping few large values may serve the many small ones better; 60 clipping points from the
    largest magnitude down to 0.4 of it are tried, on at most 200,000 values.
    """
    flat = np.abs(values.ravel())
    largest = float(flat.max())
    if largest == 0:
        return 1.0
    sample = flat[:: max(1, len(flat) // 200_000)]
    candidates = [largest * clip / codes for clip in np.linspace(1, 0.4, 60)]
    return float(min(candidates, key=lambda scale: _error(sample, scale, codes)))


def _error(values: NDArray[np.float64], scale: float, codes: int) -> float:
    restored = np.minimum(np.rint(values / scale), codes) * scale
    return float(np.square(values - restored).sum())


def fixed_point(factor: float) -> tuple[int, int]:
    """Write a factor below 2**14 as ``multiplier / 2**shift``, the multiplier below 2**15."""
    if not 0 < factor < 2**14:
        raise ValueError(f"factor must be in (0, 2**14), not {factor}")
    shift = min(47, int(14 - np.floor(np.log2(factor))))
    multiplier = round(factor * 2.0**shift)
    if multiplier == 2**15:
        multiplier, shift = multiplier // 2, shift - 1
    return max(1, multiplier), shift
