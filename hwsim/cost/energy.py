"""Energy of a network on a design: events and cycles, times what each takes in a technology.

Logic takes what its cells take when all of them switch once, times an *activity*: the share that
switches in a multiplication, in another event, or in a cycle. Activities were measured on mapped
netlists of small designs (``benchmarks/activity.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig
from hwsim.contract.memories import Memory
from hwsim.cost.area import Area
from hwsim.cost.memories import build, logic
from hwsim.engine.results import LayerResult, NetworkResult
from hwsim.errors import InputError
from hwsim.report.result import Result

__all__ = ["DRAM", "Activity", "Energy", "Supply", "energy", "idle", "work"]

#: Group of parts -> what it switches with -> share of its cells.
Activity = Mapping[str, Mapping[str, float]]

#: pJ per bit of external memories, as of hwcomponents.
DRAM = {"lpddr4": 8.0, "ddr3": 70.0, "hbm2": 6.25, "hbm3": 4.05}
#: Bits of a word of the buffer.
WORD = 64


@dataclass(frozen=True)
class Supply:
    """What feeds the array: a buffer on the chip, and the memory behind it."""

    #: KiB of the buffer through which every stream passes.
    buffer_kib: int = 64
    #: One of :data:`DRAM`: fetches weights once per batch, and the network's input and output.
    dram: str = "lpddr4"

    def __post_init__(self) -> None:
        if self.dram not in DRAM:
            raise InputError("arguments", "dram", self.dram, f"must be one of: {', '.join(DRAM)}")


@dataclass(frozen=True)
class Energy(Result):
    """Energy of each layer of a network on a design, by part, in pJ."""

    result: NetworkResult
    technology: str
    #: Clock in MHz, and energy of each layer by part.
    mhz: float
    layers: list[dict[str, float]]
    supply: Supply

    @property
    def arch(self) -> ArchConfig:
        """The design."""
        return self.result.arch

    @property
    def title(self) -> str:
        """Title of the table."""
        where = f"{self.result.network} on {self.arch.array_title} in {self.technology}"
        return f"{where}: nJ for {self.result.images} image(s) at {self.mhz:.0f} MHz"

    @cached_property
    def parts(self) -> dict[str, float]:
        """Energy of all layers by part, in pJ."""
        names = dict.fromkeys(name for layer in self.layers for name in layer)
        return {name: sum(layer.get(name, 0.0) for layer in self.layers) for name in names}

    @property
    def array(self) -> float:
        """Energy of the array alone, in pJ."""
        outside = ("buffer", "dram")
        return sum(pj for name, pj in self.parts.items() if name not in outside)

    @property
    def total(self) -> float:
        """Energy of the array and of what feeds it, in pJ."""
        return sum(self.parts.values())

    @property
    def microseconds(self) -> float:
        """Time of all layers at the design's own clock."""
        return self.result.cycles / self.mhz

    def to_dict(self) -> dict[str, Any]:
        """Plain data, pJ."""
        return {
            "arch": self.arch.name,
            "network": self.result.network,
            "images": self.result.images,
            "technology": self.technology,
            "mhz": self.mhz,
            "cycles": self.result.cycles,
            "microseconds": self.microseconds,
            "buffer_kib": self.supply.buffer_kib,
            "dram": self.supply.dram,
            "array_pj": self.array,
            "total_pj": self.total,
            "parts_pj": self.parts,
            "layers": [
                {"layer": layer.name, "parts_pj": parts}
                for layer, parts in zip(self.result.layers, self.layers, strict=True)
            ],
            "outside": [layer.to_dict() for layer in self.result.outside],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer, and their total: nJ by part."""
        named = [*zip((layer.name for layer in self.result.layers), self.layers, strict=True)]
        return [
            {"layer": name}
            | {part: round(parts.get(part, 0.0) / 1e3, 3) for part in self.parts}
            | {"total": round(sum(parts.values()) / 1e3, 3)}
            for name, parts in [*named, ("total", self.parts)]
        ]


def energy(
    result: NetworkResult,
    area: Area,
    activity: Activity,
    mhz: float,
    supply: Supply,
) -> Energy:
    """Energy of a network that was counted on a design.

    Parameters
    ----------
    area
        Of the same design: its groups and its memories as they are built.
    activity
        Of its kind.
    mhz
        Its clock: what leaks does so for as long as the network takes.

    Raises
    ------
    InputError
        A group of parts has no activity.
    """
    missing = [group.name for group in area.groups if group.name not in activity]
    if missing:
        rule = f"must have measured activities of {', '.join(missing)}"
        raise InputError(result.arch.name, "array", result.arch.array.kind, rule)
    layers = [_layer(result.arch, layer, area, activity, mhz, supply) for layer in result.layers]
    if layers:
        layers[0]["dram"] += result.border * result.arch.numbers.act_width * DRAM[supply.dram]
    return Energy(result, area.technology, mhz, layers, supply)


def work(arch: ArchConfig, counts: Counts, useful_macs: int) -> dict[str, float]:
    """How often the array did what its logic switches with.

    ``useful`` and ``zero`` are multiplications by all multipliers at once, of two non-zeros and
    others; other events likewise; ``cycles`` are cycles.
    """
    array, events = arch.array, counts.events
    macs = events.get("macs", useful_macs)
    strobes = array.strobes
    times = {
        event: events[event] / (strobes[event].bits * strobes[event].each)
        for event in array.SWITCHING
        if event in strobes
    }
    useful = min(useful_macs, macs)
    return {
        "useful": useful / array.multipliers,
        "zero": (macs - useful) / array.multipliers,
        **times,
        "cycles": float(counts.cycles),
    }


def idle(area: Area, mhz: float) -> float:
    """PJ per us of a design that waits: the clock of all its flip-flops, and leakage."""
    clock = sum(memory.count * silicon.clock for memory, silicon in area.memories)
    # pW x us are 1e-6 pJ
    return (clock + _clock(area)) * mhz + _leakage(area) * 1e-6


def _clock(area: Area) -> float:
    """PJ per cycle that the clock of the flip-flops takes, those of memories apart."""
    cells = logic(area.technology)
    flip_flops = sum(group.count for group in area.groups)
    return flip_flops * cells.corner.flip_flop.clock_energy * cells.energy


def _leakage(area: Area) -> float:
    """PW of logic and memories."""
    leakage = sum(group.leakage for group in area.groups)
    return leakage + sum(memory.count * silicon.leakage for memory, silicon in area.memories)


def _layer(
    arch: ArchConfig,
    layer: LayerResult,
    area: Area,
    activity: Activity,
    mhz: float,
    supply: Supply,
) -> dict[str, float]:
    counts, done = layer.counts, work(arch, layer.counts, layer.useful_macs)
    parts: dict[str, float] = {}
    for group in area.groups:
        shares = activity[group.name]
        parts[group.name] = group.switch * sum(a * done.get(on, 0.0) for on, a in shares.items())
    parts["clock"] = _clock(area) * counts.cycles
    for memory, silicon in area.memories:
        reads, writes = (_accesses(event, memory, area, counts.events) for event in _events(memory))
        pj = reads * silicon.read + writes * silicon.write
        pj += memory.count * silicon.clock * counts.cycles
        name = f"{memory.name} memory"
        parts[name] = parts.get(name, 0.0) + pj
    # pW x ns are 1e-9 pJ
    parts["leakage"] = _leakage(area) * counts.cycles * 1000 / mhz * 1e-9
    parts["buffer"] = _buffer(arch, counts.events, area.technology, supply)
    parts["dram"] = layer.bits.total * DRAM[supply.dram]
    return parts


def _events(memory: Memory) -> tuple[str, str]:
    return memory.reads, memory.writes


def _accesses(event: str, memory: Memory, area: Area, events: Mapping[str, int]) -> float:
    """Accesses that an event counts; memories that name the same one share it."""
    if not event:
        return 0.0
    sharing = sum(event in _events(other) for other, _ in area.memories)
    return events[event] * memory.each / sharing


def _buffer(arch: ArchConfig, events: Mapping[str, int], technology: str, supply: Supply) -> float:
    """Energy of the words that the streams take from the buffer, and give to it."""
    bits = arch.array.traffic(arch.numbers, events)
    words = Memory("buffer", supply.buffer_kib * 8192 // WORD, WORD, ports=1)
    buffer = build(words, technology)
    into = bits["weight"] + bits["act"]
    return (into * buffer.read + bits["ofmap"] * buffer.write) / WORD
