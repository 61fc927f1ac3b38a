"""Look at the points that a sampler asks for: each known, bounded, or simulated."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hwsim.config.jobs.sweep import BoundConfig
from hwsim.errors import InputError
from hwsim.sweeps.bounds import Bounds
from hwsim.sweeps.constraints import Miss, misses, violation
from hwsim.sweeps.engines.base import Engine
from hwsim.sweeps.point import Point
from hwsim.sweeps.samplers.base import NOTHING, Outcome, Sampler
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Row, Store

__all__ = ["Looked", "Search", "missed_by"]

#: Begins the columns of metrics of which only the least is known.
LEAST = "least."


@dataclass
class Looked:
    """Points that a search has looked at, each once, in the order in which they were asked for."""

    #: Number of each in its space.
    numbers: array[int] = field(default_factory=lambda: array("q"))
    #: Key of each, as bytes.
    keys: dict[bytes, None] = field(default_factory=dict)
    #: Points that were simulated now.
    ran: int = 0

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Number and key of each point."""
        return ((n, key.hex()) for n, key in zip(self.numbers, self.keys, strict=True))


class Search:
    """A search through a space.

    Parameters
    ----------
    objectives
        Metric -> ``min`` or ``max``.
    bounds
        Gives what is known of a point without a simulation; used where there are constraints.
    fresh
        Simulate points again that are known.
    progress
        Called with the number of points that were looked at, after each.
    """

    def __init__(
        self,
        space: Space,
        store: Store,
        objectives: Mapping[str, str],
        constraints: Mapping[str, BoundConfig],
        bounds: Bounds,
        fresh: bool = False,
        progress: Callable[[int], None] = lambda looked: None,
    ) -> None:
        self._space, self._store = space, store
        self._objectives, self._constraints, self._bounds = objectives, constraints, bounds
        self._fresh, self._progress = fresh, progress
        self.looked = Looked()

    def run(self, sampler: Sampler, engine: Engine) -> Looked:
        """Look at what a sampler asks for until it asks for nothing more.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C, when the points under way are finished and stored.
        InputError
            A worker died, or the store cannot be written.
        """
        while batch := sampler.ask():
            waiting: dict[str, list[int]] = {}

            def keep(row: Row, waiting: dict[str, list[int]] = waiting) -> None:
                self._store.put(row)
                outcome = self._outcome(row)
                for number in waiting.pop(row.key):
                    sampler.tell(number, outcome)
                self.looked.ran += row.status != "bounded"
                self._progress(len(self.looked) - len(waiting))

            engine(self._unknown(batch, sampler, waiting, keep), keep)
        return self.looked

    def _unknown(
        self,
        batch: Sequence[int],
        sampler: Sampler,
        waiting: dict[str, list[int]],
        keep: Callable[[Row], None],
    ) -> Iterator[Point]:
        """Points that have to be simulated; of the others the sampler is told at once."""
        for number in batch:
            point: Point = self._space[number]
            if point.key in waiting:
                waiting[point.key].append(number)
                continue
            key = bytes.fromhex(point.key)
            is_new = key not in self.looked.keys
            if is_new:
                self.looked.keys[key] = None
                self.looked.numbers.append(number)
            row = None if self._fresh and is_new else self._store.get(point.key)
            if row is not None and row.is_settled:
                sampler.tell(number, self._outcome(row))
                self._progress(len(self.looked) - len(waiting))
                continue
            waiting[point.key] = [number]
            if point.error:
                keep(Row(point.key, "invalid", point.fields, point.error))
            elif (bounded := self._bounded(point)) is not None:
                keep(bounded)
            else:
                yield point

    def _bounded(self, point: Point) -> Row | None:
        """Row of a point that misses a constraint by what is known already, or is invalid."""
        if not self._constraints:
            return None
        try:
            known = self._bounds.of(point)
        except InputError as error:
            return Row(point.key, "invalid", point.fields, str(error))
        missed = misses(self._constraints, known.exact, known.least)
        if not missed:
            return None
        text = "; ".join(map(str, missed))
        least = {f"{LEAST}{metric}": value for metric, value in known.least.items()}
        return Row(point.key, "bounded", point.fields, text, known.exact | least)

    def _outcome(self, row: Row) -> Outcome:
        if row.status == "bounded":
            return Outcome(None, violation(missed_by(self._constraints, row)))
        if row.status != "done" or any(name not in row.result for name in self._objectives):
            return NOTHING
        costs = tuple(
            row.result[name] * (1 if goal == "min" else -1)
            for name, goal in self._objectives.items()
        )
        return Outcome(costs, violation(missed_by(self._constraints, row)))


def missed_by(constraints: Mapping[str, BoundConfig], row: Row) -> list[Miss]:
    """Constraints that a point with a result, or with bounds, misses."""
    if row.status != "bounded":
        return misses(constraints, row.result)
    least = {
        metric.removeprefix(LEAST): value
        for metric, value in row.result.items()
        if metric.startswith(LEAST)
    }
    return misses(constraints, row.result, least)
