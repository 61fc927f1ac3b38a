"""Constraints of a sweep: which bounds a point misses, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hwsim.config.jobs.sweep import BoundConfig

__all__ = ["Miss", "misses", "violation"]


@dataclass(frozen=True)
class Miss:
    """A bound that a point misses."""

    metric: str
    #: ``at most`` or ``at least``.
    side: str
    bound: float
    #: What the point has; with ``is_beyond`` it has that or is farther from the bound, and without
    #: a value it was not measured.
    value: float | None
    is_beyond: bool = False

    @property
    def by(self) -> float:
        """How far the value is from the bound, at least."""
        return math.inf if self.value is None else abs(self.value - self.bound)

    @property
    def share(self) -> float:
        """The same as a fraction of the bound."""
        return self.by / abs(self.bound) if self.bound else self.by

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.metric} is not measured here"
        least = " or more" if self.is_beyond and self.side == "at most" else ""
        least = " or less" if self.is_beyond and self.side == "at least" else least
        off = f"off by {self.by:.4g}, {self.share:.1%}"
        return f"{self.metric} = {self.value:.6g}{least} must be {self.side} {self.bound:g}: {off}"


def misses(
    constraints: Mapping[str, BoundConfig],
    result: Mapping[str, float],
    least: Mapping[str, float] | None = None,
) -> list[Miss]:
    """Bounds that a result misses.

    Parameters
    ----------
    least
        Given where the result is not all known yet: metrics of which only a lower bound is. Metrics
        of which nothing is known miss no bound then.
    """
    found = []
    for metric, bound in constraints.items():
        value, is_beyond = result.get(metric), False
        if value is None and least is not None:
            value, is_beyond = least.get(metric), True
            if value is None or bound.max is None:
                continue
        if value is None:
            limit = bound.max if bound.max is not None else bound.min
            assert limit is not None
            found.append(Miss(metric, "within", limit, None))
        elif bound.max is not None and value > bound.max:
            found.append(Miss(metric, "at most", bound.max, value, is_beyond))
        elif bound.min is not None and value < bound.min and not is_beyond:
            found.append(Miss(metric, "at least", bound.min, value))
    return found


def violation(missed: list[Miss]) -> float:
    """How far a point is from what is feasible: the fractions of all bounds that it misses."""
    return sum(miss.share for miss in missed)
