"""The points of a sweep that no other point beats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["front"]


def front(costs: ArrayLike) -> NDArray[np.bool_]:
    """Mark the Pareto front of ``(points, objectives)`` costs, all to be minimised.

    A point is on the front where no other is at most as costly in every objective and less costly
    in one; equal points are on it together. Negate what is to be maximised.

    Notes
    -----
    The lexicographically first of the points left is beaten by none of them, so each round finds
    one point of the front and drops all that it beats: O(points x front), one array operation a
    round.
    """
    costs = np.asarray(costs, dtype=float)
    if costs.ndim != 2:
        raise ValueError(f"costs must be (points, objectives), not of shape {costs.shape}")
    if np.isnan(costs).any():
        raise ValueError("costs must not be NaN")
    distinct, places = np.unique(costs, axis=0, return_inverse=True)  # in lexicographic order
    best = np.zeros(len(distinct), dtype=bool)
    left = np.arange(len(distinct))
    while left.size:
        first, rest = left[0], left[1:]
        best[first] = True
        left = rest[(distinct[rest] < distinct[first]).any(axis=1)]
    return best[places.reshape(-1)]
