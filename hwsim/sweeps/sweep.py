"""A whole sweep: run the points that are missing, mark the fronts, export."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.config.jobs.sweep import SweepConfig
from hwsim.cost.book import Book
from hwsim.report.result import Result
from hwsim.sweeps.evaluate import evaluate
from hwsim.sweeps.export import PointResult, collect, export, result_rows
from hwsim.sweeps.grid import Point, expand
from hwsim.sweeps.run import pending, run
from hwsim.sweeps.store import Row, Status, Store

__all__ = ["Sweep", "execute"]


@dataclass(frozen=True)
class Sweep(Result):
    """Every point of a sweep with its result, and the Pareto front of each network."""

    config: SweepConfig
    results: list[PointResult]
    #: Points that this call simulated; the others were known.
    ran: int
    #: sweep.sqlite, results.csv, pareto.png, pareto.svg.
    files: list[Path]

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.config.name}: {', '.join(self.config.objectives)}"

    @property
    def front(self) -> list[PointResult]:
        """Results that no other of the same network beats in every objective."""
        return [result for result in self.results if result.best]

    @property
    def counts(self) -> dict[str, int]:
        """Number of points that are ``done``, ``invalid`` and ``failed``."""
        statuses = [result.row.status for result in self.results]
        return {status: statuses.count(status) for status in ("done", "invalid", "failed")}

    def first_error(self, status: Status) -> str:
        """Error of the first point of a status; ``""`` where there is none."""
        return next((r.row.error for r in self.results if r.row.status == status), "")

    def to_dict(self) -> dict[str, Any]:
        """Plain data: objectives, counts, every result, files."""
        return {
            "sweep": self.config.name,
            "objectives": self.config.objectives,
            "counts": self.counts | {"points": len(self.results), "run_now": self.ran},
            "results": [result.to_dict() for result in self.results],
            "files": [str(file) for file in self.files],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per point, as in ``results.csv``."""
        return result_rows(self.results)


def execute(
    config: SweepConfig,
    source: str,
    folder: Path,
    *,
    jobs: int = 1,
    fresh: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    notify: Callable[[str], None] = lambda what: None,
) -> Sweep:
    """Run the points of a sweep that are missing, and export all: :func:`hwsim.api.sweep.sweep`."""
    points = expand(config, source)
    with Store.open(folder / "sweep.sqlite") as store:
        if fresh:
            store.clear()
        missing = pending(points, store)
        finished = len(points) - len(missing)
        progress(finished, len(points))

        def advance(row: Row) -> None:
            nonlocal finished
            finished += 1
            progress(finished, len(points))

        if config.technology is not None:
            _measure(config.technology, missing, notify)
        run(missing, store, evaluate, jobs or os.cpu_count() or 1, advance)
        results = collect(config, points, store.rows(point.key for point in points))
    files = [folder / "sweep.sqlite", *export(config, results, folder)]
    return Sweep(config, results, len(missing), files)


def _measure(technology: str, points: list[Point], notify: Callable[[str], None]) -> None:
    """Synthesize what is not on record, once and not in every worker."""
    book = Book(technology, notify)
    for arch in {point.arch.digest: point.arch for point in points if point.arch}.values():
        book.area(arch)
        book.clock(arch)
