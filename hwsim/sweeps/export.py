"""Files of a sweep: one flat table with the Pareto fronts marked, and their picture."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from hwsim.config.jobs.metrics import label_of
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.report.page import stream_csv, write_csv
from hwsim.sweeps import pictures as plots
from hwsim.sweeps.results import WORK, PointResult, Results
from hwsim.workload.outside import outside_rows

__all__ = ["columns_of", "export", "result_rows"]

#: Points that a picture shows beside the fronts, at most: of more every so many-th.
SHOWN = 5000


def export(sweep: SweepConfig, results: Results, folder: Path) -> list[Path]:
    """Write ``results.csv``, and where points compete ``front.csv``, ``pareto.png`` and ``.svg``.

    ``outside.csv`` lists what of the networks runs outside the array, where something does.
    ``front.csv`` has the points on the front of all, and those on the front of their run.
    """
    best = [result for result in results if result.best_of_run]
    columns = [*columns_of(results), *PointResult.STATUS]
    written = [stream_csv(folder / "results.csv", columns, (r.to_dict() for r in results))]
    if results.outside:
        written.append(write_csv(folder / "outside.csv", outside_rows(results.outside)))
    if best:
        rows = (result.to_dict() for result in best)
        written.append(stream_csv(folder / "front.csv", columns, rows))
        picture = _plot(sweep, results, folder / "pareto")
        written += [picture, picture.with_suffix(".svg")]
    return written


def columns_of(results: Results) -> list[str]:
    """Columns of a sweep: where points lie, then what was measured of any of them."""
    return list(dict.fromkeys((*results.columns, *results.metrics)))


def result_rows(results: Results) -> list[dict[str, Any]]:
    """Flat rows of equal columns: a point without a result has empty cells, not zeros."""
    columns = dict.fromkeys(columns_of(results), "")
    return [columns | result.to_dict() for result in results]


def _plot(sweep: SweepConfig, results: Results, path: Path) -> Path:
    (x, x_goal), (y, y_goal) = list(sweep.objectives.items())[:2]
    every = -(-len(results) // SHOWN)
    bases = {arch for space in sweep.spaces.values() for arch in space.arch}
    shown = [column for column in results.shown if column != "arch" or len(bases) > 1]
    panels: dict[tuple[Any, ...], list[plots.Dot]] = defaultdict(list)
    for index, result in enumerate(results):
        measured = result.row.result
        is_drawn = result.best_of_run or index % every == 0
        if result.row.status != "done" or not is_drawn or x not in measured or y not in measured:
            continue
        panels[result.work].append(
            plots.Dot(
                x=measured[x],
                y=measured[y],
                family=result.fields["family"],
                label=_label(result, shown),
                best=result.best,
                run=result.fields.get("run", ""),
                best_of_run=result.best_of_run,
                is_feasible=not result.missed,
            )
        )
    return plots.pareto(
        path,
        [plots.Panel(_title(work), dots) for work, dots in panels.items()],
        (label_of(x), label_of(y)),
        f"{sweep.name}: {x} ({x_goal}imized) against {y} ({y_goal}imized)",
        (x_goal, y_goal),
        stairs=len(sweep.objectives) == 2,
    )


def _title(work: tuple[Any, ...]) -> str:
    network, images, memory = work
    parts = [str(network)]
    if images is not None:
        parts.append(f"{images} image{'s' if images > 1 else ''}")
    return ", ".join(parts if memory is None else [*parts, f"memory {memory}"])


def _label(result: PointResult, shown: list[str]) -> str:
    """Point in a few words: what is varied of it."""
    hidden = ("run", "family", *WORK)
    said = (result.fields.get(key) for key in shown if key not in hidden)
    return ", ".join(str(value) for value in said if value is not None)
