"""Clock of a design in a technology: the slower of its logic and of its memories' paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwsim.config import ArchConfig
from hwsim.config.parts import ClockConfig
from hwsim.cost.memories import build, logic
from hwsim.report.result import Result

__all__ = ["Clock", "clock"]


@dataclass(frozen=True)
class Clock(Result):
    """Slowest paths of a design at each corner of a technology."""

    arch: ArchConfig
    technology: str
    #: Corner -> paths, the typical one first.
    corners: dict[str, ClockConfig]

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.arch.name}: clock in {self.technology}"

    @property
    def mhz(self) -> float:
        """Clock at the typical corner."""
        return 1000 / next(iter(self.corners.values())).period

    def to_dict(self) -> dict[str, Any]:
        """Plain data: paths of each corner."""
        return {
            "arch": self.arch.name,
            "technology": self.technology,
            "mhz": self.mhz,
            "corners": self.to_rows(),
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per corner: MHz, the slowest paths of logic and of memories, where they lead."""
        return [
            {
                "corner": name,
                "mhz": round(1000 / paths.period, 1),
                "logic_ns": paths.logic.ns,
                "memory_ns": None if paths.memory is None else paths.memory.ns,
                "from": self._slower(paths).start,
                "to": self._slower(paths).end,
            }
            for name, paths in self.corners.items()
        ]

    @staticmethod
    def _slower(paths: ClockConfig) -> Any:
        memory = paths.memory
        return paths.logic if memory is None or memory.ns < paths.logic.ns else memory


def clock(arch: ArchConfig, technology: str, measured: dict[str, ClockConfig]) -> Clock:
    """Clock from the paths that were measured in the technology, or in the one it is scaled from.

    In a scaled technology logic is scaled; the access of the slowest memory takes the place of the
    access on the measured path.
    """
    cells = logic(technology)
    if cells.delay == 1.0:
        return Clock(arch, technology, measured)
    accesses = [build(m, technology).access for m in arch.array.memories(arch.numbers)]
    scaled = {}
    # other corners are measured in the base alone
    name, paths = next(iter(measured.items()))
    memory = paths.memory
    if memory is not None:
        rest = (memory.ns - memory.access) * cells.delay
        access = max(accesses) if memory.access else 0.0
        memory = memory.model_copy(
            update={"ns": round(rest + access, 4), "access": round(access, 4)}
        )
    own = paths.logic.model_copy(update={"ns": round(paths.logic.ns * cells.delay, 4)})
    scaled[name] = paths.model_copy(update={"logic": own, "memory": memory})
    return Clock(arch, technology, scaled)
