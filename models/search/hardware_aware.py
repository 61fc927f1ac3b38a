"""Hardware-aware pruning: the algorithm of ADMM-NN (ASPLOS 2019), figure 5.

From given fractions to keep, a binary search lowers every layer's fraction in proportion to its
share of the cost, as long as the accuracy on images held out stays above a floor. Layers pruned
less than their break-even are restored to dense, where they cost less, and the accuracy that this
gives back is spent by lowering the others again, until no layer is left under its break-even.

Pruning a network takes minutes to hours, so each is recorded and never done twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from hwsim.errors import InputError
from hwsim.system.files import write_text_atomic

__all__ = ["Outcome", "Point", "Record", "Search"]

#: Halvings of the costliest layer, or doublings, after which the search is at its end.
_FAR = 32.0


@dataclass(frozen=True)
class Point:
    """One pruned network: weights kept and cost by layer, and its accuracy on the held-out images.

    ``restored`` are the layers that are dense, and cost what a dense array takes for them.
    """

    number: int
    kept: dict[str, int]
    restored: list[str]
    accuracy: float
    costs: dict[str, float]

    @property
    def cost(self) -> float:
        """Cost of all layers."""
        return sum(self.costs.values())


class Evaluate(Protocol):
    """Prunes a network, and says how accurate it is on held-out images and what each layer costs.

    ``number`` counts the points; ``keep`` are fractions of each layer's weights, 1.0 for those in
    ``restored``, which are dense.
    """

    def __call__(
        self, number: int, keep: Mapping[str, float], restored: frozenset[str]
    ) -> tuple[float, dict[str, float]]:
        """Give the accuracy and the costs."""


@dataclass(frozen=True)
class Outcome:
    """Best point found, the points on the way to it, and whether the search came to its end."""

    best: Point
    points: list[Point]
    finished: bool


class Record:
    """Points in a JSON file, which is written whole after each; of one question only.

    Parameters
    ----------
    path
        The file.
    question
        What was asked, as text: a record of another question is not continued.
    """

    def __init__(self, path: Path, question: str) -> None:
        self._path, self._question = path, question
        self.points: list[Point] = []
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["question"] == question:
                self.points = [Point(**point) for point in document["points"]]
        except (OSError, ValueError, KeyError, TypeError):
            self.points = []

    def find(self, kept: Mapping[str, int], restored: frozenset[str]) -> Point | None:
        """Point that was evaluated before, if it was."""
        for point in self.points:
            if point.kept == kept and set(point.restored) == restored:
                return point
        return None

    def add(self, point: Point) -> None:
        """Take note of a point, on disk as well."""
        self.points.append(point)
        document = {"question": self._question, "points": [asdict(each) for each in self.points]}
        write_text_atomic(self._path, json.dumps(document, indent=1) + "\n")


class _Spent(Exception):
    """No evaluation is left."""


@dataclass
class Search:
    """The search; :meth:`run` it.

    Parameters
    ----------
    sizes
        Weights of each layer, dense.
    start
        Fraction to keep of each layer that may be pruned; the others stay dense.
    floor
        Smallest accuracy that is good enough.
    break_even
        Pruned portion from which on a layer costs no more than dense; ``None``: it never does.
    evaluate
        See :class:`Evaluate`.
    record
        Where points are kept.
    step
        Resolution, in halvings of the costliest layer.
    limit
        Most evaluations, those on record included.
    report
        Told each new point.
    """

    sizes: Mapping[str, int]
    start: Mapping[str, float]
    floor: float
    break_even: Mapping[str, float | None]
    evaluate: Evaluate
    record: Record
    step: float = 0.25
    limit: int = 40
    report: Callable[[Point], None] = lambda point: None
    _best: Point | None = field(default=None, init=False)

    def run(self) -> Outcome:
        """Search to the fixed point.

        Raises
        ------
        InputError
            Not even the dense network is accurate enough; or the evaluations were used up before
            one that is was found.
        """
        restored = frozenset(name for name in self.sizes if name not in self.start)
        keep = dict.fromkeys(self.sizes, 1.0) | dict(self.start)
        finished = True
        try:
            while True:
                point = self._lower(keep, restored)
                under = {
                    name
                    for name in self.sizes
                    if name not in restored and self._is_under(name, point.kept[name])
                }
                if not under:
                    self._best = point
                    break
                restored |= under
                keep = {
                    name: 1.0 if name in restored else point.kept[name] / size
                    for name, size in self.sizes.items()
                }
        except _Spent:
            finished = False
        if self._best is None:
            rule = f"must be enough to find a network of accuracy {self.floor:.4f} or better"
            raise InputError("hardware_aware", "evaluations", self.limit, rule)
        return Outcome(self._best, self.record.points, finished)

    def _is_under(self, name: str, kept: int) -> bool:
        needed = self.break_even[name]
        return needed is None or 1 - kept / self.sizes[name] < needed

    def _lower(self, keep: Mapping[str, float], restored: frozenset[str]) -> Point:
        """Lower what is kept of the layers not restored as far as the accuracy allows.

        Each goes as ``2 ** (-t * share)``, its share of the cost being relative to the largest; t
        is doubled until the accuracy falls below the floor, and then bisected. Where the accuracy
        is too low to begin with, t is negative, and all are raised alike.
        """
        first = self._point(keep, restored)
        free = [name for name in self.sizes if name not in restored]
        if not free:
            if not self._is_good(first):
                self._refuse(first)
            return first
        largest = max(first.costs[name] for name in free)
        share = {name: first.costs[name] / largest if largest else 1.0 for name in free}

        def at(t: float) -> Point:
            lowered = {
                name: keep[name] * 2 ** (-t * (share[name] if t > 0 else 1.0)) for name in free
            }
            return self._point({**keep, **lowered}, restored)

        good, bad = self._bracket(first, at)
        if bad is None:
            return at(good)
        while bad - good > self.step:
            middle = (good + bad) / 2
            if self._is_good(at(middle)):
                good = middle
            else:
                bad = middle
        return at(good)

    def _bracket(self, first: Point, at: Callable[[float], Point]) -> tuple[float, float | None]:
        """Find a t that is good, and one that is not; ``None`` where nothing is left to lower."""
        if self._is_good(first):
            good, t = 0.0, 1.0
            before = first
            while t <= _FAR:
                point = at(t)
                if not self._is_good(point):
                    return good, t
                if point.kept == before.kept:
                    return good, None
                good, before, t = t, point, 2 * t
            return good, None
        bad, t = 0.0, -1.0
        while True:
            point = at(t)
            if self._is_good(point):
                return t, bad
            if all(point.kept[name] == size for name, size in self.sizes.items()):
                self._refuse(point)
            bad, t = t, 2 * t

    def _refuse(self, point: Point) -> NoReturn:
        rule = f"must be met by the dense network at least, whose accuracy is {point.accuracy:.4f}"
        raise InputError("hardware_aware", "bound", self.floor, rule)

    def _is_good(self, point: Point) -> bool:
        return point.accuracy >= self.floor

    def _point(self, keep: Mapping[str, float], restored: frozenset[str]) -> Point:
        """Evaluate a network, or look it up."""
        kept = {
            name: min(size, max(1, round(keep[name] * size))) for name, size in self.sizes.items()
        }
        found = self.record.find(kept, restored)
        if found is None:
            number = len(self.record.points)
            if number >= self.limit:
                raise _Spent
            fractions = {name: kept[name] / size for name, size in self.sizes.items()}
            accuracy, costs = self.evaluate(number, fractions, restored)
            found = Point(number, kept, sorted(restored), accuracy, costs)
            self.record.add(found)
            self.report(found)
        if self._is_good(found) and (self._best is None or found.cost < self._best.cost):
            self._best = found
        return found
