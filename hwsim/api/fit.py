"""Memories of a design, sized for a workload."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import fractions, image_count, whole
from hwsim.api.read import read_arch, workload
from hwsim.api.tech import technology_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.cost.fit import Fit
    from hwsim.engine.results import NetworkResult

__all__ = ["fit"]


def fit(
    arch: str | Path | ArchConfig,
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    *,
    images: int = 1,
    inputs: str | Path | NDArray[Any] | None = None,
    seed: int = 0,
    slack: float = 0.01,
    technology: str | Path = "sg13g2",
    progress: Callable[[str], None] = lambda what: None,
) -> Fit:
    """Find the smallest memories of a design with which a network loses no time and no traffic.

    Depths of accumulators and of weight memories are halved, the largest memory first, as long as
    the network still fits and its cycles and the words of each stream grow by at most ``slack``.

    Parameters
    ----------
    arch, network, weights, images, inputs, seed
        As of :func:`simulate`.
    slack
        Fraction of cycles, and of words on each stream, that may be lost.
    technology
        Technology whose memories are meant: name or path.
    progress
        Called with each depth that is tried.

    Returns
    -------
    Fit
        The design before and after: depths, memory bits, mm2, cycles, words; ``arch`` is the fitted
        design, called ``<design>_<network>``.

    Raises
    ------
    InputError
        As of :func:`simulate`; or there is no such technology.
    """
    from hwsim.cost.fit import fit as shrink
    from hwsim.engine import network as engine

    design = read_arch(arch)
    images, seed = image_count(images), whole("seed", seed)
    (slack,) = fractions("slack", (slack,))
    work = workload(network, weights, images, inputs, seed, progress)

    def run(arch: ArchConfig) -> NetworkResult:
        return engine.simulate(arch, work.network, work.layers, images=images, seed=seed)

    return shrink(
        design,
        run,
        technology=technology_of(technology),
        slack=slack,
        progress=lambda depth: progress(f"trying {depth}"),
    )
