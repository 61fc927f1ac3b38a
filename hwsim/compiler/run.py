"""Run a network on a machine from a memory, in the fast form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hwsim.accelerator.result import MachineResult
from hwsim.accelerator.simulate import simulate
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.synthetic import is_synthetic
from hwsim.compiler.compile import compile_network
from hwsim.compiler.prepare import on_images
from hwsim.compiler.shapes import suffices
from hwsim.compiler.synthetic import synthetic_checkpoint
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
from hwsim.errors import InputError
from hwsim.inference.operands import act_densities, random_acts

__all__ = ["run_network"]


def run_network(
    design: ArchConfig,
    network: NetworkConfig,
    checkpoint: Checkpoint | None,
    memory: MemoryConfig,
    *,
    called: str = "",
    images: int = 1,
    inputs: Path | NDArray[Any] | None = None,
    seed: int = 0,
) -> MachineResult:
    """Compile a network for a machine and count its cycles with a memory.

    Parameters
    ----------
    checkpoint
        Weights; without them they are random, at the densities of the network file.
    called
        What the checkpoint is called (default: its source).
    inputs
        Images; the cycles of an array that does not skip zero activations depend on none.
    seed
        Seed of random weights, activations and images.

    Raises
    ------
    InputError
        The design is an array alone, the network does not fit it, or no cycle depends on
        ``inputs``.
    """
    is_random = checkpoint is None or is_synthetic(checkpoint)
    skips, by_shapes = design.array.skips_acts, checkpoint is None and suffices(design)
    if checkpoint is not None:
        words = called or checkpoint.source
    else:
        words = "shapes of weights alone" if by_shapes else f"synthetic weights, seed {seed}"
    if inputs is not None and (is_random or not skips):
        rule = "must be absent: "
        rule += (
            "random weights run on random activations" if is_random else "no cycle depends on it"
        )
        raise InputError("arguments", "inputs", str(inputs), rule)
    if skips and checkpoint is not None and not is_random:
        compiled = on_images(design, network, checkpoint, images, inputs, seed, memory).compiled
    else:
        acts = None
        if skips:
            acts = random_acts(network, images, seed, act_densities(network, checkpoint))
        if checkpoint is None and not by_shapes:
            checkpoint = synthetic_checkpoint(design, network, seed)
        compiled = compile_network(design, network, checkpoint, images, acts, memory=memory)
    run = simulate(compiled.program, memory)
    return MachineResult(network, images, memory, run, words)
