"""The smallest memories of a design that lose a workload no time and no traffic."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.config.limits import NAME_LENGTH
from hwsim.contract.events import STREAMS, stream_event
from hwsim.cost.memories import build
from hwsim.engine.results import NetworkResult
from hwsim.errors import InputError
from hwsim.report.result import Result

__all__ = ["SLACK", "Fit", "Run", "fit", "fitted_name"]

#: Fraction of cycles, and of words on each stream, that smaller memories may lose.
SLACK = 0.01

#: Counts the workload on a design.
Run = Callable[[ArchConfig], NetworkResult]


@dataclass(frozen=True)
class Fit(Result):
    """A design before and after its memories were sized for a workload."""

    before: NetworkResult
    after: NetworkResult
    technology: str
    #: Fraction of cycles, and of words on each stream, that may be lost.
    slack: float

    @property
    def arch(self) -> ArchConfig:
        """The fitted design."""
        return self.after.arch

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.arch.name} for {self.after.network}, within {self.slack:.1%}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data: depths, cycles, words and memories of both designs."""
        return {
            "arch": self.before.arch.name,
            "fitted": self.arch.name,
            "network": self.after.network,
            "slack": self.slack,
            "technology": self.technology,
            "figures": self.to_rows(),
            "outside": [layer.to_dict() for layer in self.after.outside],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per depth and figure: before, after."""
        before, after = (self._figures(result) for result in (self.before, self.after))
        return [
            {"figure": name, "before": value, "after": after[name]}
            for name, value in before.items()
        ]

    def _figures(self, result: NetworkResult) -> dict[str, float]:
        arch = result.arch
        area = memory_area(arch, self.technology)
        return (
            {field: getattr(arch.array, field) for field in _depths(arch)}
            | {"memory bits": _bits(arch), "memory mm2": round(area / 1e6, 4)}
            | {"cycles": result.cycles}
            | {f"{stream} words": words for stream, words in _words(result).items()}
        )


def fit(
    arch: ArchConfig,
    run: Run,
    *,
    technology: str = "sg13g2",
    slack: float = SLACK,
    progress: Callable[[str], None] = lambda what: None,
) -> Fit:
    """Halve one depth after the other, as long as cycles and the words of each stream stay.

    A depth stays where half of it would take more area.

    A design without a memory to shrink is returned as it is. The largest memory comes first, so
    that it gets the slack.

    Parameters
    ----------
    run
        Counts the workload on a design; raises :class:`InputError` where it does not fit.
    technology
        Decides which memory is the largest.
    slack
        Fraction of cycles, and of words on each stream, that may be lost.
    progress
        Called with each depth that is tried.

    Raises
    ------
    InputError
        The workload does not fit the design as it is.
    """
    before = run(arch)
    best = before
    for field in sorted(_depths(arch), key=lambda name: -_share(arch, name, technology)):
        while (depth := getattr(best.arch.array, field)) > 1:
            progress(f"{field} {depth // 2}")
            smaller = _try(best.arch, field, depth // 2, run)
            if smaller is None or not _is_within(before, smaller, slack):
                break
            # below the smallest SRAM of a technology there are flip-flops, which may take more
            if memory_area(smaller.arch, technology) > memory_area(best.arch, technology):
                break
            best = smaller
    renamed = best.arch.model_copy(update={"name": fitted_name(arch, before.network)})
    return Fit(before, replace(best, arch=renamed), technology, slack)


def fitted_name(arch: ArchConfig, network: str) -> str:
    """Name of a design whose memories were fitted to a network."""
    return re.sub(r"\W", "_", f"{arch.name}_{network}")[:NAME_LENGTH]


def memory_area(arch: ArchConfig, technology: str) -> float:
    """Memories of a design in um2."""
    return sum(m.count * build(m, technology).area for m in arch.array.memories(arch.numbers))


def _depths(arch: ArchConfig) -> list[str]:
    return [name for name in arch.array.DEPTHS if getattr(arch.array, name) is not None]


def _share(arch: ArchConfig, field: str, technology: str) -> float:
    """Area that half the depth saves."""
    smaller = _with(arch, field, max(1, getattr(arch.array, field) // 2))
    if smaller is None:
        return 0.0
    return memory_area(arch, technology) - memory_area(smaller, technology)


def _with(arch: ArchConfig, field: str, depth: int) -> ArchConfig | None:
    """Design with another depth; ``None`` where that breaks a rule."""
    raw = arch.model_dump(exclude_none=True)
    try:
        return parse(ArchConfig, raw | {"array": raw["array"] | {field: depth}}, arch.name)
    except InputError:
        return None


def _try(arch: ArchConfig, field: str, depth: int, run: Run) -> NetworkResult | None:
    smaller = _with(arch, field, depth)
    if smaller is None:
        return None
    try:
        return run(smaller)
    except InputError:  # a layer does not fit
        return None


def _is_within(before: NetworkResult, after: NetworkResult, slack: float) -> bool:
    words, allowed = _words(after), _words(before)
    return after.cycles <= (1 + slack) * before.cycles and all(
        words[stream] <= (1 + slack) * allowed[stream] for stream in STREAMS if stream != "command"
    )


def _words(result: NetworkResult) -> dict[str, int]:
    """Words that each stream carries."""
    return {
        stream: sum(layer.counts.events[stream_event(stream)] for layer in result.layers)
        for stream in STREAMS
    }


def _bits(arch: ArchConfig) -> int:
    return sum(memory.bits for memory in arch.array.memories(arch.numbers))
