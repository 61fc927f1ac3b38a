"""Logic of the parts that a design is composed of, each synthesized once."""

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from hwsim.config import ArchConfig
from hwsim.contract.parts import Part
from hwsim.errors import InputError
from hwsim.rtl.emit.rtlil import design_rtlil, rtl_digest
from hwsim.rtl.synth.yosys import Cells, synthesize_module

__all__ = ["Measured", "measure", "part_rtl"]

#: Digest of the RTL, and its cells.
Measured = tuple[str, Cells]

_MODULE = re.compile(r"(?ms)(?:^attribute [^\n]*\n)*^module (\\\S+)\n.*?^end\n")


def part_rtl(probe: ArchConfig, part: Part) -> tuple[str, str]:
    """RTLIL of a part with all below it, or of its own module alone, and the name of its module.

    Raises
    ------
    InputError
        The probe has no such module.
    """
    modules = _modules(probe)
    below = rf"\.{re.escape(part.path)}(?:\$\d+)?" if part.path else ""
    pattern = re.compile(rf"\\{re.escape(probe.name)}{below}$")
    name = next((each for each in modules if pattern.match(each)), None)
    if name is None:
        raise InputError(probe.name, "part", part.path, "must be a module of the generated RTL")
    wanted = [name] if part.is_own else _below(modules, name)
    return "\n".join(modules[each] for each in wanted), name


def measure(probe: ArchConfig, part: Part, target: str, cache: Path) -> Measured:
    """Synthesize a part, flattened; memories stay apart.

    Raises
    ------
    InputError
        The probe has no such module, or it cannot be mapped.
    """
    text, name = part_rtl(probe, part)
    digest = rtl_digest(text, name.removeprefix("\\"))
    return digest, synthesize_module(text, name, target, cache, is_whole=not part.is_own)


@lru_cache(maxsize=8)
def _modules(probe: ArchConfig) -> dict[str, str]:
    text = design_rtlil(probe)[1]
    return {match[1]: match[0] for match in _MODULE.finditer(text)}


def _below(modules: dict[str, str], name: str) -> list[str]:
    """A module and all that it instantiates, itself first."""
    found: dict[str, None] = {}

    def visit(each: str, visit: Callable) -> None:
        if each in found:
            return
        found[each] = None
        for cell in re.findall(r"(?m)^  cell (\\\S+) ", modules[each]):
            if cell in modules:
                visit(cell, visit)

    visit(name, visit)
    return list(found)
