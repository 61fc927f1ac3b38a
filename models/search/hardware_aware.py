"""Hardware-aware pruning: the algorithm of ADMM-NN (ASPLOS 2019), figure 5.

Starting from given fractions to keep, a binary search lowers every layer's fraction in proportion
to its share of the cost, as long as the accuracy on the images held out stays above a floor. Layers
that are pruned less than their break-even are restored to dense, which costs less and recovers
accuracy; the other layers are then lowered further. The search ends when every pruned layer reaches
its break-even.

Pruning a network takes minutes to hours, so each result is recorded and never computed twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from pydantic import TypeAdapter

from hwsim.errors import InputError
from hwsim.system.files import write_text_atomic

__all__ = ["Outcome", "Point", "Record", "Search"]

#: Largest number of halvings of the costliest layer's fraction.
_FAR = 32.0


@dataclass(frozen=True)
class Point:
    """One pruned network: weights kept and cost by layer, and its accuracy on the held-out images.

    ``accuracy`` is a fraction. ``restored`` are the layers that are dense and run on a dense array.
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
    """Prunes a network and measures it.

    ``number`` counts the points. ``keep`` is the fraction of the weights to keep per layer; it is
    1.0 for the layers in ``restored``, which stay dense.
    """

    def __call__(
        self, number: int, keep: Mapping[str, float], restored: frozenset[str]
    ) -> tuple[float, dict[str, float]]:
        """Return the accuracy on the images held out, and the cost of each layer."""


@dataclass(frozen=True)
class Outcome:
    """Best point, all points evaluated, and whether the search ended within its budget."""

    best: Point
    points: list[Point]
    finished: bool


class Record:
    """The points of one search in a JSON file, which is written whole after each point.

    Parameters
    ----------
    path
        The file.
    question
        Text of all that the points depend on; a record of another question is not continued.
    """

    def __init__(self, path: Path, question: str) -> None:
        self._path, self._question = path, question
        self.points: list[Point] = []
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["question"] == question:
                self.points = TypeAdapter(list[Point]).validate_python(document["points"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            self.points = []

    def find(self, kept: Mapping[str, int], restored: frozenset[str]) -> Point | None:
        """Return the point of these layers, ``None`` where it was not evaluated yet."""
        for point in self.points:
            if point.kept == kept and set(point.restored) == restored:
                return point
        return None

    def add(self, point: Point) -> None:
        """Add a point and write the file."""
        self.points.append(point)
        document = {"question": self._question, "points": [asdict(each) for each in self.points]}
        write_text_atomic(self._path, json.dumps(document, indent=1) + "\n")


class _Spent(Exception):
    """The budget of evaluations is exhausted."""


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
        Smallest acceptable accuracy on the images held out, a fraction.
    break_even
        Smallest pruned fraction of each layer that costs no more than dense; ``None``: even the
        sparsest layer costs more.
    evaluate
        Prunes and measures a network.
    record
        Stores the points.
    step
        Resolution, in halvings of the costliest layer's fraction.
    limit
        Budget of evaluations, those on record included. When it is exhausted, the best result so
        far is used.
    report
        Called with each new point.
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
            The dense network is not accurate enough, or no point was when the budget of
            evaluations was exhausted.
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
        """Lower the fractions of the layers not restored as far as the accuracy allows.

        Each fraction is multiplied by ``2 ** (-t * share)``, where ``share`` is the layer's cost
        relative to the costliest layer's. t is doubled until the accuracy falls below the floor,
        and then bisected. Where the accuracy is too low at the start, t is negative, and all
        fractions are raised by the same factor.
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
        """Find a t that is good and a larger one that is not (``None``: nothing left)."""
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
        """Evaluate a network, unless it is on record."""
        kept = {
            name: min(size, max(1, round(keep[name] * size))) for name, size in self.sizes.items()
        }
        point = self.record.find(kept, restored)
        if point is None:
            number = len(self.record.points)
            if number >= self.limit:
                raise _Spent
            fractions = {name: kept[name] / size for name, size in self.sizes.items()}
            accuracy, costs = self.evaluate(number, fractions, restored)
            point = Point(number, kept, sorted(restored), accuracy, costs)
            self.record.add(point)
            self.report(point)
        if self._is_good(point) and (self._best is None or point.cost < self._best.cost):
            self._best = point
        return point
