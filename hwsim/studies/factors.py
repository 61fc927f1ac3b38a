"""The middle of factors by which one of two sides is ahead."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["middle"]


def middle(factors: Iterable[float]) -> float:
    """Median of ratios that is the same whichever side is the numerator.

    Of an even number it is the geometric mean of the two in the middle: their arithmetic mean is
    not 1 / that of the ratios turned round.
    """
    ordered = sorted(factors)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else math.sqrt(low * high)
