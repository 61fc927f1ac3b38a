"""Points that are spread evenly: a scrambled Sobol sequence over the axes of each run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from math import prod

from hwsim.sweeps.samplers.base import Outcome
from hwsim.sweeps.space import Space

__all__ = ["Sobol", "spread"]

#: Points of a draw: the sequence is balanced over powers of two.
DRAWN = 256


class Sobol:
    """Asks for ``points`` points that are spread evenly, or for one shard of them."""

    def __init__(
        self, space: Space, points: int, seed: int, shard: int = 0, shards: int = 1
    ) -> None:
        spread_out = islice(spread(space, seed), min(points, len(space)))
        self._left = list(islice(spread_out, shard, None, shards))
        self.total = len(self._left)

    def ask(self) -> Sequence[int]:
        """All points, then none."""
        asked, self._left = self._left, []
        return asked

    def tell(self, number: int, outcome: Outcome) -> None:
        """Hear nothing: what comes of a point decides nothing."""


def spread(space: Space, seed: int) -> Iterator[int]:
    """Numbers of points of a space, each once, until a draw brings nothing new.

    The first dimension chooses the run, by its share of the points, the others a value on each of
    its axes.
    """
    from scipy.stats import qmc

    axes = space.axes
    ends = list(accumulate(map(prod, axes)))
    sequence = qmc.Sobol(1 + max(map(len, axes)), rng=seed)
    seen: set[int] = set()
    while True:
        before = len(seen)
        for first, *others in sequence.random(DRAWN).tolist():
            run = min(bisect_right(ends, first * ends[-1]), len(axes) - 1)
            sizes = axes[run]
            values = [int(part * size) for part, size in zip(others, sizes, strict=False)]
            number = space.number(run, values)
            if number not in seen:
                seen.add(number)
                yield number
        if len(seen) == before:
            return
