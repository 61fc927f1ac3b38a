"""``hwsim data``: fetch or import a data set into the user's cache."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hwsim.cli.options import Json

__all__ = ["data"]


class DataSet(StrEnum):
    """Data sets by name."""

    mnist = "mnist"
    fashion = "fashion"


def data(
    name: Annotated[DataSet, typer.Argument(help="Data set.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Folder with the four IDX files, plain or .gz; no download.",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder to keep data sets in (default: $HWSIM_CACHE, or the user's cache)."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Fetch or import a data set into the user's cache; every file is verified by SHA-256.

    Downloads over HTTPS, resuming what an earlier run left; a data set that is there already is
    only checked.

    Example: hwsim data mnist

    Example: hwsim data fashion --from /usr/share/datasets/fashion-mnist
    """
    import os

    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from hwsim.cli.output import console, emit_json, log
    from hwsim.datasets import load as datasets
    from hwsim.datasets.sources import DATASETS
    from hwsim.system.interrupts import keeping

    if cache is not None:
        os.environ["HWSIM_CACHE"] = str(cache)
    if source is not None:
        paths = datasets.import_from(name, source)
    else:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        kept = "what was downloaded is kept; the same command goes on from here"
        live = Progress(*columns, TimeRemainingColumn(), console=log(), transient=True)
        with keeping(kept), live as bar:
            tasks = {f.name: bar.add_task(f.name, total=None) for f in DATASETS[name].files}
            paths = datasets.fetch(
                name,
                lambda file, done, total: bar.update(tasks[file], completed=done, total=total),
            )
    if json:
        emit_json({"name": str(name), "files": [str(path) for path in paths]})
    else:
        console().print(f"{DATASETS[name].title}: verified in {paths[0].parent}")
