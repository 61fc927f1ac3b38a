"""``hwsim compress``: train, prune and quantize networks into checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwsim.cli.options import Json

if TYPE_CHECKING:
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig
    from hwsim.config.jobs.compress import CompressConfig
    from hwsim.models.compress.log import Epoch
    from hwsim.models.compress.runs import End, Run

__all__ = ["compress"]


def compress(
    config: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE...", help="Names in configs/compress or YAML files."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for all of them (default: build/compress/NAME for each)."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=0, max=256, help="Recipes side by side; 0: one for each core.")
    ] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train again what the folder already has.")
    ] = False,
    json: Json = False,
) -> None:
    """Train, prune and quantize networks into checkpoints, and measure them on all test images.

    A recipe that starts from another one's checkpoint waits for it; the start is looked for in the
    folder, then in build/compress, then among those that ship. What is done is passed over, with no
    folder named what ships as well, and what was killed goes on from its last epoch: kill the
    command at any moment and start it again.
    A better checkpoint of the same name is left as it is. Exits 1 when a recipe failed; the others
    are made all the same. Needs the extra `compress` and the data set (hwsim data mnist); minutes
    to tens of minutes a recipe.

    A recipe with a section `hardware_aware` prunes a network many times; one with a section
    `synthetic` draws random weights at published densities, in seconds, and needs neither.

    Writes NAME.safetensors and NAME.csv, the log of the training; and, whatever the folder, a
    picture of the log in build/compress/NAME.

    Example: hwsim compress lenet5_structured_10x lenet5_nm_2x4 --out models/checkpoints
    """
    from hwsim.cli.compress_synthetic import draw
    from hwsim.cli.output import emit_json
    from hwsim.config.jobs.synthetic import SyntheticConfig, read_recipe

    trained: list[CompressConfig] = []
    documents: list[dict[str, Any]] = []
    # all are read first: a slip in the last one is found before hours of training
    for recipe in [read_recipe(name) for name in config]:
        if isinstance(recipe, SyntheticConfig):
            folder = out or _folder(recipe.name)
            documents.append(draw(recipe, folder, fresh=fresh, quiet=json))
        else:
            trained.append(recipe)
    failed: list[str] = []
    if trained:
        found, failed = _train(trained, out, jobs, fresh, json)
        documents += found
    if json:
        emit_json({"checkpoints": documents})
    for remark in failed:
        typer.echo(f"error: {remark}", err=True)
    if failed:
        raise typer.Exit(1)


def _train(
    recipes: list[CompressConfig], out: Path | None, jobs: int, fresh: bool, quiet: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Make the checkpoints of recipes that train; describe them, and say what went wrong."""
    from hwsim.system.extras import require

    require("compress")
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.models.compress.runs import Run, in_order

    runs = in_order([Run(recipe, out or _home(recipe, fresh)) for recipe in recipes])
    ends = _work_off(runs, out, jobs, fresh)
    made = {run.name: Checkpoint.read(_file(run)) for run in runs if ends[run.name].has_checkpoint}
    if not quiet:
        _print([(run, ends[run.name], made[run.name]) for run in runs if run.name in made])
    documents = [_document(run, ends[run.name], made.get(run.name)) for run in runs]
    return documents, [end.remark for end in ends.values() if not end.has_checkpoint]


def _home(recipe: CompressConfig, fresh: bool) -> Path:
    """Where a recipe's checkpoint is, or is to be, when no folder is named.

    What ships is not made again, and is never written over.
    """
    from hwsim.checkpoints.find import CHECKPOINTS
    from hwsim.models.compress import pipeline

    find = partial(find_start, out=None)
    ships = not fresh and pipeline.read_finished(recipe, CHECKPOINTS, find) is not None
    return CHECKPOINTS if ships else _folder(recipe.name)


def _folder(name: str) -> Path:
    from hwsim.checkpoints.find import built

    return built(name).parent


def _file(run: Run) -> Path:
    return run.folder / f"{run.name}.safetensors"


def find_start(name: str, out: Path | None) -> Path:
    """Path of the checkpoint a recipe starts from: the newest there can be."""
    from hwsim.checkpoints.find import built, find_checkpoint

    places = [built(name)] if out is None else [out / f"{name}.safetensors", built(name)]
    return next((path for path in places if path.is_file()), None) or find_checkpoint(name)


