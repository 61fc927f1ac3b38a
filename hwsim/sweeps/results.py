"""Results of a sweep: the rows of its points, read as they are asked for, fronts marked."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hwsim.config.jobs.sweep import SweepConfig
from hwsim.report.pareto import front
from hwsim.sweeps.constraints import Miss
from hwsim.sweeps.run import Looked, missed_by
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Row, read

__all__ = ["WORK", "PointResult", "Results"]

#: What makes points different work: these compete with none but their own.
WORK = ("network", "images", "memory")
#: Statuses of points of which metrics are known.
MEASURED = ("done", "bounded")


@dataclass(frozen=True)
class PointResult:
    """One point with its row."""

    #: Columns of :meth:`to_dict` behind those of the point and of its measurements.
    STATUS: ClassVar[tuple[str, ...]] = (
        "feasible", "misses", "pareto", "pareto_of_run", "status", "error", "seconds", "runs",
        "key",
    )  # fmt: skip

    #: Where the point lies in the space.
    fields: dict[str, Any]
    row: Row
    #: Constraints that it misses.
    missed: list[Miss]
    #: Whether it is on the Pareto front of its work, and on that of its run alone.
    best: bool
    best_of_run: bool

    @property
    def work(self) -> tuple[Any, ...]:
        """Network, batch and memory: points of equal work compete."""
        return tuple(self.fields.get(key) for key in WORK)

    def to_dict(self) -> dict[str, Any]:
        """Flat row: where it lies, measurements, status."""
        return {
            **self.fields,
            **self.row.result,
            "feasible": self.row.status == "done" and not self.missed,
            "misses": "; ".join(map(str, self.missed)),
            "pareto": self.best,
            "pareto_of_run": self.best_of_run,
            "status": self.row.status,
            "error": "" if self.row.status == "bounded" else self.row.error,
            "seconds": self.row.seconds,
            "runs": self.row.runs,
            "key": self.row.key,
        }


class Results(Sequence[PointResult]):
    """Results in the order in which the points were looked at.

    They stay in the store, and are read from there whenever they are iterated: a sweep may have
    more of them than fit into memory.
    """

    def __init__(self, config: SweepConfig, space: Space, looked: Looked, store: Path) -> None:
        self._config, self._space, self._looked, self._store = config, space, looked, store
        #: Number of points of each status, of feasible ones, and of those that miss each metric;
        #: of those that were simulated alone.
        self.counts: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.missed_simulated: Counter[str] = Counter()
        #: Metric -> the smallest miss of it.
        self.closest: dict[str, Miss] = {}
        #: Point that misses its constraints by least, and what it misses.
        self.nearest: list[Miss] = []
        #: Columns of measurements.
        self.metrics: dict[str, None] = {}
        #: Columns that say where a point lies, and those that are enough for people.
        self.columns, self.shown = space.columns, space.shown
        #: What of each network runs outside the array, where something does.
        self.outside = space.outside
        self._fronts = [set[bytes](), set[bytes]()]
        self._survey()

    def __len__(self) -> int:
        return len(self._looked)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __iter__(self) -> Iterator[PointResult]:
        everything, own = self._fronts
        rows = read(self._store, (key for _, key in self._looked))
        # each point that was looked at has a row
        for (number, _), row in zip(self._looked, rows, strict=True):
            key = bytes.fromhex(row.key)
            yield PointResult(
                self._space.fields(number),
                row,
                missed_by(self._config.constraints, row) if row.status in MEASURED else [],
                key in everything,
                key in own,
            )

    @property
    def front(self) -> list[PointResult]:
        """Feasible results that no other of the same work beats in every objective."""
        return [result for result in self if result.best]

    def first_error(self, status: str) -> str:
        """Error of the first point of a status; ``""`` where there is none."""
        return next((r.row.error for r in self if r.row.status == status), "")

    def _survey(self) -> None:
        """Count, and find the fronts, in one pass that keeps the objectives alone."""
        objectives = self._config.objectives
        rivals: dict[tuple[Any, ...], tuple[list[bytes], array[float]]]
        rivals = defaultdict(lambda: ([], array("d")))
        least = float("inf")
        for result in self:
            row = result.row
            self.counts[row.status] += 1
            self.metrics.update(dict.fromkeys(row.result))
            for miss in result.missed:
                self.missed[miss.metric] += 1
                if row.status == "done":
                    self.missed_simulated[miss.metric] += 1
                known = self.closest.get(miss.metric)
                if known is None or miss.by < known.by:
                    self.closest[miss.metric] = miss
            if result.missed and (total := sum(m.share for m in result.missed)) < least:
                least, self.nearest = total, result.missed
            if row.status != "done" or result.missed:
                continue
            self.counts["feasible"] += 1
            if any(name not in row.result for name in objectives):
                continue
            keys, costs = rivals[result.fields.get("run"), *result.work]
            keys.append(bytes.fromhex(row.key))
            costs.extend(
                row.result[name] * (1 if goal == "min" else -1) for name, goal in objectives.items()
            )
        self.counts["compared"] = sum(len(keys) for keys, _ in rivals.values())
        # only a point on the front of its run can be on the front of all
        winners: dict[tuple[Any, ...], list[tuple[bytes, Any]]] = defaultdict(list)
        for (_, *work), (keys, flat) in rivals.items():
            table = np.array(flat).reshape(len(keys), len(objectives))
            for key, cost, is_best in zip(keys, table, front(table), strict=True):
                if is_best:
                    self._fronts[1].add(key)
                    winners[tuple(work)].append((key, cost))
        for group in winners.values():
            best = front(np.array([cost for _, cost in group]))
            chosen = zip(group, best, strict=True)
            self._fronts[0] |= {key for (key, _), is_best in chosen if is_best}
