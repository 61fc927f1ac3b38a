"""Files of a sweep: one flat table with the Pareto fronts marked, and their picture."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.config.jobs.sweep import METRICS, SweepConfig
from hwsim.report.page import write_csv
from hwsim.report.pareto import front
from hwsim.sweeps import pictures as plots
from hwsim.sweeps.grid import Point
from hwsim.sweeps.store import Row

__all__ = ["PointResult", "collect", "export", "result_rows"]


@dataclass(frozen=True)
class PointResult:
    """One point with its row; ``best`` says that it is on the Pareto front of its network."""

    point: Point
    row: Row
    best: bool

    def to_dict(self) -> dict[str, Any]:
        """Flat row: varied fields, measurements, status."""
        return {
            **self.row.fields,
            **self.row.result,
            "pareto": self.best,
            "status": self.row.status,
            "error": self.row.error,
            "seconds": self.row.seconds,
            "runs": self.row.runs,
            "key": self.row.key,
        }


def collect(sweep: SweepConfig, points: list[Point], rows: list[Row]) -> list[PointResult]:
    """Join points with their rows, in the order of the grid, and mark each network's front.

    Networks are different work, so a point competes only with those of its own base network.
    """
    known = {row.key: row for row in rows}
    rivals: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        if point.key in known and known[point.key].status == "done":
            rivals[point.base[1]].append(point)
    best: set[str] = set()
    for group in rivals.values():
        costs = np.array(
            [
                [
                    known[point.key].result[column] * (1 if goal == "min" else -1)
                    for column, goal in sweep.objectives.items()
                ]
                for point in group
            ]
        )
        best |= {p.key for p, is_best in zip(group, front(costs), strict=True) if is_best}
    return [PointResult(p, known[p.key], p.key in best) for p in points if p.key in known]


def export(sweep: SweepConfig, results: list[PointResult], folder: Path) -> list[Path]:
    """Write ``results.csv`` and, where a point has a result, ``pareto.png`` and ``pareto.svg``."""
    written = [write_csv(folder / "results.csv", result_rows(results))]
    measured = [result for result in results if result.row.status == "done"]
    if measured:
        picture = _plot(sweep, measured, folder / "pareto")
        written += [picture, picture.with_suffix(".svg")]
    return written


def result_rows(results: list[PointResult]) -> list[dict[str, Any]]:
    """Flat rows of equal columns: a point without a result has empty cells, not zeros."""
    columns = dict.fromkeys(
        (*(k for r in results for k in r.row.fields), *(k for r in results for k in r.row.result)),
        "",
    )
    return [columns | result.to_dict() for result in results]


def _plot(sweep: SweepConfig, measured: list[PointResult], path: Path) -> Path:
    (x, x_goal), (y, y_goal) = list(sweep.objectives.items())[:2]
    panels = []
    for network in dict.fromkeys(result.point.base[1] for result in measured):
        dots = [
            plots.Dot(
                x=result.row.result[x],
                y=result.row.result[y],
                family=result.point.arch.array.family if result.point.arch else "",
                label=_label(result.point, len(sweep.arch) > 1),
                best=result.best,
            )
            for result in measured
            if result.point.base[1] == network
        ]
        panels.append(plots.Panel(network, dots))
    return plots.pareto(
        path,
        panels,
        (METRICS[x], METRICS[y]),
        f"{sweep.name}: {x} ({x_goal}imized) against {y} ({y_goal}imized)",
        (x_goal, y_goal),
        stairs=len(sweep.objectives) == 2,
    )


def _label(point: Point, name_arch: bool) -> str:
    values = [str(value) for value in point.values.values() if value is not None]
    return ", ".join([point.base[0]] * name_arch + values)
