"""One recipe, one checkpoint: train, prune, quantize, measure, write."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwsim import datasets, golden
from hwsim.checkpoint import Checkpoint, LayerWeights
from hwsim.config import LayerShape, NetworkConfig
from hwsim.config.base import parse
from hwsim.config.compress import CompressConfig, ConstraintConfig, PruneConfig
from hwsim.errors import InputError
from hwsim.files import write_text_atomic
from models.codes import Aware, Codes
from models.networks import Network
from models.projections import (
    NM,
    BankBalancedColumns,
    Chain,
    Columns,
    Connectivity,
    Filters,
    Lowered,
    Pattern,
    Support,
    Unstructured,
)
from models.pruning import prune
from models.quantize import dequantize, quantize
from models.training import Dataset, Epoch, Masks, accuracy, train

__all__ = ["constraint", "find_made", "run"]

Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def run(
    config: CompressConfig,
    out: Path,
    *,
    command: str,
    find: Callable[[str], Path] = Path,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> Checkpoint:
    """Make one checkpoint and write ``<name>.safetensors`` and ``<name>.csv`` into ``out``.

    ``accuracy`` in its information is that of the integers; ``accuracy_float`` that of the float
    network behind them, whose weights are already quantized where it was retrained so.

    The test images are used once, at the end, to measure: every choice (epochs, masks, scales) is
    made on the training set or by the recipe.

    Parameters
    ----------
    config
        The recipe.
    out
        Folder; each file appears whole or not at all.
    command
        What the file says it was made by.
    find
        Path of the checkpoint that ``start`` names.
    report
        Called with each finished epoch.

    Raises
    ------
    InputError
        The data set is not installed, or the recipe does not fit the network.
    """
    network_config = NetworkConfig.read(config.network)
    pixels, test = datasets.load(config.dataset, "train"), datasets.load(config.dataset, "test")
    _fits(config, network_config, pixels)
    # sums in another order give another network: one thread makes a run repeatable
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    network = Network(network_config)
    if config.start is not None:
        dequantize(network, Checkpoint.read(find(config.start)))
    layers, log = _compress(config, network, _dataset(pixels), report)
    checkpoint = Checkpoint(network_config.name, layers, {}, config.name)
    info = _measure(config, network_config, checkpoint, test)
    info |= {"accuracy_float": accuracy(network, _dataset(test)), "command": command}
    checkpoint = replace(checkpoint, info=info)
    checkpoint.write(out / f"{config.name}.safetensors")
    write_text_atomic(out / f"{config.name}.csv", _csv(log))
    return checkpoint


def find_made(config: CompressConfig, out: Path) -> Checkpoint | None:
    """Read what :func:`run` left in ``out``; ``None`` where that is missing or of another recipe.

    Raises
    ------
    InputError
        The file there is no checkpoint.
    """
    path = out / f"{config.name}.safetensors"
    if not path.is_file() or not (out / f"{config.name}.csv").is_file():
        return None
    checkpoint = Checkpoint.read(path)
    try:
        recorded = parse(CompressConfig, checkpoint.info.get("recipe"), path)
    except InputError:
        # of a version with other keys
        return None
    return checkpoint if recorded == config else None


def _compress(
    config: CompressConfig, network: Network, data: Dataset, report: Callable[[Epoch], None]
) -> tuple[dict[str, LayerWeights], list[Epoch]]:
    """Train, prune and quantize the network, which stays as the float twin of the result."""
    generator = torch.Generator().manual_seed(config.seed)

    def retrain(stage: str, masks: Masks, last: bool) -> list[Epoch]:
        schedule = config.train
        if not last:
            assert config.prune is not None
            schedule = schedule.model_copy(update={"epochs": config.prune.epochs})
        return train(network, data, schedule, generator, stage, masks, report=report)

    masks: Masks = {}
    if config.prune is not None:
        constraints = _constraints(config.prune, network.config)
        masks, log = prune(network, constraints, config.prune.rounds, retrain)
    else:
        if config.kind != "dense":
            masks = {name: weight.ne(0) for name, weight in network.weights().items()}
        log = retrain("train", masks, True)
    aware = Aware(Codes(config.quantize.numbers), masks)
    schedule = config.quantize.train
    if schedule is not None:
        log += train(
            network, data, schedule, generator, "quantize", masks,
            substituted=aware.substituted, report=report,
        )  # fmt: skip
        aware.settle(network)
    images = data.images[: config.quantize.images]
    return quantize(network, images, aware.codes, masks, aware.scales), log


def _measure(
    config: CompressConfig, network: NetworkConfig, checkpoint: Checkpoint, test: Pixels
) -> dict[str, Any]:
    """Run the integers on all test images, and say where they come from."""
    images, labels = test
    right = golden.logits(network, checkpoint, golden.input_act(images)).argmax(axis=1) == labels
    info: dict[str, Any] = {
        "kind": config.kind,
        "recipe": config.model_dump(mode="json", exclude_none=True),
        "accuracy": int(right.sum()) / len(right),
        "test_images": len(right),
        "kept": checkpoint.density,
    }
    shipped = datasets.shipped_count(config.dataset)
    if shipped:
        info |= {
            "accuracy_shipped": int(right[:shipped].sum()) / shipped,
            "shipped_images": shipped,
        }
    return info


def constraint(config: ConstraintConfig, shape: LayerShape) -> Support:
    """Projection of one layer's constraint, which must fit the layer: see :func:`_fits`."""
    if config.unstructured is not None:
        return Unstructured(config.unstructured)
    if config.pattern is not None:
        return Chain((Pattern(config.pattern.patterns), Connectivity(config.pattern.kernels)))
    parts: list[Support] = []
    if config.filters is not None:
        parts.append(Filters(config.filters))
    if config.nm is not None:
        parts.append(Lowered(shape.C, NM(config.nm.n, config.nm.m)))
    if config.columns is not None:
        parts.append(
            Columns(config.columns)
            if config.banks is None
            else Lowered(shape.C, BankBalancedColumns(config.columns, config.banks))
        )
    return Chain(tuple(parts))


