"""Area of a design: logic composed of its parts, and its memories as they are built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hwsim.config import ArchConfig
from hwsim.config.onchip import machine_memories
from hwsim.config.parts import MeasuredPart, keys_of
from hwsim.contract.memories import Memory
from hwsim.contract.parts import Part
from hwsim.cost.memories import Logic, Silicon, build, logic, logic_of, lost, multiplexer, process
from hwsim.report.result import Result

__all__ = ["Area", "Find", "Group", "area"]

#: Gives the logic of a part of a design, by the part's key in a record.
Find = Callable[[ArchConfig, Part, str], MeasuredPart]


@dataclass(frozen=True)
class Group:
    """Logic of all parts of one group: all PEs, the control."""

    name: str
    #: um2 of gates, and of flip-flops.
    gates: float
    flip_flops: float
    #: Flip-flops; fractional where parts are interpolated.
    count: float
    #: pJ when the output of every gate and flip-flop changes once.
    switch: float
    #: pW.
    leakage: float


@dataclass(frozen=True)
class Area(Result):
    """Area of a design in a technology, by part and by memory."""

    arch: ArchConfig
    technology: str
    groups: list[Group]
    memories: list[tuple[Memory, Silicon]]

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.arch.name}: area in {self.technology}, mm2"

    @cached_property
    def gates(self) -> float:
        """um2 of gates."""
        return sum(group.gates for group in self.groups)

    @cached_property
    def flip_flops(self) -> float:
        """um2 of flip-flops, those of memories apart."""
        return sum(group.flip_flops for group in self.groups)

    @cached_property
    def memory(self) -> float:
        """um2 of memories."""
        return sum(memory.count * silicon.area for memory, silicon in self.memories)

    @property
    def total(self) -> float:
        """um2 of all."""
        return self.gates + self.flip_flops + self.memory

    @property
    def warnings(self) -> list[str]:
        """Large memories that are flip-flops though they need not be, and why."""
        reasons = {memory.name: lost(memory, self.technology) for memory, _ in self.memories}
        return [f"{name}: {reason}" for name, reason in reasons.items() if reason]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, um2."""
        return {
            "arch": self.arch.name,
            "digest": self.arch.digest,
            "technology": self.technology,
            "gates_um2": self.gates,
            "flip_flops_um2": self.flip_flops,
            "memories_um2": self.memory,
            "total_um2": self.total,
            "flip_flops": round(sum(group.count for group in self.groups)),
            "memory_bits": sum(memory.bits for memory, _ in self.memories),
            "warnings": self.warnings,
            "parts": [vars(group) for group in self.groups],
            "memories": [
                {
                    "name": memory.name,
                    "depth": memory.depth,
                    "width": memory.width,
                    "count": memory.count,
                    "ports": memory.ports,
                    **silicon.to_dict(),
                    "total_um2": memory.count * silicon.area,
                }
                for memory, silicon in self.memories
            ],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per group of parts, per memory and per warning, and the sum of the parts."""
        rows = [
            _row(group.name, gates=group.gates, flip_flops=group.flip_flops, memory=0.0, built="")
            for group in self.groups
        ]
        for memory, silicon in self.memories:
            shape = f"{memory.count} x {memory.depth} x {memory.width}"
            built = f"{shape}: {silicon.kind}"
            if silicon.kind == "macro":
                built += f" {silicon.piece[0]} x {silicon.piece[1]}"
            rows.append(
                _row(
                    memory.name,
                    gates=0.0,
                    flip_flops=0.0,
                    memory=memory.count * silicon.area,
                    built=built,
                )
            )
        for warning in self.warnings:
            rows.append(dict.fromkeys(rows[0]) | {"part": "warning", "built": warning})
        total = _row(
            "total", gates=self.gates, flip_flops=self.flip_flops, memory=self.memory, built=""
        )
        return [*rows, total]


def area(
    arch: ArchConfig, technology: str, find: Find, memories: Sequence[Memory] | None = None
) -> Area:
    """Compose the area of a design.

    Parameters
    ----------
    technology
        Name or path of a technology.
    find
        Gives the logic of a part in the technology, or in the one that it is scaled from.
    memories
        Memories in place of the design's own: fitted ones, to which its logic is as it was.

    Raises
    ------
    InputError
        As of ``find``, or there is no such technology.
    """
    cells = logic(technology)
    groups: dict[str, Group] = {}
    for part, key in keys_of(arch):
        measured = find(arch, part, key)
        gates = (measured.area - measured.flip_flop_area) * cells.area
        registers = measured.flip_flop_area * cells.flip_flop_area
        before = groups.get(part.group, Group(part.group, 0.0, 0.0, 0.0, 0.0, 0.0))
        groups[part.group] = Group(
            part.group,
            before.gates + part.count * gates,
            before.flip_flops + part.count * registers,
            before.count + part.count * measured.flip_flops,
            before.switch + part.count * measured.switch * cells.energy,
            before.leakage + part.count * measured.leakage * cells.leakage,
        )
    if bits := arch.array.registers(arch.numbers):
        groups["skew"] = _registers(bits, cells, process(logic_of(technology)).wire_load)
    built = arch.array.memories(arch.numbers) if memories is None else memories
    built = (*built, *machine_memories(arch))
    shapes = [(memory, build(memory, technology)) for memory in built]
    return Area(arch, technology, list(groups.values()), shapes)


def _registers(bits: int, cells: Logic, wire_load: float) -> Group:
    """Registers with an enable: a flip-flop and a multiplexer each."""
    flip_flop, mux = cells.corner.flip_flop, multiplexer(cells.corner)
    # the multiplexer's pins and the flip-flop's data
    loads = [*mux.pins.values(), flip_flop.pins[flip_flop.data]]
    charge = sum(load + wire_load for load in loads) * 1e-3 * cells.corner.voltage**2 / 2
    return Group(
        "skew",
        gates=bits * mux.area * cells.area,
        flip_flops=bits * flip_flop.area * cells.flip_flop_area,
        count=bits,
        switch=bits * (flip_flop.energy + mux.energy + charge) * cells.energy,
        leakage=bits * (flip_flop.leakage + mux.leakage) * cells.leakage,
    )


def _row(
    name: str, *, gates: float, flip_flops: float, memory: float, built: str
) -> dict[str, Any]:
    parts = {"gates": gates, "flip_flops": flip_flops, "memory": memory}
    row: dict[str, Any] = {"part": name}
    row |= {key: round(um2 / 1e6, 6) for key, um2 in parts.items()}
    return row | {"total": round(sum(parts.values()) / 1e6, 6), "built": built}
