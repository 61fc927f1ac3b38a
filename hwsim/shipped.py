"""What ships with the project: checkpoints and test images, found by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import GEMM
from hwsim.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.errors import InputError

__all__ = ["CHECKPOINTS", "checkpoint_operands", "find_checkpoint", "images"]

CHECKPOINTS = Path(__file__).parents[1] / "models" / "checkpoints"


def find_checkpoint(name: str) -> Path:
    """Path of a checkpoint: a path is a path, a bare name is ``models/checkpoints/<name>``.

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
    known = ", ".join(sorted(p.stem for p in CHECKPOINTS.glob("*.safetensors")))
    raise InputError("models/checkpoints", "name", name, f"must be a file or one of: {known}")


def images(count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """First ``count`` of the shipped MNIST test images, and their labels."""
    from hwsim import datasets

    pixels, labels = datasets.shipped("mnist")
    if count > len(pixels):
        raise InputError(
            "images", "count", count, f"must be at most {len(pixels)}: the images that ship"
        )
    return pixels[:count], labels[:count]


def checkpoint_operands(
    network: NetworkConfig, checkpoint: str, count: int
) -> dict[str, list[GEMM]]:
    """Operands of a network: a checkpoint's weights on the first ``count`` shipped test images."""
    from hwsim import workload

    weights = Checkpoint.read(find_checkpoint(checkpoint))
    return workload.real(network, weights, images(count)[0])
