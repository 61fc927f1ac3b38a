"""NSGA-II: points bred from the best so far, generation by generation.

Deb, Pratap, Agarwal, Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II",
IEEE TEC 6 (2), 2002, with its rule for constraints: a feasible point beats an infeasible one, of
two infeasible ones that with the smaller violation is ahead.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import islice
from math import inf, isfinite

import numpy as np

from hwsim.report.pareto import front
from hwsim.sweeps.samplers.base import Outcome
from hwsim.sweeps.samplers.sobol import spread
from hwsim.sweeps.space import Space

__all__ = ["NSGA2", "ranks"]

#: Run, and which value on each of its axes.
Place = tuple[int, tuple[int, ...]]

#: Children that are bred for each that is asked for, at most: others were looked at already.
TRIES = 50


class NSGA2:
    """Asks for ``population`` points at a time, ``points`` in all, each once.

    The first generation is spread evenly. A child takes each value from one of two parents of the
    same run; one value of it, on average, is drawn anew or moves to its neighbour; now and then it
    is any point of the space.
    """

    def __init__(self, space: Space, points: int, population: int, seed: int) -> None:
        self._space, self._population = space, population
        self._random = random.Random(seed)
        self._fresh = spread(space, seed)
        self.total = min(points, len(space))
        self._asked: set[int] = set()
        #: The best so far, from which the next generation is bred.
        self.parents: list[int] = []
        #: What came of them, and of the last generation.
        self._outcomes: dict[int, Outcome] = {}

    def ask(self) -> Sequence[int]:
        """Next generation; empty when all points are asked for."""
        wanted = min(self._population, self.total - len(self._asked))
        children: dict[int, None] = {}
        if self._outcomes:
            order = self._select()
            for _ in range(TRIES * wanted):
                if len(children) == wanted:
                    break
                child = self._child(order)
                if child not in self._asked:
                    children[child] = None
        unseen = (n for n in self._fresh if n not in self._asked and n not in children)
        children |= dict.fromkeys(islice(unseen, wanted - len(children)))
        self._asked |= children.keys()
        return list(children)

    def tell(self, number: int, outcome: Outcome) -> None:
        """Take a point into account."""
        self._outcomes[number] = outcome

    def _select(self) -> dict[int, tuple[float, float]]:
        """Keep the best as parents; each with its rank and how crowded it is, less being better."""
        numbers = list(self._outcomes)
        rank = ranks([self._outcomes[number] for number in numbers])
        crowding = self._crowding(numbers, rank)
        order = {number: (float(rank[i]), -float(crowding[i])) for i, number in enumerate(numbers)}
        self.parents = sorted(numbers, key=order.__getitem__)[: self._population]
        self._outcomes = {number: self._outcomes[number] for number in self.parents}
        return order

    def _crowding(self, numbers: list[int], rank: list[int]) -> list[float]:
        """Distance to the neighbours of the same rank, in objectives scaled to their range."""
        found = [0.0] * len(numbers)
        for each in set(rank):
            members = [i for i, r in enumerate(rank) if r == each]
            costs = [self._outcomes[numbers[i]].costs for i in members]
            if any(cost is None for cost in costs):
                continue
            for column in np.array(costs).T:
                order = np.argsort(column, kind="stable")
                width = float(column[order[-1]] - column[order[0]]) or 1.0
                found[members[order[0]]] = found[members[order[-1]]] = inf
                for before, this, after in zip(order, order[1:], order[2:], strict=False):
                    found[members[this]] += float(column[after] - column[before]) / width
        return found

    def _child(self, order: dict[int, tuple[float, float]]) -> int:
        draw = self._random
        mother, father = (
            self._space.coordinates(min(draw.choices(self.parents, k=2), key=order.__getitem__))
            for _ in range(2)
        )
        run, values = mother
        axes = self._space.axes[run]
        if draw.random() < 1 / (1 + len(axes)):
            return draw.randrange(len(self._space))
        others = father[1] if father[0] == run else values
        mixed = [draw.choice(pair) for pair in zip(values, others, strict=True)]
        mutable = [axis for axis, size in enumerate(axes) if size > 1]
        for axis in mutable:
            if draw.random() < 1 / len(mutable):
                mixed[axis] = self._moved(mixed[axis], axes[axis])
        return self._space.number(run, mixed)

    def _moved(self, value: int, size: int) -> int:
        """Neighbour of a value on its axis, or any value."""
        if self._random.random() < 0.5:
            return self._random.randrange(size)
        return min(max(value + self._random.choice((-1, 1)), 0), size - 1)


def ranks(outcomes: Sequence[Outcome]) -> list[int]:
    """Rank of each outcome, 0 the best: fronts of feasible points, then others by violation."""
    found = [0] * len(outcomes)
    left = [i for i, o in enumerate(outcomes) if o.costs is not None and o.violation == 0]
    rank = 0
    while left:
        best = front(np.array([outcomes[i].costs for i in left], dtype=float))
        for i, is_best in zip(left, best, strict=True):
            if is_best:
                found[i] = rank
        left = [i for i, is_best in zip(left, best, strict=True) if not is_best]
        rank += 1
    infeasible = sorted({o.violation for o in outcomes if isfinite(o.violation)} - {0.0})
    place = {violation: rank + i for i, violation in enumerate(infeasible)}
    for i, outcome in enumerate(outcomes):
        if outcome.costs is None or outcome.violation > 0:
            found[i] = place.get(outcome.violation, rank + len(infeasible))
    return found
