"""Clock of a design: the slowest paths of a small one of its kind, at each corner."""

from collections.abc import Callable, Mapping

from hwsim.config import ArchConfig
from hwsim.config.parts import ClockConfig, PathConfig
from hwsim.config.tech import TechConfig
from hwsim.contract.memories import Memory
from hwsim.rtl.emit.rtlil import design_rtlil, rtl_digest
from hwsim.rtl.synth.timing import Route, analyze
from hwsim.rtl.synth.yosys import map_flat

__all__ = ["Access", "measure_clock"]

#: Access time in ns of a memory at a corner.
Access = Callable[[Memory, str], float]


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
    shapes = {(m.depth, m.width, m.combinational): m for m in probe.array.memories(probe.numbers)}
    found = {}
    for name, corner in technology.corners.items():
        timing = analyze(
            module,
            corner,
            technology.wire_load,
            lambda depth, width, combinational, name=name: access(  # type: ignore[misc]
                shapes[depth, width, combinational], name
            ),
        )
        memory = None
        if timing.memory is not None:
            memory = _path(timing.memory)
            if timing.starts_at is not None:
                facts = {
                    "access": round(timing.memory.begin, 4),
                    "memory": shapes[timing.starts_at].name,
                }
                memory = memory.model_copy(update=facts)
        found[name] = ClockConfig(rtl=digest, logic=_path(timing.logic), memory=memory)
    return found


def _path(route: Route) -> PathConfig:
    start, end = (route.points[0], route.points[-1]) if route.points else ("", "")
    return PathConfig(ns=route.delay, start=start, end=end)
