"""``hwsim import``: networks and weights from elsewhere, quantized into checkpoints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwsim.cli.options import (
    Inputs,
    Json,
    Labelled,
    Mean,
    Out,
    Outside,
    Seed,
    Std,
    WeightBits,
    Weights,
    numbers,
)

if TYPE_CHECKING:
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import NetworkConfig

__all__ = ["import_", "show", "warn"]


def import_(
    network: Annotated[
        str,
        typer.Argument(help="An .onnx file; or a network (name or YAML) whose --weights follow."),
    ],
    weights: Weights = None,
    inputs: Inputs = None,
    labelled: Labelled = False,
    images: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="Images that give the ranges of activations (default: 8)."
        ),
    ] = None,
    seed: Seed = 0,
    ranges: Annotated[
        str,
        typer.Option(
            help="How the range of a tensor of activations follows from its values: mse (least "
            "squared error), minmax (largest magnitude) or percentile."
        ),
    ] = "mse",
    percentile: Annotated[
        float, typer.Option(help="Percentage of the magnitudes inside, for --ranges percentile.")
    ] = 99.99,
    weight_scales: Annotated[
        str, typer.Option(help="Weights have one scale per output channel or per layer.")
    ] = "channel",
    weight_bits: WeightBits = 8,
    bias_correction: Annotated[
        bool, typer.Option(help="Correct biases for the mean error that rounding leaves.")
    ] = True,
    mean: Mean = None,
    std: Std = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="Sizes behind the batch of an .onnx file that leaves them open: 3x224x224."
        ),
    ] = None,
    until: Annotated[
        list[str] | None,
        typer.Option(
            help="Tensor of an .onnx file to end at, repeatable: what is computed of it is left "
            "out."
        ),
    ] = None,
    outside: Outside = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Name every node that is not supported.")
    ] = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Make a checkpoint of pretrained weights: 8-bit activations, weights of 8 bits or fewer.

    Constants are folded into the layers beside them. An ONNX file is compared with ONNX's own
    evaluator on a random input and refused where a tensor differs. Writes NAME.safetensors, which
    every command takes as a checkpoint, and NAME.yaml, its network; where a file of this name has
    weights from elsewhere, the new one has eight digits of its sum behind its name. The ranges of
    activations are those of the first --images of --inputs, else of random images, and the file
    says which; the next 8 images tell what quantization costs. ONNX needs the extra `onnx`, .pth
    files the extra `compress`.

    Example: hwsim import resnet50 --weights resnet50.pth --inputs photos/ --images 32
    --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225

    Example: hwsim import squeezenet.onnx
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, working
    from hwsim.workload.outside import outside_of

    with working("reading") as status:
        result = api.import_network(
            network, weights, inputs=inputs, labelled=labelled, images=images, seed=seed,
            size=None if size is None else _sizes(size), until=until or (), outside=outside,
            verbose=verbose,
            ranges=ranges, percentile=percentile, weight_scales=weight_scales,
            weight_bits=weight_bits, bias_correction=bias_correction,
            mean=numbers("--mean", mean), std=numbers("--std", std),
            progress=status.update,
        )  # fmt: skip
    net, checkpoint = result.network, result.checkpoint
    path, config = result.write(out or Path("build/import") / net.name)
    warn(checkpoint)
    if json:
        files = {"file": str(path), "network_file": str(config)}
        beside = [layer.to_dict() for layer in outside_of(net)]
        emit_json(files | {"network": net.name, "info": checkpoint.info, "outside": beside})
        return
    show(net, checkpoint)
    if net.source:
        console().print(net.source)
    console().print(f"wrote {path} and {config.name}")


def _sizes(text: str) -> list[int]:
    """Numbers of ``3x224x224``."""
    from hwsim.errors import InputError

    if not re.fullmatch(r"[1-9][0-9]*(x[1-9][0-9]*)*", text):
        rule = "must be sizes such as 3x224x224"
        raise InputError("command line", "--size", text, rule)
    return [int(size) for size in text.split("x")]


def warn(checkpoint: Checkpoint) -> None:
    """Say loudly where ranges are those of random images, and where the weights of a layer went."""
    from hwsim.cli.output import warning
    from hwsim.inference.operands import RANDOM
    from hwsim.models.importers.calibrate import CLEARED

    if CLEARED in checkpoint.info:
        warning(
            "all weights became 0, next to nothing beside the biases and the scales, of "
            f"{', '.join(checkpoint.info[CLEARED])}"
        )
    if checkpoint.info["calibration"] == RANDOM:
        warning(
            "the ranges of activations come from random images; accuracy is to be trusted only "
            "with ranges of real ones (--inputs)"
        )


def show(net: NetworkConfig, checkpoint: Checkpoint) -> None:
    """Print the layers with weights, and how well the integers agree with the float network."""
    from hwsim.cli.output import console, show_outside, table
    from hwsim.workload.outside import outside_of

    rows: list[list[Any]] = [
        [
            shape.layer.name,
            shape.layer.type,
            shape.ofmap.channels,
            shape.K,
            shape.weights,
            shape.macs,
        ]
        for shape in net.shapes()
        if shape.has_weights
    ]
    totals = [sum(row[column] for row in rows) for column in (4, 5)]
    columns = ["layer", "type", "M", "K", "weights", "MACs"]
    console().print(table(net.name, columns, [*rows, ["total", "", "", "", *totals]]))
    show_outside(outside_of(net))
    info = checkpoint.info
    same, compared = info["same_top1"]
    console().print(
        f"{info['imported']}: ranges ({info['ranges']}) from {info['images']} "
        f"{info['calibration']}; on {compared} {info['compared_on']} integer logits correlate "
        f"{info['correlation']:.4f} with float{_outputs(info)}, the same class {same} times; "
        f"{info['saturated_inputs']:.2%} of the inputs saturate{_worst(info['saturated_layers'])}"
    )
    if "accuracy" in info:
        before = [
            f"{info[f'accuracy_{key}']:.1%} {key}"
            for key in ("before", "pruned", "trained")
            if f"accuracy_{key}" in info
        ]
        steps = ", ".join([*before, f"{info['accuracy']:.1%} in integers"])
        console().print(f"of {info['test_images']} images held out, right: {steps}")


def _outputs(info: dict[str, Any]) -> str:
    """Which of several outputs correlates least, in words."""
    each: dict[str, float] = info.get("correlations", {})
    return f" ({min(each, key=each.__getitem__)}, of {len(each)} outputs)" if each else ""


def _worst(shares: dict[str, float]) -> str:
    """The layer that reads the largest fraction of saturated activations, in words."""
    if not shares:
        return ""
    name = max(shares, key=shares.__getitem__)
    return f", of a layer's activations at most {shares[name]:.2%} ({name})"
