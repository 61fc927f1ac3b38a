"""A foundry's library as a technology."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import named
from hwsim.errors import InputError
from hwsim.report.result import Result
from hwsim.system.reading import MAX_LIBRARY, read_bounded

if TYPE_CHECKING:
    from hwsim.config.tech import SRAMConfig, TechConfig

__all__ = ["Measured", "library", "tech", "technology_of"]

#: The corner that has no name of its own.
TYPICAL = "typ"

#: Technology files that are written where none is named.
_FOLDER = Path("build/tech")
#: Begins the name of a library in place of a technology's, and what its memories' file follows.
_LIBRARY, _SRAM = "liberty=", ",sram="


@dataclass(frozen=True)
class Measured(Result):
    """A technology that was measured of Liberty files, and the file it was written to."""

    technology: TechConfig
    path: Path

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.technology.name}: cells of each corner"

    def to_dict(self) -> dict[str, Any]:
        """File, and the facts of each corner's commonest cells."""
        return {"name": self.technology.name, "path": str(self.path), "corners": self.to_rows()}

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per corner: its cells, its flip-flop, and a gate of two inputs."""
        rows = []
        for name, corner in self.technology.corners.items():
            gates = [cell for cell in corner.cells.values() if len(cell.pins) == 2]
            gate = min(gates, key=lambda cell: cell.area) if gates else None
            rows.append(
                {
                    "corner": name,
                    "voltage_v": corner.voltage,
                    "temperature_c": corner.temperature,
                    "cells": len(corner.cells),
                    "gate_um2": gate.area if gate else None,
                    "flip_flop": corner.flip_flop.name,
                    "flip_flop_um2": corner.flip_flop.area,
                    "clock_to_q_ns": round(
                        max(corner.flip_flop.rise[0], corner.flip_flop.fall[0]), 4
                    ),
                    "setup_ns": corner.flip_flop.setup,
                }
            )
        return rows


def tech(
    liberty: str | Path,
    *,
    name: str | None = None,
    corners: Mapping[str, str | Path] | None = None,
    sram: str | Path | None = None,
    out: str | Path | None = None,
) -> Measured:
    """Measure a foundry's Liberty files into a technology file.

    Area, leakage, energy, function and capacitances of each cell are taken over; each timing arc
    becomes a plane over slew and load, fitted to its tables. Needs the extra ``synth``.

    Parameters
    ----------
    liberty
        Liberty file (NLDM) of the typical corner.
    name
        Name of the technology; that of the file if absent.
    corners
        Liberty files of further corners: name -> file.
    sram
        YAML file with the section ``sram`` of a technology: ``macros`` or ``powers``.
    out
        File to write (default: ``build/tech/NAME.yaml``).

    Returns
    -------
    Measured
        The technology and its path. Areas in um2, times in ns, loads in fF, energies in pJ,
        leakage in pW.

    Raises
    ------
    InputError
        A file cannot be read or written, a cell has no area, or there is no usable cell.
    """
    from hwsim.config.base import load
    from hwsim.config.tech import SRAMConfig, TechConfig
    from hwsim.system import extras
    from hwsim.system.files import write_text_atomic

    extras.require("synth")
    from hwsim.rtl.synth.liberty import read_corner

    files = {TYPICAL: Path(liberty)} | {n: Path(file) for n, file in (corners or {}).items()}
    memories: SRAMConfig | None = load(SRAMConfig, Path(sram)) if sram is not None else None
    technology = TechConfig(
        name=name or Path(liberty).name.partition(".")[0],
        description=f"measured of {', '.join(file.name for file in files.values())}",
        source=", ".join(file.name for file in files.values()),
        licence="that of the Liberty files",
        corners={corner: read_corner(file) for corner, file in files.items()},
        sram=memories,
    )
    path = Path(out) if out is not None else _FOLDER / f"{technology.name}.yaml"
    write_text_atomic(path, technology.to_yaml())
    return Measured(technology, path)


def technology_of(technology: str | Path) -> str:
    """Name or path of a technology, for whatever names one.

    ``"liberty=FILE"``, or ``"liberty=FILE,sram=FILE.yaml"`` with its memories, is measured by
    :func:`tech` when it is first named; the file is kept in ``build/tech`` under the digest of
    both.

    Raises
    ------
    InputError
        As of :func:`tech`.
    """
    name = str(named("technology", technology))
    files = library(name)
    if files is None:
        return name
    from hwsim.system import extras

    extras.require("synth")
    from hwsim.rtl.synth import liberty

    path, sram = files
    content = hashlib.sha256()
    # what is measured depends on how it is measured
    for file in (path, *([] if sram is None else [sram]), Path(liberty.__file__)):
        content.update(read_bounded(file, MAX_LIBRARY))
    own = path.name.partition(".")[0]
    measured = _FOLDER / f"{own}-{content.hexdigest()[:12]}.yaml"
    if not measured.is_file():
        tech(path, name=own, sram=sram, out=measured)
    return str(measured)


def library(technology: str) -> tuple[Path, Path | None] | None:
    """Liberty file, and the file of its memories, of a technology that is named by them.

    Raises
    ------
    InputError
        A file is not named.
    """
    if not technology.startswith(_LIBRARY):
        return None
    path, comma, sram = technology.removeprefix(_LIBRARY).partition(_SRAM)
    if not path or (comma and not sram):
        rule = "must be liberty=FILE or liberty=FILE,sram=FILE.yaml"
        raise InputError("arguments", "technology", technology, rule)
    return Path(path), Path(sram) if sram else None
