"""How fast a design can be clocked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import several
from hwsim.api.read import read_arch
from hwsim.api.tech import technology_of

if TYPE_CHECKING:
    from hwsim.config import ArchConfig
    from hwsim.cost.clock import Clock

__all__ = ["clock"]


def clock(
    archs: str | Path | ArchConfig | Sequence[str | Path | ArchConfig],
    *,
    technology: str | Path = "sg13g2",
    progress: Callable[[str], None] = lambda what: None,
) -> list[Clock]:
    """Find the clock of designs: their slowest paths through logic and memories, at each corner.

    Paths are those of a small design of the same kind, mapped flat, setup included; wires are a
    load per pin, so that a routed design is slower. Figures of the designs that ship are on record,
    others need the extras ``rtl`` and ``synth`` when they are first asked for.

    Parameters
    ----------
    archs
        Designs: names, paths or ``ArchConfig``, one or several.
    technology
        Name in ``configs/tech`` (``"sg13g2"``, ``"45nm"``), path of a technology file, or
        ``"liberty=FILE,sram=FILE.yaml"``: a library with or without memories.
    progress
        Called with each design that is mapped.

    Returns
    -------
    list of Clock
        One for each design: MHz, and the slowest paths in ns with their ends in the RTL.

    Raises
    ------
    InputError
        A design or the technology cannot be read, a design cannot be mapped, or an extra is
        missing.
    """
    from hwsim.config import ArchConfig
    from hwsim.cost.book import Book

    designs = [read_arch(arch) for arch in several("archs", archs, (str, Path, ArchConfig))]
    book = Book(technology_of(technology), progress)
    return [book.clock(design) for design in designs]
