"""Scales (the real value of one integer step), and fixed-point factors between scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Rescale
from hwsim.config import LayerShape

__all__ = ["averaged", "fixed_point", "rescale", "scale_of", "scales_of"]

#: Fractions of the largest magnitude at which a search clips.
_CLIPS = np.linspace(1, 0.4, 60)


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
    return float(scales_of(values.reshape(1, -1), limit, 200_000)[0])


def scales_of(rows: NDArray[np.floating], limit: int, sample: int = 4096) -> NDArray[np.float64]:
    """Search a scale for each row, as :func:`scale_of` does for all values.

    Parameters
    ----------
    rows
        ``(rows, n)``.
    limit
        Largest integer.
    sample
        About as many values of each row are looked at.

    Returns
    -------
    (rows,) float64
        Real value of one integer step of each row; 1 where all its values are 0.
    """
    magnitudes = np.abs(rows)
    largest = magnitudes.max(axis=1).astype(np.float64)
    some = magnitudes[:, :: max(1, rows.shape[1] // sample)].astype(np.float64)
    some = some[largest > 0]
    best = np.full(len(some), np.inf)
    found, scales = np.ones(len(some)), np.ones(len(rows))
    for clip in _CLIPS:
        scale = largest[largest > 0] * clip / limit
        error = _error(some, scale[:, None], limit)
        found = np.where(error < best, scale, found)
        best = np.minimum(error, best)
    scales[largest > 0] = found
    return scales


def _error(
    values: NDArray[np.float64], scale: NDArray[np.float64], limit: int
) -> NDArray[np.float64]:
    restored = np.minimum(np.rint(values / scale), limit) * scale
    error: NDArray[np.float64] = np.square(values - restored).sum(axis=1)
    return error


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


def rescale(factors: Sequence[float]) -> Rescale:
    """Convert factors to fixed point with a common shift, chosen for the largest factor.

    Parameters
    ----------
    factors
        Of each input of a layer without weights; the largest is above 0 and below 2**14.

    Raises
    ------
    ValueError
        The largest factor is out of range.
    """
    _, shift = fixed_point(max(factors))
    return Rescale(tuple(round(factor * 2.0**shift) for factor in factors), shift)


def averaged(shape: LayerShape) -> int:
    """Count the values that one output of a layer averages; 1 except in average pools."""
    if shape.layer.type == "globalavgpool":
        return shape.ifmap.height * shape.ifmap.width
    return shape.R * shape.S if shape.layer.type == "avgpool" else 1
