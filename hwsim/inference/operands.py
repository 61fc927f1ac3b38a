"""Operands of a network's layers: weights and activations come together here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import dataset_of, find_checkpoint
from hwsim.checkpoints.synthetic import is_synthetic
from hwsim.config import NetworkConfig, TensorShape
from hwsim.datasets import load as datasets
from hwsim.datasets.sources import DATASETS
from hwsim.errors import InputError
from hwsim.inference import golden, images, saturation
from hwsim.inference.normalization import Normalization
from hwsim.workload.layer import Layer
from hwsim.workload.random import sparse, stream

__all__ = [
    "RANDOM",
    "act_densities",
    "checkpoint_operands",
    "network_images",
    "on_images",
    "on_random_acts",
    "operands_of",
    "random_acts",
    "shipped_images",
]

Images = NDArray[np.uint8] | NDArray[np.floating]
#: Layers with weights, by name, in the order of the network.
Operands = dict[str, Layer]

#: ``calibration`` of a checkpoint whose ranges are those of no real images.
RANDOM = "random images"
#: Shape of the images that ship, of every data set.
_SHIPPED = TensorShape(channels=1, height=28, width=28)


def checkpoint_operands(
    network: NetworkConfig,
    checkpoint: str | Path,
    count: int,
    file: Path | None = None,
    seed: int = 0,
) -> Operands:
    """Operands of a network: the weights of a checkpoint on ``count`` images.

    The images are those of :func:`network_images`; the activations of synthetic weights are random
    in every layer, of ``seed``.

    Raises
    ------
    InputError
        The checkpoint is missing, damaged or of another network; or there are no such images.
    """
    weights = Checkpoint.read(find_checkpoint(checkpoint), network)
    return operands_of(network, weights, count, file, seed)[0]


def operands_of(
    network: NetworkConfig,
    checkpoint: Checkpoint,
    count: int,
    inputs: Path | NDArray[Any] | None = None,
    seed: int = 0,
) -> tuple[Operands, str]:
    """Operands of a network from a checkpoint's weights, and its inputs in words.

    Parameters
    ----------
    count
        Batch.
    inputs
        As of :func:`network_images`; none for synthetic weights, which run on random activations.
    seed
        Of random images and activations.

    Raises
    ------
    InputError
        Synthetic weights with ``inputs``; or as of :func:`network_images`.
    """
    if not is_synthetic(checkpoint):
        pixels, described = network_images(network, count, inputs, seed, checkpoint)
        operands = on_images(network, checkpoint, pixels)
        return operands, described + _warning(checkpoint, pixels, described)
    if inputs is not None:
        rule = "must be absent: synthetic weights run on random activations"
        raise InputError("arguments", "inputs", _shown(inputs), rule)
    return (
        on_random_acts(network, checkpoint, count, seed),
        f"random activations, seed {seed}",
    )


def on_images(network: NetworkConfig, checkpoint: Checkpoint, pixels: Images) -> Operands:
    """Operands of every layer with weights when a network infers images in integers.

    Parameters
    ----------
    pixels
        ``(images, height, width)`` or ``(images, C, height, width)``: unsigned 8-bit pixels, or
        the real values that the float network takes.
    """
    trace = golden.run(network, checkpoint, golden.input_act(pixels, checkpoint.input_scale))
    return {
        shape.layer.name: Layer.of_tensors(
            shape, checkpoint.layers[shape.layer.name].weight, trace.ifmap[shape.layer.name]
        )
        for shape in network.shapes()
        if shape.has_weights
    }


def on_random_acts(
    network: NetworkConfig,
    checkpoint: Checkpoint,
    count: int,
    seed: int = 0,
    act_density: float | None = None,
) -> Operands:
    """Operands of every layer with weights: those of a checkpoint on random activations.

    The ifmap of each layer is drawn by itself: non-zero independently at each position, uniform
    over the non-zero int8. That of the first layer, the images, has no zero.

    Parameters
    ----------
    count
        Batch: the N of a product is ``count`` x output pixels.
    act_density
        Fraction of the activations of the other layers that are not zero; by default what the
        checkpoint says.

    Raises
    ------
    InputError
        The checkpoint is another network's, or does not say how many activations are zero.
    """
    checkpoint.check(network)
    densities = act_densities(network, checkpoint, act_density)
    acts = random_acts(network, count, seed, densities)
    return {
        shape.layer.name: Layer.of_tensors(
            shape, checkpoint.layers[shape.layer.name].weight, acts[shape.layer.name]
        )
        for shape in network.shapes()
        if shape.has_weights
    }


def act_densities(
    network: NetworkConfig, checkpoint: Checkpoint | None, act_density: float | None = None
) -> dict[str, float]:
    """Fraction of the activations that are not zero, of every layer with weights.

    As the network file has it; with a checkpoint, what that says of all layers but the first, whose
    images have no zero, or ``act_density``.

    Raises
    ------
    InputError
        The checkpoint does not say.
    """
    layers = [shape.layer for shape in network.shapes() if shape.has_weights]
    if checkpoint is None:
        return {layer.name: layer.act_density for layer in layers}
    density = checkpoint.info.get("act_density") if act_density is None else act_density
    if not (isinstance(density, float) and 0 < density <= 1):
        rule = "must be a fraction above 0: that of the activations that are not zero"
        raise InputError(checkpoint.source, "info.act_density", density, rule)
    return {layer.name: density if index else 1.0 for index, layer in enumerate(layers)}


def random_acts(
    network: NetworkConfig, count: int, seed: int, densities: Mapping[str, float]
) -> dict[str, NDArray[np.integer]]:
    """Ifmap ``(count, C, H, W)`` of every layer with weights, drawn by itself at its density."""
    found = {}
    for shape in network.shapes():
        if not shape.has_weights:
            continue
        name, ifmap = shape.layer.name, shape.ifmap
        size = (count * ifmap.channels, ifmap.height * ifmap.width)
        act = sparse(stream(seed, f"{name}.act"), size, densities[name], width=8)
        found[name] = act.reshape(count, ifmap.channels, ifmap.height, ifmap.width)
    return found


def shipped_images(
    count: int, dataset: str = "mnist"
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """First ``count`` of the test images of a data set that ship, and their labels.

    Raises
    ------
    InputError
        Fewer ship.
    """
    pixels, labels = datasets.shipped(dataset)
    if count > len(pixels):
        rule = f"must be at most {len(pixels)}: the images that ship"
        raise InputError("images", "count", count, rule)
    return pixels[:count], labels[:count]


def network_images(
    network: NetworkConfig,
    count: int,
    inputs: Path | NDArray[Any] | None = None,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
) -> tuple[images.Images, str]:
    """``count`` images for a network, and what they are in words.

    They are the first of ``inputs`` where that is a file or a folder, or all of an array; else the
    first of the test images that ship (of the checkpoint's data set, or of MNIST), where they have
    the shape of the network's input; else random ones. Pixels are normalised as the checkpoint
    says.

    Raises
    ------
    InputError
        The file has fewer images, the array has another number of them, or they do not fit the
        network (:func:`hwsim.inference.images.checked`).
    """
    normalization = None if checkpoint is None else Normalization.of(checkpoint.info)
    if isinstance(inputs, np.ndarray):
        pixels = images.checked(inputs, network, "inputs", normalization)
        if count != len(pixels):
            raise InputError("arguments", "images", count, f"must be {len(pixels)}, as in inputs")
        return pixels, "images of an array"
    if inputs is not None:
        pixels = images.read(inputs, network, normalization, count)
        if count > len(pixels):
            raise InputError(inputs, "images", count, f"must be at most {len(pixels)}: the file's")
        return pixels, f"images of {inputs}"
    if network.input == _SHIPPED:
        given = None if checkpoint is None else dataset_of(checkpoint)
        name = given if given in DATASETS else "mnist"
        pixels = images.checked(shipped_images(count, name)[0], network, name, normalization)
        return pixels, f"{DATASETS[name].title} test images"
    return images.random(network, count, seed), f"{RANDOM}, seed {seed}"


def _warning(checkpoint: Checkpoint, pixels: Images, described: str) -> str:
    """What to say of real images where the ranges of activations are those of random ones."""
    if described.startswith(RANDOM) or checkpoint.info.get("calibration") != RANDOM:
        return ""
    share = saturation.of_inputs(pixels, checkpoint.input_scale)
    return f" (ranges of {RANDOM}: {share:.2%} of the inputs saturate)"


def _shown(inputs: Path | NDArray[Any]) -> str:
    return f"array {inputs.shape}" if isinstance(inputs, np.ndarray) else str(inputs)
