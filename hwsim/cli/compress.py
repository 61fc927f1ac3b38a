"""``hwsim compress``: train, prune and quantize a network into a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwsim.cli.options import Json, Out

__all__ = ["compress"]


def compress(
    config: Annotated[
        str, typer.Argument(help="Recipe: a name in configs/compress or a YAML file.")
    ],
    out: Out = None,
    json: Json = False,
) -> None:
    """Train, prune and quantize a network into a checkpoint, and measure it on all test images.

    Writes NAME.safetensors and NAME.csv, the log of the training. Needs the extra `compress` and
    the data set (hwsim data mnist); minutes to tens of minutes.

    Example: hwsim compress lenet5_structured --out models/checkpoints
    """
    from hwsim.extras import require

    require("compress")
    from hwsim.cli.output import console, emit_json, log, table
    from hwsim.config.compress import CompressConfig
    from hwsim.shipped import find_checkpoint
    from models import pipeline
    from models.training import Epoch

    recipe = CompressConfig.read(config)
    folder = out or Path("build/compress") / recipe.name
    remarks = log()

    def report(epoch: Epoch) -> None:
        remarks.print(
            f"{epoch.stage}, epoch {epoch.epoch}: loss {epoch.loss:.4f}, "
            f"accuracy {epoch.train_accuracy:.4f}, kept {epoch.kept:.4f}"
        )

    made = pipeline.run(
        recipe,
        folder,
        command=f"hwsim compress {recipe.name}",
        find=find_checkpoint,
        report=report,
    )
    path = folder / f"{recipe.name}.safetensors"
    if json:
        emit_json({"file": str(path), "network": made.network, "info": made.info})
        return
    rows = [[n, layer.weight.size, layer.density] for n, layer in made.layers.items()]
    weights = sum(layer.weight.size for layer in made.layers.values())
    console().print(
        table(recipe.name, ["layer", "weights", "kept"], [*rows, ["total", weights, made.density]])
    )
    console().print(
        f"accuracy on {made.info['test_images']} images: float {made.info['accuracy_float']:.4f}, "
        f"integer {made.info['accuracy']:.4f}; wrote {path}"
    )
