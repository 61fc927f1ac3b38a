"""The Pareto front: the points that no other point beats.

Sweeps mark the front in their table, studies join it by a line in their pictures; both report, so
the front is in the room of reports, below both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["front"]


def front(costs: ArrayLike) -> NDArray[np.bool_]:
    """Mark the Pareto front of points whose costs are all to be minimised.

    A point is on the front where no other point is at most as costly in every objective and less
    costly in at least one. Equal points are on the front together.

    Parameters
    ----------
    costs
        ``(points, objectives)`` real numbers; negate an objective that is to be maximised.

    Returns
    -------
    (points,) bool
        True where the point is on the front.

    Raises
    ------
    ValueError
        ``costs`` does not have two axes, or a cost is NaN.

    Notes
    -----
    The lexicographically first of the remaining points is beaten by none of them, so each round
    adds one point to the front and drops all points that it beats: O(points x front), one array
    operation per round.
    """
    costs = np.asarray(costs, dtype=float)
    if costs.ndim != 2:
        raise ValueError(f"costs must be (points, objectives), not of shape {costs.shape}")
    if np.isnan(costs).any():
        raise ValueError("costs must not be NaN")
    distinct, indices = np.unique(costs, axis=0, return_inverse=True)  # in lexicographic order
    best = np.zeros(len(distinct), dtype=bool)
    remaining = np.arange(len(distinct))
    while remaining.size:
        first, rest = remaining[0], remaining[1:]
        best[first] = True
        remaining = rest[(distinct[rest] < distinct[first]).any(axis=1)]
    return best[indices.reshape(-1)]
