"""``hwsim compress``: train, prune and quantize networks into checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwsim.cli.options import Json, Out

if TYPE_CHECKING:
    from hwsim.checkpoint import Checkpoint
    from hwsim.config.compress import CompressConfig

__all__ = ["compress"]


def compress(
    config: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE...", help="Names in configs/compress or YAML files."),
    ],
    out: Out = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Train again what the folder already has.")
    ] = False,
    json: Json = False,
) -> None:
    """Train, prune and quantize a network into a checkpoint, and measure it on all test images.

    Writes NAME.safetensors and NAME.csv, the log of the training. Several recipes are worked off in
    turn; one whose checkpoint is there, made by the same recipe, is passed over: kill the command
    at any moment and start it again. Needs the extra `compress` and the data set (hwsim data
    mnist); minutes to tens of minutes a recipe.

    Example: hwsim compress lenet5_structured lenet5_nm_2x4 --out models/checkpoints
    """
    from hwsim.extras import require

    require("compress")
    from hwsim.cli.output import emit_json
    from hwsim.config.compress import CompressConfig

    made = []
    # all are read first: a slip in the last one is found before hours of training
    for recipe in [CompressConfig.read(name) for name in config]:
        folder = out or Path("build/compress") / recipe.name
        checkpoint, trained = _make(recipe, folder, fresh)
        path = folder / f"{recipe.name}.safetensors"
        made.append(_document(checkpoint, path, trained))
        if not json:
            _print(recipe.name, checkpoint, path, trained)
    if json:
        emit_json({"checkpoints": made})


def _make(recipe: CompressConfig, folder: Path, fresh: bool) -> tuple[Checkpoint, bool]:
    """Find the checkpoint or make it; says which."""
    from hwsim.cli.output import log
    from hwsim.shipped import find_checkpoint
    from models import pipeline
    from models.training import Epoch

    found = None if fresh else pipeline.find_made(recipe, folder)
    if found is not None:
        return found, False
    remarks = log()

    def report(epoch: Epoch) -> None:
        remarks.print(
            f"{recipe.name}, {epoch.stage}, epoch {epoch.epoch}: loss {epoch.loss:.4f}, "
            f"accuracy {epoch.train_accuracy:.4f}, kept {epoch.kept:.4f}"
        )

    command = f"hwsim compress {recipe.name}"
    checkpoint = pipeline.run(recipe, folder, command=command, find=find_checkpoint, report=report)
    return checkpoint, True


def _document(checkpoint: Checkpoint, path: Path, trained: bool) -> dict[str, Any]:
    return {
        "file": str(path),
        "network": checkpoint.network,
        "trained": trained,
        "info": checkpoint.info,
    }


def _print(name: str, checkpoint: Checkpoint, path: Path, trained: bool) -> None:
    from hwsim.cli.output import console, table

    rows = [
        [layer, w.weight.size, w.density, w.weight_bits, w.weight_code]
        for layer, w in checkpoint.layers.items()
    ]
    weights = sum(layer.weight.size for layer in checkpoint.layers.values())
    columns = ["layer", "weights", "kept", "bits", "code"]
    console().print(table(name, columns, [*rows, ["total", weights, checkpoint.density, "", ""]]))
    info = checkpoint.info
    console().print(
        f"accuracy on {info['test_images']} images: float {info['accuracy_float']:.4f}, "
        f"integer {info['accuracy']:.4f}; {'wrote' if trained else 'found'} {path}"
    )
