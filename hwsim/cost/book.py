"""Silicon of designs in one technology: logic on record where they ship, else measured once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from hwsim.config import ArchConfig
from hwsim.config.catalog import CONFIGS, resolve
from hwsim.config.parts import (
    ClockConfig,
    MeasuredPart,
    PartsConfig,
    clock_probe,
    keys_of,
    probe_of,
)
from hwsim.contract.memories import Memory
from hwsim.contract.parts import Part
from hwsim.cost.area import Area, area
from hwsim.cost.clock import Clock, clock
from hwsim.cost.energy import Activity
from hwsim.cost.memories import build, logic_of, process
from hwsim.system import extras
from hwsim.system.files import write_text_atomic
from hwsim.system.reading import is_file

__all__ = ["Book", "record_digest"]

#: Parts that were measured here, beside those that ship.
_FOLDER = Path("build/parts")
#: Results of earlier syntheses.
_CACHE = Path("build/synth/cache")
#: Technology whose activities serve those without: they depend on netlists more than on cells.
_REFERENCE = "sg13g2"


class Book:
    """Areas and clocks of designs in a technology.

    The parts of all designs that ship are on record. Others are synthesized when they are first
    asked for, which takes seconds and the extras ``rtl`` and ``synth``, and kept in
    ``build/parts``, apart for each technology and each version of the RTL's sources.

    Parameters
    ----------
    technology
        Name in ``configs/tech`` or path of a technology file.
    progress
        Called with each part that is synthesized.

    Raises
    ------
    InputError
        There is no such technology.
    """

    def __init__(
        self, technology: str, progress: Callable[[str], None] = lambda what: None
    ) -> None:
        self.technology, self.progress = technology, progress
        #: Technology whose cells the logic is mapped to.
        self.base = logic_of(technology)
        self.shipped = _shipped(self.base)
        self.path = _FOLDER / f"{Path(self.base).stem}-{_facts(self.base)}-{_sources()}.yaml"

    def area(self, arch: ArchConfig, memories: Sequence[Memory] | None = None) -> Area:
        """Area of a design; ``memories`` in place of its own, where they were fitted."""
        return area(arch, self.technology, self._find, memories)

    def clock(self, arch: ArchConfig) -> Clock:
        """Clock of a design."""
        return clock(arch, self.technology, self._clocks(arch))

    def known_area(self, arch: ArchConfig) -> Area | None:
        """Area of a design where all its parts ship."""
        is_known = all(key in self.shipped.parts for _, key in keys_of(arch))
        return self.area(arch) if is_known else None

    def known_clock(self, arch: ArchConfig) -> Clock | None:
        """Clock of a design where it ships."""
        is_known = all(key in self.shipped.clocks for key in self._keys(clock_probe(arch)).values())
        return self.clock(arch) if is_known else None

    def known_mhz(self, arch: ArchConfig) -> float | None:
        """Clock of a design where it ships or was measured here."""
        return self.clock(arch).mhz if self._known(arch) else None

    def activity(self, arch: ArchConfig) -> Activity:
        """Shares of the logic of a design's kind that switch per event; empty if not measured."""
        known = self.shipped.activities or _shipped(_REFERENCE).activities
        return known.get(arch.array.kind, {})

    def _find(self, arch: ArchConfig, part: Part, key: str) -> MeasuredPart:
        """Logic of a part of a design, by its key."""
        if key in self.shipped.parts:
            return self.shipped.parts[key]
        own = _own(self.path)
        if key not in own.parts:
            # another process may have measured it since
            _own.cache_clear()
            own = _own(self.path)
        if key not in own.parts:
            _require()
            from hwsim.rtl.synth.parts import measure

            self.progress(f"synthesizing {part.group} {part.path}".strip())
            facts = process(self.base)
            found = measure(probe_of(arch, part), part, self.base, _CACHE, facts)
            own = self._keep(own.model_copy(update={"parts": {**own.parts, key: found}}))
        return own.parts[key]

    def _clocks(self, arch: ArchConfig) -> dict[str, ClockConfig]:
        """Slowest paths of a design's kind: corner -> paths, the typical one first."""
        if known := self._known(arch):
            return known
        _own.cache_clear()
        if known := self._known(arch):
            return known
        _require()
        from hwsim.rtl.synth.clock import measure_clock

        probe, own = clock_probe(arch), _own(self.path)
        keys = self._keys(probe)
        self.progress(f"mapping {arch.name}")
        found = measure_clock(
            probe,
            process(self.base),
            self.base,
            lambda memory, corner: build(memory, self.base, corner).access,
        )
        grown = {**own.clocks, **{keys[corner]: paths for corner, paths in found.items()}}
        self._keep(own.model_copy(update={"clocks": grown}))
        return dict(found)

    def _known(self, arch: ArchConfig) -> dict[str, ClockConfig]:
        """Paths that are on record, or were measured here; empty where they were not."""
        keys = self._keys(clock_probe(arch))
        for known in (self.shipped.clocks, _own(self.path).clocks):
            if all(key in known for key in keys.values()):
                return {corner: known[key] for corner, key in keys.items()}
        return {}

    def _keys(self, probe: ArchConfig) -> dict[str, str]:
        """Key of a probe's paths at each corner."""
        return {corner: f"{probe.digest} {corner}" for corner in process(self.base).corners}

    def _keep(self, grown: PartsConfig) -> PartsConfig:
        write_text_atomic(self.path, grown.to_yaml())
        _own.cache_clear()
        return grown


def _require() -> None:
    extras.require("rtl")
    extras.require("synth")


@lru_cache
def _shipped(technology: str) -> PartsConfig:
    """Parts that ship with a technology; none for one of the user's own."""
    is_on_record = is_file(CONFIGS / "parts" / f"{technology}.yaml")
    return PartsConfig.read(technology) if is_on_record else PartsConfig(name=technology)


@lru_cache
def _own(path: Path) -> PartsConfig:
    """Parts that were measured here."""
    return PartsConfig.read(path) if is_file(path) else PartsConfig(name=path.stem)


@lru_cache
def _facts(technology: str) -> str:
    """Digest of a technology's file: what was measured with others is not of this technology."""
    return hashlib.sha256(resolve(technology, "tech").read_bytes()).hexdigest()[:12]


@lru_cache
def record_digest(technology: str) -> str:
    """Digest of all that figures depend on: technology's file, parts on record, the RTL."""
    content = hashlib.sha256(resolve(technology, "tech").read_bytes())
    record = CONFIGS / "parts" / f"{technology}.yaml"
    if record.is_file():
        content.update(record.read_bytes())
    # what is not on record is measured of these
    content.update(_sources().encode())
    return content.hexdigest()[:12]


@lru_cache
def _sources() -> str:
    """Digest of the RTL's sources: what was measured of others is not of this RTL."""
    folder = CONFIGS.parent / "rtl"
    content = hashlib.sha256()
    for path in sorted((folder / "arrays").rglob("*.py")) + sorted(
        (folder / "blocks").glob("*.py")
    ):
        content.update(path.read_bytes())
    return content.hexdigest()[:12]
