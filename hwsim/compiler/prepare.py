"""A network on a machine with its images: the program, what it reads, what it must give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.compiler.compile import compile_network
from hwsim.compiler.compiled import Compiled
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
from hwsim.inference import golden
from hwsim.inference.operands import network_images

__all__ = ["Prepared", "on_acts", "on_images"]


@dataclass(frozen=True)
class Prepared:
    """A network compiled for a machine and for the images that it runs on.

    Attributes
    ----------
    act
        Inputs ``(images, C, H, W)``.
    results
        What it must give, by the golden model: ``(images, values)``.
    images
        Where the images come from, in words.
    """

    network: str
    compiled: Compiled
    act: NDArray[np.integer]
    results: NDArray[np.integer]
    images: str


def on_images(
    arch: ArchConfig,
    network: NetworkConfig,
    checkpoint: Checkpoint,
    count: int = 1,
    inputs: Path | NDArray[Any] | None = None,
    seed: int = 0,
    memory: MemoryConfig | None = None,
) -> Prepared:
    """Prepare a network on ``count`` images, those of :func:`network_images`.

    Raises
    ------
    InputError
        There are no such images, or the network does not fit the machine.
    """
    pixels, described = network_images(network, count, inputs, seed, checkpoint)
    act = golden.input_act(pixels, checkpoint.input_scale)
    return on_acts(arch, network, checkpoint, act, described, memory)


def on_acts(
    arch: ArchConfig,
    network: NetworkConfig,
    checkpoint: Checkpoint,
    act: NDArray[np.integer],
    described: str = "activations",
    memory: MemoryConfig | None = None,
) -> Prepared:
    """Prepare a network on inputs ``(images, C, H, W)``; errors as of :func:`on_images`."""
    trace = golden.run(network, checkpoint, act)
    compiled = compile_network(arch, network, checkpoint, len(act), trace.ifmap, memory=memory)
    return Prepared(network.name, compiled, act, trace.logits, described)
