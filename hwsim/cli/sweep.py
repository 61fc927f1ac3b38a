"""``hwsim sweep``: a grid of designs and networks, resumable, with its Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Json, Out

if TYPE_CHECKING:
    from hwsim.sweeps.sweep import Sweep

__all__ = ["sweep"]


def sweep(
    config: Annotated[
        str, typer.Argument(metavar="SWEEP", help="A name in configs/sweep or a YAML file.")
    ],
    out: Out = None,
    jobs: Annotated[int, typer.Option(min=0, max=256, help="Processes; 0: one for each core.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete the folder's results and run all points again.")
    ] = False,
    json: Json = False,
) -> None:
    """Simulate every point of a grid over designs and networks, cycle-exact; find the Pareto front.

    Results go to sweep.sqlite as they come: kill the command at any moment and start it again, and
    it continues with the points that are missing. A point that breaks a rule of the configurations
    is listed as invalid with the rule. Exits 1 when a point failed for another reason.

    Writes sweep.sqlite, results.csv, pareto.png and pareto.svg.

    Example: hwsim sweep configs/sweep/array_size.yaml --jobs 2
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from hwsim import api
    from hwsim.cli.output import emit_json, progress_bar
    from hwsim.errors import InputError

    columns = (
        TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("points"),
        TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn(),
    )  # fmt: skip
    try:
        with progress_bar(*columns) as report:
            result = api.sweep(
                config, out, jobs=jobs, fresh=fresh,
                progress=lambda done, total: report("sweep", done, total),
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    if json:
        emit_json(result.to_dict())
    else:
        _show(result)
    if result.counts["failed"]:
        count, first = result.counts["failed"], result.first_error("failed")
        typer.echo(f"error: {count} points failed, first: {first}", err=True)
        raise typer.Exit(1)
    if not result.counts["done"]:
        rule = f"no point is valid, first: {result.first_error('invalid')}"
        raise InputError(config, "grid", None, rule)


def _show(result: Sweep) -> None:
    from hwsim.cli.output import console, table

    front, counts = result.front, result.counts
    fields = dict.fromkeys(key for point in front for key in point.row.fields)
    columns = [*fields, *result.config.objectives]
    rows = [[{**p.row.fields, **p.row.result}.get(c) for c in columns] for p in front]
    title = f"{result.config.name}: Pareto front of each network"
    console().print(table(title, columns, rows))
    console().print(
        f"{len(result.results)} points, {result.ran} run now: {counts['done']} done, "
        f"{counts['invalid']} invalid, {counts['failed']} failed; "
        f"wrote {', '.join(map(str, result.files))}"
    )
