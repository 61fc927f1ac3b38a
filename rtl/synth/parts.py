"""Logic of the parts that a design is composed of, each synthesized once."""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from hwsim.config import ArchConfig
from hwsim.config.parts import MeasuredPart
from hwsim.config.tech import CornerConfig, TechConfig
from hwsim.contract.parts import Part
from hwsim.errors import InputError
from hwsim.rtl.emit.rtlil import design_rtlil, elaborated, rtl_digest
from hwsim.rtl.emit.zeros import without_zeros
from hwsim.rtl.machine.top import MachineTop
from hwsim.rtl.synth.power import pin_energies
from hwsim.rtl.synth.yosys import Cells, synthesize_module

__all__ = ["measure", "part_rtl"]

#: End of the name of the array's module within a machine.
_ARRAY = ".core.array"
_MODULE = re.compile(r"(?ms)(?:^attribute [^\n]*\n)*^module (\\\S+)\n.*?^end\n")


def part_rtl(probe: ArchConfig, part: Part) -> tuple[str, str]:
    """RTLIL of a part with all below it, or of its own module alone, and the name of its module.

    Raises
    ------
    InputError
        The probe has no such module.
    """
    modules = _modules(probe, part.is_around)
    below = rf"\.{re.escape(part.path)}(?:\$\d+)?" if part.path else ""
    pattern = re.compile(rf"\\{re.escape(probe.name)}{below}$")
    name = next((each for each in modules if pattern.match(each)), None)
    if name is None:
        raise InputError(probe.name, "part", part.path, "must be a module of the generated RTL")
    wanted = [name] if part.is_own else _below(modules, name)
    return "\n".join(modules[each] for each in wanted), name


def measure(
    probe: ArchConfig, part: Part, target: str, cache: Path, technology: TechConfig
) -> MeasuredPart:
    """Synthesize a part, flattened; memories stay apart.

    Parameters
    ----------
    target
        What it is mapped to: cells that have an area.
    cache
        Folder of earlier results.
    technology
        Facts of these cells, from which energy and leakage are.

    Raises
    ------
    InputError
        The probe has no such module, or it cannot be mapped.
    """
    text, name = part_rtl(probe, part)
    cells = synthesize_module(
        text, name, target, cache, is_whole=not (part.is_own or part.is_around)
    )
    corner = next(iter(technology.corners.values()))
    assert cells.area is not None
    assert cells.flip_flop_area is not None
    return MeasuredPart(
        rtl=rtl_digest(text, name.removeprefix("\\")),
        area=round(cells.area, 4),
        flip_flop_area=round(cells.flip_flop_area, 4),
        flip_flops=cells.count("flip_flops"),
        delay=cells.delay,
        switch=round(_switch(cells, corner, technology.wire_load), 5),
        leakage=round(_leakage(cells, corner), 1),
    )


def _switch(cells: Cells, corner: CornerConfig, wire_load: float) -> float:
    """Energy in pJ when the output of every cell changes once, its load included."""
    return sum(
        count * sum((pin_energies(kind, corner, wire_load) or {}).values())
        for kind, count in cells.by_type.items()
    )


def _leakage(cells: Cells, corner: CornerConfig) -> float:
    """Leakage of all cells, in pW."""
    leakage = {name: cell.leakage for name, cell in corner.cells.items()}
    leakage[corner.flip_flop.name] = corner.flip_flop.leakage
    return sum(n * leakage[name] for name, n in cells.by_type.items() if name in leakage)


@lru_cache(maxsize=8)
def _modules(probe: ArchConfig, is_machine: bool) -> dict[str, str]:
    """Modules of an array, or of the machine around one."""
    if is_machine:
        text = without_zeros(elaborated(MachineTop(probe), probe.name))
    else:
        text = design_rtlil(probe)[1]
    return {match[1]: match[0] for match in _MODULE.finditer(text)}


def _below(modules: dict[str, str], name: str) -> list[str]:
    """A module and all that it instantiates, itself first; an array within a machine stays out."""
    found: dict[str, None] = {}

    def visit(each: str, visit: Callable) -> None:
        if each in found:
            return
        found[each] = None
        for cell in re.findall(r"(?m)^  cell (\\\S+) ", modules[each]):
            if cell in modules and not cell.endswith(_ARRAY):
                visit(cell, visit)

    visit(name, visit)
    return list(found)
