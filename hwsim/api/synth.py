"""Cells of designs, of their PEs and of their multipliers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import several
from hwsim.api.read import read_arch
from hwsim.api.tech import library, technology_of
from hwsim.errors import InputError
from hwsim.report.result import Result

if TYPE_CHECKING:
    from hwsim.config import ArchConfig

__all__ = ["CELL_KINDS", "UNITS", "Synthesis", "synth"]

#: Kinds of cells, in the order of the tables' columns.
CELL_KINDS = ("logic", "flip_flops", "dsp", "memories", "memory_bits")
#: Parts of a design that are synthesized.
UNITS = ("array", "pe", "multiplier")

#: Results of earlier runs.
_CACHE = Path("build/synth/cache")


@dataclass(frozen=True)
class Synthesis(Result):
    """Cells of designs, by kind and type, and of every family's PE in every weight code.

    ``designs`` has one record per design: ``arch``, ``pes``, ``multipliers``, the cells of each of
    :data:`UNITS`, and ``warnings`` of large memories in flip-flops. ``multipliers`` has one row per
    number format and unit.
    """

    target: str
    designs: list[dict[str, Any]] = field(default_factory=list)
    multipliers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"cells, target {self.target}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``, cells by type included."""
        return {
            "target": self.target,
            "designs": self.designs,
            "multipliers": self.multipliers,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per unit of a design, per warning, then per number format and unit."""
        rows = [
            {"arch": design["arch"], "unit": unit, **cells_by_kind(design[unit])}
            for design in self.designs
            for unit in UNITS
        ]
        warnings = [
            {"arch": design["arch"], "unit": f"warning: {warning}", **dict.fromkeys(CELL_KINDS)}
            for design in self.designs
            for warning in design["warnings"]
        ]
        return [*rows, *warnings, *self.multipliers]


def cells_by_kind(cells: dict[str, Any]) -> dict[str, int]:
    """Cells of a unit without those by type."""
    return {kind: cells[kind] for kind in CELL_KINDS}


def synth(
    archs: str | Path | ArchConfig | Sequence[str | Path | ArchConfig] = (),
    *,
    target: str = "generic",
    multipliers: bool = False,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Synthesis:
    """Synthesize designs with Yosys and count cells: of the array, of one PE, of one multiplier.

    Memories stay whole for the target ``generic`` and are counted by their bits; the FPGA targets
    map them. Results are kept under ``build/synth/cache``. Needs the extras ``rtl`` and ``synth``.

    Parameters
    ----------
    archs
        Designs: names, paths or ``ArchConfig``, one or several.
    target
        ``"generic"`` (gates and flip-flops), ``"ecp5"``, ``"ice40"``, ``"xilinx"``; a technology
        (``"sg13g2"``, ``"45nm"``, a file of ``hwsim tech``) or ``"liberty=FILE"``, whose cells have
        areas; ``"liberty=FILE,sram=FILE.yaml"`` also warns of memories that end as flip-flops.
    multipliers
        Also count PEs of all families in all weight codes.
    progress
        Called with what is synthesized, the number of steps done, and the number of steps.

    Returns
    -------
    Synthesis
        Cells by kind (a count; ``memory_bits`` in bits) and by type.

    Raises
    ------
    InputError
        A design cannot be read, there is nothing to do, or a target or extra is missing.
    """
    from hwsim.config import ArchConfig
    from hwsim.system import extras

    names = several("archs", archs, (str, Path, ArchConfig))
    if not names and not multipliers:
        raise InputError("arguments", "archs", None, "name a design, or give multipliers")
    designs = [read_arch(arch) for arch in names]
    extras.require("rtl")
    extras.require("synth")
    from hwsim.rtl.synth.survey import survey
    from hwsim.rtl.synth.targets import target_of

    # what memories are built of
    process = target
    if (files := library(target)) is not None:
        path, sram = files
        process = target if sram is None else technology_of(target)
        target = f"liberty={path}"
    target_of(target)  # refuses a wrong one before anything is elaborated
    records = []
    for index, design in enumerate(designs):
        progress(design.name, index, len(designs))
        records.append(_design(design, target, process))
    rows: list[dict[str, Any]] = []
    if multipliers:
        rows = survey(
            target,
            _CACHE,
            notify=lambda done, total: progress("PEs in all weight codes", done, total),
        )
    return Synthesis(target, records, rows)


def _design(design: ArchConfig, target: str, process: str) -> dict[str, Any]:
    from hwsim.rtl.synth.yosys import synthesize_array, synthesize_multiplier

    array, pe, count = synthesize_array(design, target, _CACHE)
    multiplier = synthesize_multiplier(design.numbers, target, _CACHE)
    assert array is not None
    return {
        "arch": design.name,
        "pes": count,
        "multipliers": design.array.multipliers,
        "array": array.to_dict(),
        "pe": pe.to_dict(),
        "multiplier": multiplier.to_dict(),
        "warnings": _warnings(design, process, array.memories_lost),
    }


def _warnings(design: ArchConfig, target: str, mapped: dict[str, int]) -> list[str]:
    """Large memories in flip-flops: those that were mapped, or those that a process cannot hold."""
    from hwsim.contract.memories import LARGE_BITS
    from hwsim.cost.memories import lost
    from hwsim.rtl.synth.targets import FPGAS

    if target in FPGAS:
        large = {name: bits for name, bits in mapped.items() if bits > LARGE_BITS}
        return [f"{name}: {bits:,} bits in flip-flops" for name, bits in large.items()]
    if target == "generic" or target.startswith("liberty="):
        return []
    reasons = {m.name: lost(m, target) for m in design.array.memories(design.numbers)}
    return [f"{name}: {reason}" for name, reason in reasons.items() if reason]
