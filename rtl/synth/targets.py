"""What a design is synthesized to: simple gates, an FPGA's cells, or the cells of a process."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hwsim.config.catalog import CONFIGS
from hwsim.config.tech import TechConfig
from hwsim.errors import InputError
from hwsim.rtl.synth.liberty import liberty_text
from hwsim.system.reading import MAX_LIBRARY, read_text

__all__ = ["FPGAS", "Target", "target_names", "target_of"]

#: Common to simple gates and to standard cells. Memories stay as they are, for a foundry's compiler
#: makes them. The first part is that of ``synth``, but multipliers are mapped before ``alumacc``:
#: merged with the adder behind it, a signed multiplier would be as wide as the sum, and twice as
#: large.
_GATES = (
    "proc",
    "opt_expr",
    "opt_clean",
    "opt -nodffe -nosdff",
    "fsm",
    "opt",
    "wreduce",
    "peepopt",
    "opt_clean",
    "techmap t:$mul",
    "alumacc",
    "share",
    "opt",
    "memory -nomap",
    "opt_clean",
    "opt -fast -full",
    "opt -undriven -fine",
    "techmap",
    "opt -fast",
)

#: Mapping for delay, then buffers and sizes by the loads that the gates see.
_ABC = "+strash;&get,-n;&dch,-f;&nf;&put;buffer,-c;topo;upsize;dnsize;stime,-p"

_STANDARD_CELLS = (
    *_GATES,
    "dfflibmap -liberty cells.lib",
    f"abc -liberty cells.lib -script {_ABC}",
    "clean",
)

#: FPGA -> passes.
FPGAS = {
    # without its last step, which makes up names: a path is named by the signals on it
    "ecp5": ("synth_ecp5 -top {top} -run :check", "blackbox =A:whitebox"),
    "ice40": ("synth_ice40 -dsp -top {top}",),
    "xilinx": ("synth_xilinx -flatten -noiopad -noclkbuf -top {top}",),
}

_FIXED = {"generic": (*_GATES, "abc", "opt -fast", "clean"), **FPGAS}


@dataclass(frozen=True)
class Target:
    """Yosys passes after a design is read, and the Liberty text of the cells they map to."""

    name: str
    passes: tuple[str, ...]
    #: ``""`` where the passes bring their own cells.
    library: str = ""

    @property
    def registers(self) -> tuple[str, ...]:
        """Cells of the library that are flip-flops."""
        return tuple(
            name for name, text in self._cells().items() if re.search(r"(?m)^\s*ff\s*\(", text)
        )

    @property
    def without_area(self) -> frozenset[str]:
        """Cells of the library that have no area, or one of 0."""
        area = re.compile(r"\barea\s*:\s*\"?[\d.]*[1-9]")
        return frozenset(name for name, text in self._cells().items() if not area.search(text))

    def _cells(self) -> dict[str, str]:
        """Cells of the library by name."""
        cells = re.split(r"(?m)^\s*cell\s*\(", self.library)[1:]
        return {cell.partition(")")[0].strip().strip('"'): cell for cell in cells}


def target_names() -> list[str]:
    """Names of all targets, apart from ``liberty=FILE``."""
    known = sorted(path.stem for path in (CONFIGS / "tech").glob("*.yaml"))
    return [*_FIXED, *known]


@lru_cache
def target_of(name: str) -> Target:
    """Target by its name: one of :func:`target_names`, ``liberty=FILE``, or a technology's file.

    Cells are those of the technology's first corner; a scaled technology maps to its base's.

    Raises
    ------
    InputError
        There is no such target, or its file cannot be read.
    """
    if name in _FIXED:
        return Target(name, _FIXED[name])
    kind, _, path = name.partition("=")
    if kind == "liberty" and path:
        text = read_text(Path(path), MAX_LIBRARY, errors="replace")
        if not re.search(r"\blibrary\s*\(", text):
            raise InputError(path, "", None, "must be a Liberty file: it has no library group")
        return Target(name, _STANDARD_CELLS, text)
    if name not in target_names() and Path(name).suffix not in {".yaml", ".yml"}:
        known = ", ".join(target_names())
        rule = f"must be one of: {known}; or liberty=FILE, or the file of a technology"
        raise InputError("command line", "--target", name, rule)
    technology = TechConfig.read(name)
    if technology.scaled is not None:
        technology = TechConfig.read(technology.scaled.base)
    corner = next(iter(technology.corners.values()))
    return Target(name, _STANDARD_CELLS, liberty_text(corner))
