"""A network on a machine, from memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import image_count, image_source, named, whole
from hwsim.api.read import read_arch, read_checkpoint, resolved
from hwsim.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwsim.accelerator.result import MachineResult
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.compiler.prepare import Prepared
    from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig

__all__ = ["choose_weights", "prepare", "read_memory", "run_machine"]


def run_machine(
    arch: str | Path | ArchConfig,
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    *,
    memory: str | Path | MemoryConfig = "ideal",
    images: int = 1,
    inputs: str | Path | NDArray[Any] | None = None,
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
        Layers whose maps do not fit on chip are cut as takes the fewest cycles with it.
    images
        Images of the program.
    inputs
        Images, as of :func:`simulate`. The cycles of an array that does not skip zero activations
        depend on none.
    seed
        Seed of random weights, activations and images.

    Returns
    -------
    MachineResult
        Cycles and waits of each layer, bytes moved, counters of the machine, the plan.

    Raises
    ------
    InputError
        An argument cannot be read, the design is an array alone, or the network does not fit it.
    """
    from hwsim.compiler.run import run_network

    design, model = read_arch(arch), read_memory(memory)
    images, seed, pictures = image_count(images), whole("seed", seed), image_source(inputs)
    given = resolved(network, weights, inputs=pictures, seed=seed)
    return run_network(
        design, given.network, given.checkpoint, model,
        called=given.name, images=images, inputs=pictures, seed=seed,
    )  # fmt: skip


def prepare(
    design: ArchConfig,
    network: NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    images: int = 1,
    inputs: Path | NDArray[Any] | None = None,
    seed: int = 0,
    memory: MemoryConfig | None = None,
) -> Prepared:
    """Compile a network for a machine, images and a memory, with what it must give.

    Weights are by default those of :func:`choose_weights`.
    """
    from hwsim.compiler.prepare import on_images

    source, _ = choose_weights(design, network, weights, seed)
    checkpoint = read_checkpoint(source, network, inputs=inputs, seed=seed)
    return on_images(design, network, checkpoint, images, inputs, seed, memory)


def choose_weights(
    design: ArchConfig,
    network: NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    seed: int = 0,
) -> tuple[str | Path | Checkpoint, str]:
    """Weights of a network, and what they are in words.

    Where none are given: the checkpoint ``<network>_<kind>`` of the kind that the design's family
    consumes, where it ships or was built here; else random weights at the densities of the network
    file.
    """
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import find_checkpoint
    from hwsim.compiler.synthetic import synthetic_checkpoint

    if weights is not None:
        return weights, weights.source if isinstance(weights, Checkpoint) else str(weights)
    name = f"{network.name}_{design.array.checkpoint_kind}"
    try:
        return find_checkpoint(name), name
    except InputError:
        words = f"synthetic weights, seed {seed}: there is no checkpoint {name}"
        return synthetic_checkpoint(design, network, seed), words


def read_memory(memory: str | Path | MemoryConfig) -> MemoryConfig:
    """Read a memory: name in ``configs/memory``, path of a YAML file, or a ``MemoryConfig``."""
    from hwsim.config import MemoryConfig

    if isinstance(memory, MemoryConfig):
        return memory
    return MemoryConfig.read(str(named("memory", memory)))
