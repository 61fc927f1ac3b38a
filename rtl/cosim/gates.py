"""A design as gates: mapped to cells, simulated, and what each group of its parts switched."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.arrays.base import Job
from hwsim.config import ArchConfig
from hwsim.config.tech import CornerConfig, TechConfig
from hwsim.rtl.cosim.run import SAIF, Build, RTLRun, build, play_job
from hwsim.rtl.emit.rtlil import design_rtlil
from hwsim.rtl.synth.gate_models import simulatable
from hwsim.rtl.synth.power import Switched, read_saif, switched
from hwsim.rtl.synth.yosys import map_modules

__all__ = ["Gates", "GroupEnergy", "map_gates", "run_gates"]


@dataclass(frozen=True)
class Gates:
    """A design mapped to gates, with its simulation."""

    arch: ArchConfig
    modules: dict[str, Any]
    corner: CornerConfig
    wire_load: float
    built: Build


@dataclass(frozen=True)
class GroupEnergy:
    """What the logic of one group of parts switched in a run; clock pins apart."""

    #: pJ, and pJ if the output of every cell changed once.
    energy: float
    once: float
    flip_flops: int


def map_gates(arch: ArchConfig, technology: TechConfig, build_dir: Path) -> Gates:
    """Map a design to a technology's cells, module by module, and build the simulation of them.

    Raises
    ------
    InputError
        The design cannot be mapped, or a tool is missing.
    """
    corner = next(iter(technology.corners.values()))
    modules, verilog = map_modules(design_rtlil(arch)[1], f"\\{arch.name}", technology.name)
    built = build(arch, build_dir, gates=simulatable(verilog, corner))
    return Gates(arch, modules, corner, technology.wire_load, built)


def run_gates(gates: Gates, job: Job) -> tuple[RTLRun, dict[str, GroupEnergy]]:
    """Run a job on the gates; return what came out, and what each group of parts switched."""
    run = play_job(gates.built, job)
    toggles = read_saif(gates.built.folder / SAIF, "array")
    found = switched(gates.modules, gates.arch.name, toggles, gates.corner, gates.wire_load)
    return run, _groups(gates.arch, found)


def _groups(arch: ArchConfig, found: Mapping[str, Switched]) -> dict[str, GroupEnergy]:
    """Instances added up by the groups of the parts that they belong to."""
    parts = {_kind(part.path): part.group for part in arch.array.parts(arch.numbers)}
    # what lies between the parts are registers of skew, or the border
    rest = parts.get("", "skew")
    totals: dict[str, GroupEnergy] = {}
    for path, one in found.items():
        group = next((parts[kind] for kind in _prefixes(path) if kind in parts), rest)
        before = totals.get(group, GroupEnergy(0.0, 0.0, 0))
        totals[group] = GroupEnergy(
            before.energy + one.energy,
            before.once + one.once,
            before.flip_flops + one.flip_flops,
        )
    return totals


def _prefixes(path: str) -> list[str]:
    """Kinds of a path and of what it lies in, the longest first."""
    names = _kind(path).split(".") if path else []
    return [".".join(names[:end]) for end in range(len(names), 0, -1)]


def _kind(path: str) -> str:
    """Path without the numbers of an instance: all PEs are alike.

    Neither with what tells an instance from a port of its name.
    """
    return re.sub(r"_\d+|\$\d+", "", path)
