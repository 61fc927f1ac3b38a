"""What ships with the project: checkpoints and test images, found by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim import inputs
from hwsim.arrays.base import GEMM
from hwsim.checkpoint import Checkpoint
from hwsim.config import NetworkConfig, TensorShape
from hwsim.errors import InputError

__all__ = [
    "CHECKPOINTS",
    "built",
    "checkpoint_operands",
    "dataset_of",
    "find_checkpoint",
    "images",
    "network_inputs",
    "network_of",
]

CHECKPOINTS = Path(__file__).parents[1] / "models" / "checkpoints"
#: Shape of the images that ship, of every data set.
MNIST_SHAPE = TensorShape(channels=1, height=28, width=28)


def built(name: str) -> Path:
    """Path where ``hwsim compress`` writes the checkpoint of a recipe."""
    return Path("build/compress") / name / f"{name}.safetensors"


def find_checkpoint(name: str) -> Path:
    """Path of a checkpoint: a path is a path, a bare name one that ships, or that was built here.

    Raises
    ------
    InputError
        No such file; the message lists the names there are.
    """
    path = Path(name)
    if path.suffix == ".safetensors" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise InputError(path, "", None, "no such file")
    found = CHECKPOINTS / f"{name}.safetensors"
    if found.is_file():
        return found
    if built(name).is_file():
        return built(name)
    known = ", ".join(sorted(p.stem for p in CHECKPOINTS.glob("*.safetensors")))
    rule = f"must be a file or one of: {known}; or what hwsim compress has made here"
    raise InputError("models/checkpoints", "name", name, rule)


def dataset_of(checkpoint: Checkpoint) -> str | None:
    """Data set that a checkpoint was trained on, as its recipe says; ``None`` without a recipe."""
    recipe = checkpoint.info.get("recipe")
    found = recipe.get("dataset") if isinstance(recipe, dict) else None
    return found if isinstance(found, str) else None


def images(count: int, dataset: str = "mnist") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """First ``count`` of a data set's shipped test images, and their labels."""
    from hwsim import datasets

    pixels, labels = datasets.shipped(dataset)
    if count > len(pixels):
        raise InputError(
            "images", "count", count, f"must be at most {len(pixels)}: the images that ship"
        )
    return pixels[:count], labels[:count]


def network_of(checkpoint: Checkpoint) -> NetworkConfig:
    """Read the network of a checkpoint, and check that they fit.

    It is the YAML of its name beside the file, where an import leaves it, or the shipped one.
    """
    beside = Path(checkpoint.source).parent / f"{checkpoint.network}.yaml"
    network = NetworkConfig.read(beside if beside.is_file() else checkpoint.network)
    checkpoint.check(network)
    return network


def network_inputs(
    network: NetworkConfig,
    count: int,
    file: Path | None = None,
    seed: int = 0,
    dataset: str | None = None,
) -> tuple[NDArray[np.uint8] | NDArray[np.float32], str]:
    """``count`` images for a network, and what they are in words.

    The first of ``file`` where one is given; else of the shipped test images (of ``dataset``, or of
    MNIST), where they have the network's shape; else random ones.
    """
    if file is not None:
        given = inputs.read(file, network)
        if count > len(given):
            raise InputError(file, "images", count, f"must be at most {len(given)}: the file's")
        return given[:count], f"images of {file}"
    if network.input == MNIST_SHAPE:
        from hwsim.mirrors import DATASETS

        name = dataset or "mnist"
        return images(count, name)[0], f"{DATASETS[name].title} test images"
    return inputs.random(network, count, seed), f"random images, seed {seed}"


def checkpoint_operands(
    network: NetworkConfig,
    checkpoint: str,
    count: int,
    file: Path | None = None,
    seed: int = 0,
) -> dict[str, list[GEMM]]:
    """Operands of a network: a checkpoint's weights on :func:`network_inputs`.

    The activations of synthetic weights are random in every layer, of ``seed``.
    """
    from hwsim import synthetic, workload

    weights = Checkpoint.read(find_checkpoint(checkpoint), network)
    if synthetic.is_synthetic(weights):
        return synthetic.operands(network, weights, count, seed)
    dataset = dataset_of(weights)
    return workload.real(network, weights, network_inputs(network, count, file, seed, dataset)[0])
