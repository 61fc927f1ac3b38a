"""``hwsim sweep``: a grid of designs and networks, resumable, with its Pareto front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Json, Out

if TYPE_CHECKING:
    from hwsim.sweeps.grid import Point
    from hwsim.sweeps.store import Store

__all__ = ["sweep"]


def sweep(
    config: Annotated[
        str, typer.Argument(metavar="SWEEP", help="A name in configs/sweep or a YAML file.")
    ],
    out: Out = None,
    jobs: Annotated[int, typer.Option(min=0, max=256, help="Processes; 0: one for each core.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget the folder's results and run all points again.")
    ] = False,
    json: Json = False,
) -> None:
    """Simulate every point of a grid over designs and networks, cycle-exact; find the Pareto front.

    Results go to sweep.sqlite as they come: kill the command at any moment and start it again, and
    it goes on with the points that are missing. A point that breaks a rule of the configurations
    is listed as invalid with the rule. Exits 1 when a point failed for another reason.

    Writes sweep.sqlite, results.csv, pareto.png and pareto.svg.

    Example: hwsim sweep configs/sweep/array_size.yaml --jobs 2
    """
    from hwsim.cli.output import console, emit_json, table
    from hwsim.config.catalog import resolve
    from hwsim.config.jobs.sweep import SweepConfig
    from hwsim.errors import InputError
    from hwsim.sweeps.export import collect, export
    from hwsim.sweeps.grid import expand
    from hwsim.sweeps.store import Store

    path = resolve(config, "sweep")
    plan = SweepConfig.read(path)
    points = expand(plan, str(path))
    folder = out or Path("build/sweep") / plan.name
    with Store.open(folder / "sweep.sqlite") as store:
        if fresh:
            store.clear()
        ran = _run(points, store, jobs)
        results = collect(plan, points, store.rows(point.key for point in points))
    files = [folder / "sweep.sqlite", *export(plan, results, folder)]
    counts = {
        status: sum(result.row.status == status for result in results)
        for status in ("done", "invalid", "failed")
    }
    best = [result for result in results if result.best]
    if json:
        emit_json(
            {
                "sweep": plan.name,
                "objectives": plan.objectives,
                "counts": counts | {"points": len(points), "run_now": ran},
                "results": [result.to_dict() for result in results],
                "files": [str(file) for file in files],
            }
        )
    else:
        columns = [*dict.fromkeys(k for result in best for k in result.row.fields)]
        shown = [*columns, *plan.objectives]
        rows = [[{**r.row.fields, **r.row.result}.get(c) for c in shown] for r in best]
        console().print(table(f"{plan.name}: Pareto front of each network", shown, rows))
        console().print(
            f"{len(points)} points, {ran} run now: {counts['done']} done, {counts['invalid']} "
            f"invalid, {counts['failed']} failed; wrote {', '.join(map(str, files))}"
        )
    if counts["failed"]:
        first = next(result.row for result in results if result.row.status == "failed")
        typer.echo(f"error: {counts['failed']} points failed, first: {first.error}", err=True)
        raise typer.Exit(1)
    if not counts["done"]:
        raise InputError(path, "grid", None, f"no point is valid, first: {results[0].row.error}")


def _run(points: list[Point], store: Store, jobs: int) -> int:
    """Run what is missing under a progress bar; return how many points that was."""
    import os

    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from hwsim.cli.output import log
    from hwsim.sweeps.evaluate import evaluate
    from hwsim.sweeps.run import pending, run

    missing = pending(points, store)
    columns = (
        TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("points"),
        TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=log()) as bar:
        task = bar.add_task("sweep", total=len(points), completed=len(points) - len(missing))
        try:
            run(
                missing, store, evaluate, jobs or os.cpu_count() or 1, lambda row: bar.advance(task)
            )
        except KeyboardInterrupt:
            typer.echo("stopped; the same command goes on from here", err=True)
            raise typer.Exit(130) from None
    return len(missing)
