"""Scales (the real value of one integer step), and fixed-point factors between scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fixed_point", "scale_of"]


def scale_of(values: NDArray[np.float64], limit: int) -> float:
    """Search the scale of the least squared error for integers ``-limit .. limit``.

    Clipping a few large values may reduce the error of the many small ones: 60 clipping points,
    from the largest magnitude down to 0.4 of it, are tried on at most 200,000 values.

    Parameters
    ----------
    values
        Any shape.
    limit
        Largest integer.

    Returns
    -------
    float
        Real value of one integer step; 1 where every value is 0.
    """
    flat = np.abs(values.ravel())
    largest = float(flat.max())
    if largest == 0:
        return 1.0
    sample = flat[:: max(1, len(flat) // 200_000)]
    candidates = [largest * clip / limit for clip in np.linspace(1, 0.4, 60)]
    return float(min(candidates, key=lambda scale: _error(sample, scale, limit)))


def _error(values: NDArray[np.float64], scale: float, limit: int) -> float:
    restored = np.minimum(np.rint(values / scale), limit) * scale
    return float(np.square(values - restored).sum())


def fixed_point(factor: float) -> tuple[int, int]:
    """Approximate a factor as ``multiplier / 2**shift`` with a multiplier below 2**15.

    Parameters
    ----------
    factor
        Above 0 and below 2**14.

    Returns
    -------
    multiplier, shift
        1 .. 2**15 - 1, and at most 47.

    Raises
    ------
    ValueError
        The factor is out of range.
    """
    if not 0 < factor < 2**14:
        raise ValueError(f"factor must be in (0, 2**14), not {factor}")
    shift = min(47, int(14 - np.floor(np.log2(factor))))
    multiplier = round(factor * 2.0**shift)
    if multiplier == 2**15:
        multiplier, shift = multiplier // 2, shift - 1
    return max(1, multiplier), shift
