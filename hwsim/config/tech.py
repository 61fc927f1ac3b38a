"""What designs cost in a technology: measured once, slow to measure, so on record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from hwsim.config.base import Config, load, resolve

__all__ = ["CellsConfig", "TechConfig"]

Count = Annotated[int, Field(ge=0)]


class CellsConfig(Config):
    """Cells of one design's array, as ``hwsim synth`` counts them."""

    #: Two-input gates and multiplexers; memories apart.
    logic: Count
    flip_flops: Count
    memory_bits: Count


class TechConfig(Config):
    """Cells of designs, by name."""

    #: What they were mapped to: a target of ``hwsim synth``.
    name: str
    designs: dict[str, CellsConfig]

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a record by name (``configs/tech``) or path."""
        return load(cls, resolve(name, "tech"))
