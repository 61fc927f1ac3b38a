"""A whole sweep: look at the points that are missing, mark the fronts, export."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.config.jobs.sweep import SweepConfig
from hwsim.cost.book import Book
from hwsim.report.result import Result
from hwsim.sweeps.bounds import Bounds
from hwsim.sweeps.engines.dask import dask
from hwsim.sweeps.engines.local import local
from hwsim.sweeps.evaluate import evaluate
from hwsim.sweeps.export import export, result_rows
from hwsim.sweeps.results import PointResult, Results
from hwsim.sweeps.run import Search
from hwsim.sweeps.samplers.choose import sampler_of
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Store

__all__ = ["Sweep", "execute"]


@dataclass(frozen=True)
class Sweep(Result):
    """Points of a sweep with their results, and the Pareto front of each network."""

    config: SweepConfig
    results: Results
    #: Points that this call simulated; the others were known, or dropped by a bound.
    ran: int
    #: The store, results.csv, front.csv, pareto.png, pareto.svg; outside.csv of float layers.
    files: list[Path]

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.config.name}: {', '.join(self.config.objectives)}"

    @property
    def front(self) -> list[PointResult]:
        """Feasible results that no other of the same work beats in every objective."""
        return self.results.front

    @property
    def counts(self) -> dict[str, int]:
        """Points that are ``done``, ``invalid``, ``failed`` and ``bounded``, and ``feasible``."""
        statuses = ("done", "invalid", "failed", "bounded", "feasible")
        return {status: self.results.counts[status] for status in statuses}

    def first_error(self, status: str) -> str:
        """Error of the first point of a status; ``""`` where there is none."""
        return self.results.first_error(status)

    def emptiness(self) -> tuple[str, str] | None:
        """Key of the file and the rule where nothing is found: no point is feasible, or compared.

        A constraint that nothing meets is named, or that nothing meets which was simulated: of a
        point that was not, it may be unknown. Else the bounds that the nearest point misses.
        """
        counts = self.results.counts
        if not len(self.results):
            return None
        measured = counts["done"] + counts["bounded"]
        if not measured:
            first = self.first_error("invalid") or self.first_error("failed")
            return "", f"no point is valid, first: {first}"
        if not counts["feasible"]:
            for missed, number, points in (
                (self.results.missed, measured, "no point"),
                (self.results.missed_simulated, counts["done"], "no point that was simulated"),
            ):
                for metric in missed:
                    if missed[metric] == number:
                        closest = self.results.closest[metric]
                        return f"constraints.{metric}", f"{points} meets it; the closest: {closest}"
            nearest = "; ".join(map(str, self.results.nearest))
            return "constraints", f"no point meets all of them; the nearest: {nearest}"
        if not counts["compared"]:
            for metric in self.config.objectives:
                if metric not in self.results.metrics:
                    return f"objectives.{metric}", "no result has it"
            return "objectives", "no result has all of them"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Plain data: objectives, counts, every result, files."""
        return {
            "sweep": self.config.name,
            "objectives": self.config.objectives,
            "counts": self.counts | {"points": len(self.results), "run_now": self.ran},
            "outside": {
                name: [layer.to_dict() for layer in layers]
                for name, layers in self.results.outside.items()
            },
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
    store: Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    shard: tuple[int, int] = (1, 1),
    merge: Sequence[Path] = (),
    fresh: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    notify: Callable[[str], None] = lambda what: None,
) -> Sweep:
    """Look at the points of a sweep and export them: :func:`hwsim.api.sweep.sweep`."""
    space = Space(config, source)
    sampler = sampler_of(config, space, source, shard)
    book = None if config.technology is None else Book(config.technology, notify)
    with Store.open(store) as kept:
        for other in merge:
            kept.merge(other)
        progress(0, sampler.total)
        search = Search(
            space, kept, config.objectives, config.constraints, Bounds(book),
            fresh=fresh, progress=lambda looked: progress(looked, sampler.total),
        )  # fmt: skip
        workers = (
            local(evaluate, jobs or os.cpu_count() or 1)
            if scheduler is None
            else dask(evaluate, scheduler)
        )
        with workers as engine:
            looked = search.run(sampler, engine)
        results = Results(config, space, looked, store)
        files = [store, *export(config, results, folder)]
    return Sweep(config, results, looked.ran, files)
