"""Parts of arrays that were synthesized, on record because that takes seconds for each.

A part is found by the digest of its probe, a small design of the same kind, and by its path in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from hwsim.config.arch import ArchConfig, digest_of
from hwsim.config.base import Config, flow, load, parse
from hwsim.config.catalog import resolve
from hwsim.config.limits import NonNegative
from hwsim.contract.parts import AROUND, Part

__all__ = [
    "ClockConfig",
    "MeasuredPart",
    "PartsConfig",
    "PathConfig",
    "clock_probe",
    "keys_of",
    "probe_of",
]

#: Words of the memories of a small design whose clock is measured, at most.
PROBE_DEPTH = 64


class MeasuredPart(Config):
    """Logic of one part, memories apart."""

    #: Digest of the RTL that was measured.
    rtl: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    #: um2 of gates and flip-flops together, and of the flip-flops.
    area: NonNegative
    flip_flop_area: NonNegative
    flip_flops: Annotated[int, Field(ge=0, le=1 << 40)]
    #: ns of the slowest path through its gates; absent where it has none.
    delay: NonNegative | None = None
    #: pJ when the output of every gate and flip-flop changes once.
    switch: NonNegative
    #: pW.
    leakage: NonNegative


class PathConfig(Config):
    """Slowest path of one kind, setup included."""

    ns: NonNegative
    #: ns of them that the access of a memory takes, where it starts at one, and which it is.
    access: NonNegative = 0.0
    memory: str = ""
    #: Where it starts and ends, by the names of the RTL.
    start: str
    end: str


class ClockConfig(Config):
    """Slowest paths of a probe at one corner."""

    #: Digest of the RTL that was measured.
    rtl: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    #: Between registers and ports.
    logic: PathConfig
    #: From or to a memory, its access included: the slowest; absent without memories.
    memory: PathConfig | None = None
    #: The slowest from each other memory, and to one: where memories are larger than the probe's,
    #: one of these may be slower.
    others: list[PathConfig] = Field(default_factory=list)

    @property
    def period(self) -> float:
        """Least clock period in ns."""
        return max(self.logic.ns, self.memory.ns if self.memory is not None else 0.0)


class PartsConfig(Config):
    """Parts that were measured in a technology."""

    #: The technology.
    name: str
    parts: dict[str, MeasuredPart] = Field(default_factory=dict)
    #: Digest of a probe and corner -> its slowest paths.
    clocks: dict[str, ClockConfig] = Field(default_factory=dict)
    #: Kind of design -> group of parts -> event -> share of the cells that switch in it.
    activities: dict[str, dict[str, dict[str, NonNegative]]] = Field(default_factory=dict)

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a record by name (``configs/parts``) or path."""
        return load(cls, resolve(name, "parts"))

    def to_yaml(self) -> str:
        """Text of the file: one line per part, in the order of their keys."""
        lines = [f"name: {self.name}"]
        sections: dict[str, Mapping[str, Config]] = {"parts": self.parts, "clocks": self.clocks}
        for section, entries in sections.items():
            lines.append(f"{section}:" if entries else f"{section}: {{}}")
            lines += [
                f"  {json.dumps(key)}: {flow(entry.model_dump(exclude_defaults=True))}"
                for key, entry in sorted(entries.items())
            ]
        lines.append("activities:" if self.activities else "activities: {}")
        for kind, groups in sorted(self.activities.items()):
            lines.append(f"  {kind}:")
            lines += [f"    {group}: {flow(shares)}" for group, shares in groups.items()]
        return "\n".join(lines) + "\n"


def keys_of(arch: ArchConfig) -> list[tuple[Part, str]]:
    """Parts of a design, each with its key in a record.

    The probes' digests are made from plain data: no design is checked, which takes longer.
    """
    hardware, digests = arch.bare.hardware(), dict[tuple[tuple[str, int], ...], str]()
    for option in arch.array.PLANNED:
        hardware["array"].pop(option, None)
    found = []
    for part in arch.array.parts(arch.numbers):
        changes = tuple(sorted(part.probe.items()))
        if changes not in digests:
            digests[changes] = digest_of({**hardware, "array": part.fields(hardware["array"])})
        own = ", own" if part.is_own else ""
        found.append((part, f"{digests[changes]} {part.path or 'top'}{own}"))
    if arch.memory is not None:
        absent = "machine.weights" if arch.array.holds_halves else None
        around = [part for part in AROUND if part.path != absent]
        found += [(part, f"{arch.digest} {part.path}") for part in around]
    return found


def probe_of(arch: ArchConfig, part: Part) -> ArchConfig:
    """Small design of the same kind whose module the part is; of a machine, the design itself."""
    if part.is_around:
        return arch.model_copy(update={"name": "probe"})
    return _probe(arch, part.probe)


def clock_probe(arch: ArchConfig) -> ArchConfig:
    """Small design of the same kind that has the same paths, but for the access of memories.

    Its memories are small ones: depths decide how long an access takes, and how wide an address is.
    No two have one shape, by which timing tells them apart.
    """
    array = arch.array
    depths = {
        field: min(depth, PROBE_DEPTH)
        for field in array.DEPTHS
        if (depth := getattr(array, field)) is not None
    }
    probe = _probe(arch, {**depths, **array.clock_probe})
    shapes = [(memory.depth, memory.width) for memory in probe.array.memories(probe.numbers)]
    if len(set(shapes)) == len(shapes):
        return probe
    shallow = array.DEPTHS[-1]
    return _probe(arch, {**depths, shallow: depths[shallow] // 2, **array.clock_probe})


def _probe(arch: ArchConfig, changes: Mapping[str, int]) -> ArchConfig:
    planned = set(arch.array.PLANNED)
    array = arch.array.model_dump(exclude_none=True, exclude=planned) | dict(changes)
    raw = {"name": "probe", "numbers": arch.numbers.model_dump(), "array": array}
    return parse(ArchConfig, raw, f"probe of {arch.name}")
