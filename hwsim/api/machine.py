"""A network on a machine, from memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import named, whole
from hwsim.api.read import read_arch, read_checkpoint, read_network

if TYPE_CHECKING:
    from hwsim.accelerator.result import MachineResult
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.compiler.compiled import Compiled
    from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig

__all__ = ["compile_program", "run_machine"]


def run_machine(
    arch: str | Path | ArchConfig,
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    *,
    memory: str | Path | MemoryConfig = "ideal",
    images: int = 1,
    seed: int = 0,
) -> MachineResult:
    """Count the cycles of a network that a machine runs from memory: exactly those of its RTL.

    Parameters
    ----------
    arch
        Design with a machine: name in ``configs/machine``, path of a YAML file, or an
        ``ArchConfig``.
    network, weights
        As of :func:`simulate`: without weights they are random, at the densities of the network
        file.
    memory
        Memory outside: name in ``configs/memory``, path of a YAML file, or a ``MemoryConfig``.
    images
        Images of the program.
    seed
        Seed of random weights.

    Returns
    -------
    MachineResult
        Cycles and waits of each layer, bytes moved, counters of the machine, the plan.

    Raises
    ------
    InputError
        An argument cannot be read, the design is an array alone, or the network does not fit it.
    """
    from hwsim.accelerator.result import MachineResult
    from hwsim.accelerator.simulate import simulate
    from hwsim.config import MemoryConfig

    model = memory
    if not isinstance(model, MemoryConfig):
        model = MemoryConfig.read(str(named("memory", model)))
    compiled = compile_program(arch, network, weights, images=images, seed=seed)
    run = simulate(compiled.program, model)
    return MachineResult(read_network(network).name, compiled.images, model, run)


def compile_program(
    arch: str | Path | ArchConfig,
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    *,
    images: int = 1,
    seed: int = 0,
) -> Compiled:
    """Compile a network for a machine; arguments and errors as of :func:`run_machine`."""
    from hwsim.compiler.compile import compile_network
    from hwsim.compiler.synthetic import synthetic_checkpoint

    design, shapes = read_arch(arch), read_network(network)
    if weights is None:
        checkpoint = synthetic_checkpoint(design, shapes, whole("seed", seed))
    else:
        checkpoint = read_checkpoint(weights, shapes)
    return compile_network(design, shapes, checkpoint, whole("images", images, 1))
