"""The interface of samplers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["NOTHING", "Outcome", "Sampler"]


@dataclass(frozen=True)
class Outcome:
    """What a sampler is told of a point."""

    #: Objectives, each the less the better; ``None`` where the point has none.
    costs: tuple[float, ...] | None
    #: How far the point is from what is feasible: 0 where it is.
    violation: float = 0.0


#: Of a point that breaks a rule or has no result.
NOTHING = Outcome(None, float("inf"))


class Sampler(Protocol):
    """Asks for points by number, batch by batch, and is told what came of each."""

    #: Points that will be asked for, at most.
    total: int

    def ask(self) -> Sequence[int]:
        """Numbers of the next points; none when the search is over."""
        ...

    def tell(self, number: int, outcome: Outcome) -> None:
        """Hear what came of a point that was asked for."""
        ...
