"""Cycles by cause of a network on a design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import image_count, whole
from hwsim.api.read import read_arch, workload
from hwsim.api.tech import technology_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.engine.results import NetworkResult

__all__ = ["simulate"]


def simulate(
    arch: str | Path | ArchConfig,
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    *,
    images: int = 1,
    inputs: str | Path | NDArray[Any] | None = None,
    seed: int = 0,
    technology: str | Path = "sg13g2",
    outside: str | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> NetworkResult:
    """Count a network's cycles by cause on a design, layer by layer, cycle-exact.

    Parameters
    ----------
    arch
        Design: name in ``configs/arch`` or ``configs/machine``, path of a YAML file, or an
        ``ArchConfig``.
    network
        Network: name in ``configs/network``, path of a YAML or ``.onnx`` file, or a
        ``NetworkConfig``.
    weights
        Weights, as of :func:`read_checkpoint`. Without them, and without an ``.onnx`` file, the
        operands are synthetic, at the densities of the network file.
    images
        Batch: the N of a product is ``images`` x output pixels.
    inputs
        Images ``(images, C, H, W)``, uint8 pixels or normalised floats: an array of exactly
        ``images`` of them, or a ``.npy`` or ``.npz`` file, whose first ``images`` are taken. By
        default test images that ship where they fit the network, else random ones of ``seed``.
    seed
        Seed of synthetic operands and random images.
    technology
        Process whose clock turns cycles into time: name or path.
    outside
        As of :func:`import_network`: ``"float"`` for an ``.onnx`` file with operations that no
        layer computes. The result lists what does not run on the array.
    progress
        Called with what begins, and with each layer when it is simulated.

    Returns
    -------
    NetworkResult
        Cycles, cycles by cause and events of each layer, useful MACs, stored bits of the weights;
        time in microseconds at the design's own clock, where that is on record (:func:`clock`).

    Raises
    ------
    InputError
        An argument cannot be read, the batch is not that of the inputs, or a layer does not fit the
        design.
    """
    from hwsim.cost.book import Book
    from hwsim.engine import network as engine

    design = read_arch(arch)
    mhz = Book(technology_of(technology)).known_mhz(design)
    images, seed = image_count(images), whole("seed", seed)
    work = workload(network, weights, images, inputs, seed, progress, outside)
    result = engine.simulate(
        design, work.network, work.layers, images=images, seed=seed,
        progress=lambda layer: progress(f"simulated {layer}"),
    )  # fmt: skip
    return replace(result, origin=work.origin, mhz=mhz)
