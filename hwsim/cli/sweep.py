"""``hwsim sweep``: search a space of designs and weights, resumable, with its Pareto front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Json, Out, Store

if TYPE_CHECKING:
    from hwsim.sweeps.sweep import Sweep

__all__ = ["sweep"]


def sweep(
    config: Annotated[
        str, typer.Argument(metavar="SWEEP", help="A name in configs/sweep or a YAML file.")
    ],
    out: Out = None,
    jobs: Annotated[int, typer.Option(min=0, max=256, help="Processes; 0: one for each core.")] = 0,
    engine: Annotated[
        str, typer.Option(help="local: processes of this machine; dask: workers of a cluster.")
    ] = "local",
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Scheduler of the Dask cluster.")
    ] = None,
    store: Store = None,
    shard: Annotated[
        str,
        typer.Option(metavar="I/N", help="Look at part I of N of the points, in an own store."),
    ] = "1/1",
    merge: Annotated[
        list[Path] | None,
        typer.Option(help="Store of another shard, whose points are taken over; repeatable."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Simulate points again that are known.")
    ] = False,
    json: Json = False,
) -> None:
    """Search a space of designs, networks, weights and memories for the points that none beats.

    SWEEP says the axes of the space, the objectives, the constraints, and which points a sampler
    looks at; each is simulated cycle-exact. Results are kept as they come, by a digest of all that
    decides them: kill the command at any moment and start it again, and it continues with the
    points that are missing; what another sweep has counted is not counted again.

    A point that breaks a rule of the configurations is invalid, and one that misses a constraint
    says by how much. Exits 1 when a point failed for another reason, and 2 when no point is
    feasible.

    Writes results.csv, front.csv, pareto.png and pareto.svg.

    Example: hwsim sweep configs/sweep/array_size.yaml --jobs 2

    Example: hwsim sweep lenet5_area --shard 1/2 --store one.sqlite, on another machine --shard 2/2
    --store two.sqlite, then hwsim sweep lenet5_area --store one.sqlite --merge two.sqlite
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from hwsim import api
    from hwsim.cli.output import emit_json, log, progress_bar
    from hwsim.errors import InputError

    columns = (
        TextColumn("sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("points"),
        TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn(),
    )  # fmt: skip
    with progress_bar(*columns) as report:
        result = api.sweep(
            config, out, store=store, jobs=jobs, engine=engine, scheduler=scheduler,
            shard=shard, merge=merge or (), fresh=fresh,
            progress=lambda done, total: report("sweep", done, total),
            notify=lambda what: log().print(what),
        )  # fmt: skip
    if json:
        emit_json(result.to_dict())
    else:
        _show(result)
    if result.counts["failed"]:
        count, first = result.counts["failed"], result.first_error("failed")
        typer.echo(f"error: {count} points failed, first: {first}", err=True)
        raise typer.Exit(1)
    # what is not in a part of the points may be in another
    if shard == "1/1" and (nothing := result.emptiness()) is not None:
        key, rule = nothing
        raise InputError(config, key, None, rule)


def _show(result: Sweep) -> None:
    from hwsim.cli.output import console, show_outside, table

    for network, layers in result.results.outside.items():
        show_outside(layers, network)
    counts, objectives = result.counts, list(result.config.objectives)
    best = [point for point in result.results if point.best_of_run]
    fields = [
        name for name in result.results.shown if len({str(p.fields.get(name)) for p in best}) > 1
    ]
    bounds = [metric for metric in result.config.constraints if metric not in objectives]
    columns = [*fields, *objectives, *bounds]
    rows = [[{**p.fields, **p.row.result}.get(c) for c in columns] for p in best if p.best]
    console().print(table(f"{result.config.name}: Pareto front", columns, rows))
    if beaten := [p for p in best if not p.best]:
        rows = [[{**p.fields, **p.row.result}.get(c) for c in columns] for p in beaten]
        console().print(table("On the front of their run, beaten by another run", columns, rows))
    misses = ", ".join(f"{n} miss {metric}" for metric, n in result.results.missed.items())
    console().print(
        f"{len(result.results)} points, {result.ran} run now: {counts['done']} done, "
        f"{counts['bounded']} bounded, {counts['invalid']} invalid, {counts['failed']} failed; "
        f"{counts['feasible']} feasible{f' ({misses})' if misses else ''}; "
        f"wrote {', '.join(map(str, result.files))}"
    )
