"""What a network costs in energy on a design."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import named, whole
from hwsim.api.tech import technology_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.cost.energy import Energy

__all__ = ["energy"]


def energy(
    arch: str | Path | ArchConfig,
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    *,
    images: int = 1,
    inputs: str | Path | NDArray[Any] | None = None,
    seed: int = 0,
    technology: str | Path = "sg13g2",
    buffer_kib: int = 64,
    dram: str = "lpddr4",
    progress: Callable[[str], None] = lambda what: None,
) -> Energy:
    """Find the energy of a network on a design, layer by layer, and by part.

    Logic takes its share of what its cells take when all of them switch; flip-flops take their
    clock in every cycle; memories take their reads and writes; all of it leaks at the design's own
    clock. What feeds the array counts apart: each stream passes through a buffer on the chip, and
    weights, input and output of the network come from and go to an external memory once.

    Parameters
    ----------
    arch, network, weights, images, inputs, seed
        As of :func:`simulate`.
    technology
        Name in ``configs/tech`` (``"sg13g2"``, ``"45nm"``), path of a technology file, or
        ``"liberty=FILE,sram=FILE.yaml"``: a library with or without memories.
    buffer_kib
        KiB of the buffer: its size decides what a word takes.
    dram
        External memory: ``lpddr4``, ``ddr3``, ``hbm2``, ``hbm3``.
    progress
        Called with each part that is synthesized and each layer that is counted.

    Returns
    -------
    Energy
        pJ of each layer by part; time at the design's own clock.

    Raises
    ------
    InputError
        As of :func:`simulate`, :func:`area` and :func:`clock`; or the logic of this kind of design
        was not measured.
    """
    from hwsim.api.simulate import simulate
    from hwsim.cost.book import Book
    from hwsim.cost.energy import Supply
    from hwsim.cost.silicon import cost_of

    supply = Supply(whole("buffer_kib", buffer_kib, 1), str(named("dram", dram, (str,))))
    technology = technology_of(technology)
    book = Book(technology, progress)
    result = simulate(
        arch, network, weights, images=images, inputs=inputs, seed=seed, technology=technology,
        progress=progress,
    )  # fmt: skip
    return cost_of(book, result, supply=supply).energy