def _constraints(config: PruneConfig, network: NetworkConfig) -> Mapping[str, Support]:
    shapes = {shape.layer.name: shape for shape in network.shapes()}
    return {name: constraint(each, shapes[name]) for name, each in config.layers.items()}


def _fits(config: CompressConfig, network: NetworkConfig, pixels: Pixels) -> None:
    if config.prune is not None:
        _constraints_fit(config.name, config.prune, network)
    size = (network.input.channels, network.input.height, network.input.width)
    found, classes = (1, *pixels[0].shape[1:]), int(pixels[1].max()) + 1
    if size != found or network.shapes()[-1].ofmap.size < classes:
        rule = f"must take images of {found} to {classes} classes for {config.dataset}"
        raise InputError(config.name, "network", config.network, rule)


def _constraints_fit(source: str, config: PruneConfig, network: NetworkConfig) -> None:
    shapes = {shape.layer.name: shape for shape in network.shapes() if shape.has_weights}
    for name, each in config.layers.items():
        key = f"prune.layers.{name}"
        if name not in shapes:
            rule = f"must be a layer with weights of {network.name}: {', '.join(shapes)}"
            raise InputError(source, key, None, rule)
        shape = shapes[name]
        if each.pattern is not None and not (
            shape.layer.type == "conv" and shape.R == 3 and shape.S == 3
        ):
            layer = f"{shape.layer.type} {shape.R}x{shape.S}"
            raise InputError(source, f"{key}.pattern", layer, "must be on a conv of 3x3 kernels")
        if each.banks is not None and each.banks > shape.K:
            rule = f"must be at most the layer's K, {shape.K}"
            raise InputError(source, f"{key}.banks", each.banks, rule)


def _dataset(pixels: Pixels) -> Dataset:
    images, labels = pixels
    return Dataset(
        torch.from_numpy(images.astype(np.float32) / 255)[:, None],
        torch.from_numpy(labels.astype(np.int64)),
    )


def _csv(log: list[Epoch]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    for epoch in log:
        row = asdict(epoch)
        writer.writerow({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()})
    return text.getvalue()
