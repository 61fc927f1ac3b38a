"""What a design costs in silicon."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import named, several
from hwsim.api.read import read_arch
from hwsim.errors import InputError

if TYPE_CHECKING:
    from hwsim.config import ArchConfig
    from hwsim.config.parts import ClockConfig, MeasuredPart, PartsConfig
    from hwsim.contract.parts import Part
    from hwsim.cost.area import Area

__all__ = ["Book", "area", "logic_of"]

#: Parts that were measured here, beside those that ship.
_FOLDER = Path("build/parts")
#: Results of earlier syntheses.
_CACHE = Path("build/synth/cache")


def area(
    archs: str | Path | ArchConfig | Sequence[str | Path | ArchConfig],
    *,
    technology: str | Path = "sg13g2",
    progress: Callable[[str], None] = lambda what: None,
) -> list[Area]:
    """Find the area of designs: gates, flip-flops, and every memory as it is built.

    Logic is composed of parts (PE, control, accumulator ...), each of which is synthesized once.
    The parts of all designs that ship are on record; others are synthesized when they are first
    asked for, which takes seconds and the extras ``rtl`` and ``synth``, and kept in
    ``build/parts``.

    Parameters
    ----------
    archs
        Designs: names, paths or ``ArchConfig``, one or several.
    technology
        Name in ``configs/tech`` (``"sg13g2"``, ``"45nm"``) or path of a technology file.
    progress
        Called with each part that is synthesized.

    Returns
    -------
    list of Area
        One for each design, in um2: by part and by memory.

    Raises
    ------
    InputError
        A design or the technology cannot be read, a part cannot be synthesized, or an extra is
        missing.
    """
    from hwsim.config import ArchConfig
    from hwsim.cost.area import area as compose

    designs = [read_arch(arch) for arch in several("archs", archs, (str, Path, ArchConfig))]
    name = str(named("technology", technology))
    book = Book(logic_of(name), progress)
    return [compose(design, name, book.find) for design in designs]


class Book:
    """Parts on record in one technology, and those that are measured when they are missing."""

    def __init__(self, technology: str, progress: Callable[[str], None]) -> None:
        self.technology, self.progress = technology, progress
        self.shipped = _record(technology)
        self.path = _FOLDER / f"{Path(technology).stem}.yaml"

    def find(self, arch: ArchConfig, part: Part, key: str) -> MeasuredPart:
        """Logic of a part of a design, by its key."""
        if key in self.shipped.parts:
            return self.shipped.parts[key]
        own = _own(self.path, self.technology)
        if key not in own.parts:
            own = self._measure(own, arch, part, key)
        return own.parts[key]

    def _measure(self, own: PartsConfig, arch: ArchConfig, part: Part, key: str) -> PartsConfig:
        from hwsim.config.parts import probe_of
        from hwsim.cost.memories import process
        from hwsim.system import extras

        extras.require("rtl")
        extras.require("synth")
        from hwsim.rtl.synth.parts import measure

        self.progress(f"synthesizing {part.group} {part.path}".strip())
        facts = process(self.technology)
        found = measure(probe_of(arch, part), part, self.technology, _CACHE, facts)
        return self._keep(own.model_copy(update={"parts": {**own.parts, key: found}}))

    def clocks(self, arch: ArchConfig) -> dict[str, ClockConfig]:
        """Slowest paths of a design's kind: corner -> paths, the typical one first."""
        from hwsim.config.parts import clock_probe
        from hwsim.cost.memories import process

        probe = clock_probe(arch)
        keys = {corner: f"{probe.digest} {corner}" for corner in process(self.technology).corners}
        own = _own(self.path, self.technology)
        for known in (self.shipped.clocks, own.clocks):
            if all(key in known for key in keys.values()):
                return {corner: known[key] for corner, key in keys.items()}
        self.progress(f"mapping {arch.name}")
        found = self._measure_clocks(probe)
        grown = {**own.clocks, **{keys[corner]: clock for corner, clock in found.items()}}
        self._keep(own.model_copy(update={"clocks": grown}))
        return dict(found)

    def _measure_clocks(self, probe: ArchConfig) -> Mapping[str, ClockConfig]:
        from hwsim.cost.memories import build, process
        from hwsim.system import extras

        extras.require("rtl")
        extras.require("synth")
        from hwsim.rtl.synth.clock import measure_clock

        return measure_clock(
            probe,
            process(self.technology),
            self.technology,
            lambda memory, corner: build(memory, self.technology, corner).access,
        )

    def _keep(self, grown: PartsConfig) -> PartsConfig:
        from hwsim.system.files import write_text_atomic

        write_text_atomic(self.path, grown.to_yaml())
        _own.cache_clear()
        return grown


def logic_of(technology: str) -> str:
    """Technology whose cells the logic is mapped to: the base where it is scaled."""
    from hwsim.cost.memories import process

    scaled = process(technology).scaled
    return technology if scaled is None else scaled.base


@lru_cache
def _record(technology: str) -> PartsConfig:
    """Parts that ship."""
    from hwsim.config.parts import PartsConfig

    try:
        return PartsConfig.read(technology) if "/" not in technology else _none(technology)
    except InputError:
        return _none(technology)


@lru_cache
def _own(path: Path, technology: str) -> PartsConfig:
    """Parts that were measured here."""
    from hwsim.config.parts import PartsConfig

    return PartsConfig.read(path) if path.is_file() else _none(technology)


def _none(technology: str) -> PartsConfig:
    from hwsim.config.parts import PartsConfig

    return PartsConfig(name=Path(technology).stem)
