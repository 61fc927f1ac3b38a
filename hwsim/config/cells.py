"""Figures measured of designs in a technology, on record because measuring takes long.

A figure is filed under the digest of the RTL it was measured of: designs that differ in nothing
that the hardware has share it, and an edited design that keeps its name has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from hwsim.config.arch import ArchConfig
from hwsim.config.base import Config, load
from hwsim.config.catalog import resolve

__all__ = ["CellsConfig", "CountsConfig", "DesignConfig"]

Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class CountsConfig(Config):
    """Cells of one array, as ``hwsim synth`` counts them."""

    #: Two-input gates and multiplexers; memories apart.
    logic: Count
    flip_flops: Count
    memory_bits: Count


class DesignConfig(Config):
    """A design that was measured."""

    #: For readers of the file: a design is found by its digest.
    name: str
    #: Digest of the RTL that was measured (``NAME.json`` has it).
    rtl: Digest


class CellsConfig(Config):
    """Cells of designs."""

    #: What they were mapped to: a target of ``hwsim synth``.
    name: str
    #: Digest of a design (:attr:`~hwsim.config.arch.ArchConfig.digest`) -> what was measured.
    designs: dict[Digest, DesignConfig]
    #: Digest of the RTL -> its cells.
    cells: dict[Digest, CountsConfig]

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a record by name (``configs/cells``) or path."""
        return load(cls, resolve(name, "cells"))

    def cells_of(self, arch: ArchConfig) -> CountsConfig | None:
        """Cells of a design; ``None`` where its hardware was not measured."""
        design = self.designs.get(arch.digest)
        return self.cells.get(design.rtl) if design is not None else None
