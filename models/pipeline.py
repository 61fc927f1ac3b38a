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
from hwsim.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.config.compress import CompressConfig, ConstraintConfig, PruneConfig
from hwsim.errors import InputError
from hwsim.files import write_text_atomic
from models.networks import Network
from models.projections import Chain, Columns, Filters, Support, Unstructured
from models.pruning import prune
from models.quantize import dequantize, quantize
from models.training import Dataset, Epoch, Masks, accuracy, train

__all__ = ["constraint", "run"]

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
    generator = torch.Generator().manual_seed(config.seed)
    network = Network(network_config)
    data = _dataset(pixels)
    if config.start is not None:
        dequantize(network, Checkpoint.read(find(config.start)))

    def retrain(stage: str, masks: Masks, last: bool) -> list[Epoch]:
        schedule = config.train
        if not last:
            assert config.prune is not None
            schedule = schedule.model_copy(update={"epochs": config.prune.epochs})
        return train(network, data, schedule, generator, stage, masks, report=report)

    if config.prune is None:
        log = retrain("train", {}, True)
    else:
        log = prune(network, _constraints(config.prune), config.prune.rounds, retrain)[1]
    layers = quantize(network, data.images[: config.quantize.images], config.quantize.weight_bits)
    checkpoint = Checkpoint(network_config.name, layers, {}, config.name)
    info = _measure(config, network_config, checkpoint, test)
    info |= {"accuracy_float": accuracy(network, _dataset(test)), "command": command}
    checkpoint = replace(checkpoint, info=info)
    checkpoint.write(out / f"{config.name}.safetensors")
    write_text_atomic(out / f"{config.name}.csv", _csv(log))
    return checkpoint


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


def constraint(config: ConstraintConfig) -> Support:
    """Projection of one layer's constraint."""
    if config.unstructured is not None:
        return Unstructured(config.unstructured)
    parts: list[Support] = []
    if config.filters is not None:
        parts.append(Filters(config.filters))
    if config.columns is not None:
        parts.append(Columns(config.columns))
    return Chain(tuple(parts))


def _constraints(config: PruneConfig) -> Mapping[str, Support]:
    return {name: constraint(each) for name, each in config.layers.items()}


def _fits(config: CompressConfig, network: NetworkConfig, pixels: Pixels) -> None:
    weighted = [shape.layer.name for shape in network.shapes() if shape.has_weights]
    for name in config.prune.layers if config.prune is not None else ():
        if name not in weighted:
            rule = f"must be a layer with weights of {network.name}: {', '.join(weighted)}"
            raise InputError(config.name, f"prune.layers.{name}", None, rule)
    size = (network.input.channels, network.input.height, network.input.width)
    found, classes = (1, *pixels[0].shape[1:]), int(pixels[1].max()) + 1
    if size != found or network.shapes()[-1].ofmap.size < classes:
        rule = f"must take images of {found} to {classes} classes for {config.dataset}"
        raise InputError(config.name, "network", config.network, rule)


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
