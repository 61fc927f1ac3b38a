"""Clock of a design: the slowest paths of a small one of its kind, at each corner."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hwsim.config import ArchConfig
from hwsim.config.parts import ClockConfig, PathConfig
from hwsim.config.tech import CornerConfig, TechConfig
from hwsim.contract.memories import Memory
from hwsim.rtl.emit.rtlil import design_rtlil, rtl_digest
from hwsim.rtl.synth.timing import Route, Timing, analyze
from hwsim.rtl.synth.yosys import map_flat

__all__ = ["Access", "measure_clock"]

#: Access time in ns of a memory at a corner.
Access = Callable[[Memory, str], float]
#: Access time in ns of a memory that all slowest paths start at.
_LATE = 1000.0


def measure_clock(
    probe: ArchConfig, technology: TechConfig, target: str, access: Access
) -> Mapping[str, ClockConfig]:
    """Map a small design flat, and find its slowest paths at every corner.

    Parameters
    ----------
    technology
        Its cells and corners.
    target
        Its name, as a target of synthesis.
    access
        Access times of memories.

    Raises
    ------
    InputError
        The design cannot be mapped.
    """
    text = design_rtlil(probe)[1]
    digest = rtl_digest(text, probe.name)
    module = map_flat(text, f"\\{probe.name}", target)
    memories = probe.array.memories(probe.numbers)
    found = {}
    for name, corner in technology.corners.items():
        logic, paths = _slowest(
            module,
            corner,
            technology.wire_load,
            memories,
            lambda memory, name=name: access(memory, name),  # type: ignore[misc]
        )
        paths.sort(key=lambda path: path.ns, reverse=True)
        found[name] = ClockConfig(
            rtl=digest, logic=logic, memory=paths[0] if paths else None, others=paths[1:]
        )
    return found


def _slowest(
    module: dict[str, Any],
    corner: CornerConfig,
    wire_load: float,
    memories: Sequence[Memory],
    access: Callable[[Memory], float],
) -> tuple[PathConfig, list[PathConfig]]:
    """Slowest path of logic, that to a memory, and that from each memory.

    Of memories that are read after their address, one at a time takes longer than all else.
    """
    combinational = {(m.depth, m.width): access(m) for m in memories if m.combinational}

    def timed(late: tuple[int, int] | None) -> Timing:
        def times(depth: int, width: int, is_combinational: bool) -> float:
            if is_combinational:
                return combinational[depth, width]
            return _LATE if (depth, width) == late else 0.0

        return analyze(module, corner, wire_load, times)

    first = timed(None)
    # a memory whose access takes no time is no start
    paths = [] if first.memory is None else [_path(first.memory)]
    for memory in memories:
        if memory.combinational:
            continue
        route = timed((memory.depth, memory.width)).memory
        if route is None or route.begin != _LATE:
            continue
        path, own = _path(route), round(access(memory), 4)
        ns = round(path.ns - _LATE + own, 4)
        paths.append(path.model_copy(update={"ns": ns, "access": own, "memory": memory.name}))
    return _path(first.logic), paths


def _path(route: Route) -> PathConfig:
    start, end = (route.points[0], route.points[-1]) if route.points else ("", "")
    return PathConfig(ns=route.delay, start=start, end=end)
