"""``hwsim compress``: train, prune and quantize networks into checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import (
    Inputs,
    Json,
    Labelled,
    Mean,
    Outside,
    Seed,
    Std,
    WeightBits,
    Weights,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from hwsim.api import Compressed
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.models.compress.runs import Run, Watch

__all__ = ["compress"]


def compress(
    config: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE...",
            help="Names in configs/compress (NAME_s1: with seed 1) or YAML files; or with --nm or "
            "--keep one network.",
        ),
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
    nm: Annotated[
        str | None,
        typer.Option(help="Prune a trained NETWORK without training: n of every m weights, 2:4."),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(
            help="The same: the fraction of all weights that stays; with --nm each layer has an n "
            "of its own."
        ),
    ] = None,
    layer_nm: Annotated[
        list[str] | None,
        typer.Option(help="With --nm: n:m of one layer, NAME=1:4, repeatable."),
    ] = None,
    dense: Annotated[
        list[str] | None, typer.Option(help="Layer of NETWORK that stays whole, repeatable.")
    ] = None,
    epochs: Annotated[
        int,
        typer.Option(
            min=0,
            max=1000,
            help="Train NETWORK after it was pruned: --inputs is then a folder of class folders, "
            "or a .npz with images and labels.",
        ),
    ] = 0,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate of --epochs.")] = 2e-4,
    weight_bits: WeightBits = 8,
    weights: Weights = None,
    inputs: Inputs = None,
    labelled: Labelled = False,
    images: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Images of --inputs that are used (default: 8)."),
    ] = None,
    mean: Mean = None,
    std: Std = None,
    outside: Outside = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train, prune and quantize networks into checkpoints, and measure them on all test images.

    A recipe that starts from the checkpoint of another one waits for it; the start is read from the
    folder, else from build/compress, else from the checkpoints that ship. Finished recipes are
    skipped (shipped ones too, unless --out is given); interrupted ones resume at their last epoch:
    kill the command at any moment and start it again. A better checkpoint of the same name is left
    as it is. Exits 1 when a recipe failed, after the others have run. Needs the extra `compress`
    and the data set (hwsim data mnist); a recipe takes minutes to tens of minutes.

    A recipe with a section `hardware_aware` prunes a network many times; one with a section
    `synthetic` draws random weights at published densities, in seconds, and needs neither.

    With --nm or --keep the argument is one trained network, an .onnx file or one whose --weights
    follow, which is pruned without training, quantized as by hwsim import, and written with its
    YAML: by magnitude, or with --inputs so that the weights that stay make up for the others on
    these images, which need no labels (least squares, layer by layer). The first layer with
    weights, depthwise ones and those of --dense stay whole. With --nm 2:4 --keep 0.35 some layers
    keep 1 of every 4 weights, those that lose least. With --epochs the pruned network is trained on
    labelled images, and its accuracy on those held out is shown.

    Writes NAME.safetensors and NAME.csv, the log of the training, and the network's YAML where it
    does not ship; and, whatever the folder, a picture of the log in build/compress/NAME. What a
    recipe names as network, start or teacher may be an .onnx file, a state dict or an import.

    Example: hwsim compress lenet5_structured_10x lenet5_nm_2x4 --out models/checkpoints

    Example: hwsim compress squeezenet.onnx --nm 2:4 --inputs photos/ --images 32
    """
    if nm is not None or keep is not None:
        from hwsim.cli.compress_network import compress_network

        compress_network(
            config, nm, keep, layer_nm or [], dense or [], epochs, learning_rate,
            weight_bits, weights, inputs,
            labelled, images, mean, std, outside, seed, out, json=json,
        )  # fmt: skip
        return
    from hwsim import api
    from hwsim.cli.compress_watch import watching
    from hwsim.cli.output import emit_json, working

    with working("reading") as status:

        def watch(runs: list[Run]) -> AbstractContextManager[Watch]:
            status.stop()  # one live display at a time
            return watching(runs)

        results = api.compress(
            config, out, jobs=jobs, fresh=fresh, watching=watch, progress=status.update
        )
    if json:
        emit_json({"checkpoints": [result.to_dict() for result in results]})
    else:
        _show([result for result in results if result.checkpoint is not None])
    failed = [result.remark for result in results if result.checkpoint is None]
    for remark in failed:
        typer.echo(f"error: {remark}", err=True)
    if failed:
        raise typer.Exit(1)


def _show(results: list[Compressed]) -> None:
    from hwsim.checkpoints.synthetic import SYNTHETIC, is_synthetic, label
    from hwsim.cli.output import console, table

    trained = []
    for result in results:
        checkpoint = result.checkpoint
        assert checkpoint is not None
        rows = [list(row.values()) for row in result.to_rows()]
        columns = ["layer", "weights", "kept", "bits", "code"]
        if not is_synthetic(checkpoint):
            console().print(table(result.title, columns, rows))
            trained.append(_row(result, checkpoint))
            continue
        weights = sum(layer.weight.size for layer in checkpoint.layers.values())
        total = ["total", weights, checkpoint.density, "", ""]
        console().print(table(label(result.name, checkpoint), columns, [*rows, total]))
        console().print(checkpoint.info[SYNTHETIC])
        console().print(f"{'wrote' if result.status == 'made' else result.status} {result.path}")
    if trained:
        columns = [
            "recipe", "kind", "weights", "kept", "factor", "bits",
            "test %", "held out %", "stored KB", "as",
        ]  # fmt: skip
        title = "accuracy of the integers; KB of 1000 bytes with indices, in the smallest format"
        console().print(table(title, columns, trained))


def _row(result: Compressed, checkpoint: Checkpoint) -> list[object]:
    layers, info = checkpoint.layers.values(), checkpoint.info
    bits = sorted({layer.weight_bits for layer in layers})
    format, size = result.stored or ("", 0)
    return [
        result.name,
        result.recipe.kind,
        sum(layer.weight.size for layer in layers),
        checkpoint.density,
        1 / checkpoint.density,
        "-".join(str(each) for each in dict.fromkeys((bits[0], bits[-1]))),
        100 * info["accuracy"],
        100 * info["accuracy_heldout"] if "accuracy_heldout" in info else None,
        size / 8000,
        format,
    ]
