"""What a design costs in silicon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import several
from hwsim.api.read import read_arch
from hwsim.api.tech import technology_of

if TYPE_CHECKING:
    from hwsim.config import ArchConfig
    from hwsim.cost.area import Area

__all__ = ["area"]


def area(
    archs: str | Path | ArchConfig | Sequence[str | Path | ArchConfig],
    *,
    technology: str | Path = "sg13g2",
    progress: Callable[[str], None] = lambda what: None,
) -> list[Area]:
    """Find the area of designs: gates, flip-flops, and every memory as it is built.

    Logic is composed of parts (PE, control, accumulator ...), each of which is synthesized once.
    The parts of all designs that ship are on record; others are synthesized when they are first
    asked for, which takes seconds and the extras ``rtl`` and ``synth``, and kept in
    ``build/parts``.

    Parameters
    ----------
    archs
        Designs: names, paths or ``ArchConfig``, one or several.
    technology
        Name in ``configs/tech`` (``"sg13g2"``, ``"45nm"``), path of a technology file, or
        ``"liberty=FILE,sram=FILE.yaml"``: a library with or without memories.
    progress
        Called with each part that is synthesized.

    Returns
    -------
    list of Area
        One for each design, in um2: by part and by memory.

    Raises
    ------
    InputError
        A design or the technology cannot be read, a part cannot be synthesized, or an extra is
        missing.
    """
    from hwsim.config import ArchConfig
    from hwsim.cost.book import Book

    designs = [read_arch(arch) for arch in several("archs", archs, (str, Path, ArchConfig))]
    book = Book(technology_of(technology), progress)
    return [book.area(design) for design in designs]
