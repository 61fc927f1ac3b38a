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
        return f"{self.arch.array_title}: clock in {self.technology}"

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

    Logic is scaled where the technology is; the access of the design's own memory takes the place
    of that of the probe's.
    """
    cells = logic(technology)
    # a scaled technology has the typical corner alone
    corners = measured if cells.delay == 1.0 else dict([next(iter(measured.items()))])
    memories = {memory.name: memory for memory in arch.array.memories(arch.numbers)}
    found = {}
    for name, paths in corners.items():
        own = paths.logic.model_copy(update={"ns": round(paths.logic.ns * cells.delay, 4)})
        corner = name if cells.delay == 1.0 else None
        known = [] if paths.memory is None else [paths.memory, *paths.others]
        own_paths = []
        for path in known:
            rest, access = (path.ns - path.access) * cells.delay, 0.0
            if path.memory:
                access = build(memories[path.memory], technology, corner).access
            times = {"ns": round(rest + access, 4), "access": round(access, 4)}
            own_paths.append(path.model_copy(update=times))
        own_paths.sort(key=lambda path: path.ns, reverse=True)
        slowest = own_paths[0] if own_paths else None
        update = {"logic": own, "memory": slowest, "others": own_paths[1:]}
        found[name] = paths.model_copy(update=update)
    return Clock(arch, technology, found)