def make(run: Run, report: Callable[[Epoch], None], out: Path | None, fresh: bool) -> None:
    """Make the checkpoint of one run and draw its log, in whatever process it is called."""
    from hwsim.models.compress import log as training_log
    from hwsim.models.compress.pictures import draw

    _maker(run)(
        run.recipe, run.folder, command=f"hwsim compress {run.name}",
        find=partial(find_start, out=out), report=report, fresh=fresh,
    )  # fmt: skip
    log = training_log.read(run.folder / f"{run.name}.csv")
    if log:
        draw(log, _folder(run.name) / run.name, run.name)


def _maker(run: Run) -> Callable[..., Checkpoint]:
    if run.recipe.hardware_aware is None:
        from hwsim.models.compress import pipeline

        return pipeline.run
    from hwsim.cost.layer_costs import LayerCosts
    from hwsim.models.search import run as hardware_aware_run

    return partial(hardware_aware_run.run, make_costs=LayerCosts)


def _work_off(runs: list[Run], out: Path | None, jobs: int, fresh: bool) -> dict[str, End]:
    import os

    from hwsim.cli.compress_watch import watching
    from hwsim.models.compress import pipeline
    from hwsim.models.compress.runs import work_off

    find = partial(find_start, out=out)

    def is_done(run: Run) -> bool:
        return not fresh and pipeline.read_finished(run.recipe, run.folder, find) is not None

    # all are checked first: a slip in the last one is found before hours of training
    pipeline.check((run.recipe for run in runs if not is_done(run)), find)
    with watching(runs) as watch:
        try:
            return work_off(
                runs, partial(make, out=out, fresh=fresh), watch,
                is_done=is_done, processes=min(len(runs), jobs or os.cpu_count() or 1),
            )  # fmt: skip
        except KeyboardInterrupt:
            typer.echo("stopped; the same command goes on from here", err=True)
            raise typer.Exit(130) from None


def _document(run: Run, end: End, checkpoint: Checkpoint | None) -> dict[str, Any]:
    document = {"name": run.name, "status": end.status, "remark": end.remark}
    if checkpoint is None:
        return document
    format, bits = _stored(run)
    return document | {
        "file": str(_file(run)),
        "network": checkpoint.network,
        "stored": {"format": format, "bits": bits},
        "info": checkpoint.info,
    }


def _print(made: list[tuple[Run, End, Checkpoint]]) -> None:
    from hwsim.cli.output import console, table

    for run, end, checkpoint in made:
        rows = [
            [layer, w.weight.size, w.density, w.weight_bits, w.weight_code]
            for layer, w in checkpoint.layers.items()
        ]
        columns = ["layer", "weights", "kept", "bits", "code"]
        console().print(table(f"{run.name} ({end.status}: {_file(run)})", columns, rows))
    if made:
        columns = [
            "recipe", "kind", "weights", "kept", "factor", "bits",
            "test %", "held out %", "stored KB", "as",
        ]  # fmt: skip
        title = "accuracy of the integers; KB of 1000 bytes with indices, in the smallest format"
        rows = [_row(run, checkpoint) for run, _, checkpoint in made]
        console().print(table(title, columns, rows))


def _row(run: Run, checkpoint: Checkpoint) -> list[object]:
    layers, info = checkpoint.layers.values(), checkpoint.info
    bits = sorted({layer.weight_bits for layer in layers})
    format, size = _stored(run)
    return [
        run.name,
        run.recipe.kind,
        sum(layer.weight.size for layer in layers),
        checkpoint.density,
        1 / checkpoint.density,
        "-".join(str(each) for each in dict.fromkeys((bits[0], bits[-1]))),
        100 * info["accuracy"],
        100 * info["accuracy_heldout"] if "accuracy_heldout" in info else None,
        size / 8000,
        format,
    ]


def _stored(run: Run) -> tuple[str, int]:
    """Smallest format, as of each design of 64 multipliers, of all the weights; its bits."""
    from hwsim.cost import storage

    found = storage.run(str(_file(run)), _designs(), network=run.recipe.network)
    sizes = [("plain", found.plain), *((size.name, size.total) for size in found.fitting)]
    name, bits = min(sizes, key=lambda size: size[1].total)
    return name, bits.total


@cache
def _designs() -> list[ArchConfig]:
    from hwsim.cost.storage import designs_of

    return designs_of(64)
