"""A design with the memories that feed it, in silicon: what it costs at a bandwidth.

An array's count lets its streams never wait. Here each stream comes from a memory on the chip, as
wide as its beats, or from outside, whose bandwidth is limited. Both are the design's choice
(:data:`SUPPLIES`, ``maps``), are paid for in area, energy and traffic, and are the same for every
family. Layers run one after the other; within a layer what is moved from outside and what is
computed overlap, but for weights that an array loads before it computes.

An array whose weights have no indices in their words gathers its activations by lists
(:mod:`hwsim.formats.lists`). These come with the weights, lie in a memory of their own, and are
read; each lane of a weight-stationary array reads maps at an address of its own, and takes no
column of another lane. An adder for each lane adds an entry to the address that all arrays have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import ceil

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, DecodingConfig, NetworkConfig
from hwsim.contract.events import stream_event
from hwsim.contract.memories import Memory
from hwsim.cost.area import Area, Group
from hwsim.cost.book import Book
from hwsim.cost.energy import DRAM, energy, idle
from hwsim.cost.memories import Silicon, build, full_adder, logic
from hwsim.cost.silicon import SUPPLY
from hwsim.engine.results import LayerResult, NetworkResult
from hwsim.formats.base import index_width

__all__ = ["AHEAD", "LOADING", "SUPPLIES", "System", "banked", "load_cycles", "systems", "time_of"]

#: Cycles that are spent on filling weight memories; a design that keeps its weights resident pays
#: them once for the life of the network, not for every batch.
LOADING = ("load", "weight")

#: Where the weights of a run come from -> in words. All but the last two begin with none on the
#: chip.
SUPPLIES = {
    "streamed": "from outside, as often as the array takes them",
    "kept": "from outside once: those that are taken more often are kept on the chip",
    "prefetched": "from outside once, those of the next layer while one is computed",
    "doubled": "from outside once, into halves of the memories of PEs that read the other ones",
    "resident": "from a memory on the chip that holds all of them",
    "held": "from the memories of the PEs, which hold all of them",
}
COLD = ("streamed", "kept", "prefetched", "doubled")
#: Those whose next weights come while a layer is computed.
AHEAD = ("prefetched", "doubled")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class System:
    """A design, what feeds it, and what one run of a workload costs on it."""

    #: The design with the memories that it is built with.
    arch: ArchConfig
    images: int
    #: One of :data:`SUPPLIES`.
    supply: str
    #: Whether maps between layers lie on the chip; else each is stored and read outside.
    holds_maps: bool
    #: Total area, and that of all memories, mm2.
    mm2: float
    memories_mm2: float
    #: Clock of the design.
    mhz: float
    #: Stored weights with indices, bits.
    bits: int
    #: Cycles of each layer, and those of them before which its weights must have come.
    cycles: Floats
    front: Floats
    #: Cycles in which its weights go into the half of the PEs' memories that is not read, and tiles
    #: that it consists of where a half holds one; 0 and 1 elsewhere.
    fill: Floats
    tiles: Floats
    #: Bytes from outside of each layer: weights, and activations with results.
    weight_bytes: Floats
    map_bytes: Floats
    #: pJ of a run that never waits, and pJ per us while it waits.
    active: float
    idle: float

    @property
    def is_cold(self) -> bool:
        """Whether a run begins with no weights on the chip."""
        return self.supply in COLD

    @property
    def traffic_bytes(self) -> float:
        """Bytes from and to the memory outside."""
        return float(self.weight_bytes.sum() + self.map_bytes.sum())

    def microseconds(self, bandwidth: float) -> float:
        """Time of a run at so many bytes per us; ``inf``: without limit."""
        return float(
            time_of(
                self.front / self.mhz, (self.cycles - self.front) / self.mhz,
                np.maximum(self.weight_bytes / bandwidth, self.fill / self.mhz),
                self.map_bytes / bandwidth, self.supply in AHEAD, self.tiles,
            )
        )  # fmt: skip

    def microjoules(self, bandwidth: float) -> float:
        """Energy of a run at so many bytes per us."""
        waits = self.microseconds(bandwidth) - float(self.cycles.sum()) / self.mhz
        return (self.active + self.idle * waits) / 1e6


def time_of(
    front: Floats,
    rest: Floats,
    weights: Floats,
    maps: Floats,
    ahead: NDArray[np.bool_] | bool,
    tiles: Floats | float = 1.0,
) -> Floats:
    """Time of runs, in the unit of its parts, whose last axis is the layers.

    Parameters
    ----------
    front, rest
        Computing before which the weights must have come, and after it.
    weights, maps
        Moving weights, and all else, from and to the memory outside.
    ahead
        Whether the weights of a tile come while the one before is computed.
    tiles
        Tiles of each layer, alike: of a layer whose weights all come ahead it is one.
    """
    run, load, moved = (front + rest) / tiles, weights / tiles, maps / tiles
    # those of the first tile come before all else; of a layer's last tile the next layer's follow
    later = np.concatenate([load[..., 1:], np.zeros_like(load[..., :1])], axis=-1)
    within = (tiles - 1) * np.maximum(run, load + moved)
    fetched = load[..., 0] + (within + np.maximum(run, later + moved)).sum(axis=-1)
    computed = np.maximum(front, weights) + rest
    found: Floats = np.where(ahead, fetched, np.maximum(computed, weights + maps).sum(axis=-1))
    return found


def load_cycles(layer: LayerResult | NetworkResult) -> int:
    """Cycles that fill weight memories before a layer starts; 0 where weights stream."""
    control = layer.counts.causes.get("control", {})
    return sum(control.get(cause, 0) for cause in LOADING)


def systems(
    book: Book,
    network: NetworkConfig,
    result: NetworkResult,
    *,
    logic: ArchConfig | None = None,
    resident: Mapping[str, int] | None = None,
) -> list[System]:
    """Every way to feed a design that a workload was counted on.

    Parameters
    ----------
    logic
        Design whose logic and clock are taken: that of ``result``, before its memories were fitted.
    resident
        Depths at which the PEs of an index-decoding array hold the weights of all layers. Absent:
        they are loaded for each.

    Raises
    ------
    InputError
        A part of the design cannot be measured.
    """
    design = result.arch if logic is None else logic
    result = banked(result)
    loads = np.array([load_cycles(layer) for layer in result.layers], float)
    commands = [layer.counts.events.get(stream_event("command"), 1) for layer in result.layers]
    tiles = np.maximum(1.0, np.array(commands, float))
    counts: dict[tuple[str, ...], NetworkResult] = {
        ("streamed", "kept", "prefetched", "resident"): result
    }
    if isinstance(result.arch.array, DecodingConfig):
        if result.arch.array.takes_halves:
            counts["doubled",] = _loaded_beside(result, {"double_buffered": True})
        if resident:
            counts["held",] = _loaded_beside(result, resident, gone=True)
    found = []
    for supplies, counted in counts.items():
        array = book.area(design.bare, counted.arch.array.memories(counted.arch.numbers))
        spent = energy(counted, array, book.activity(design), book.clock(design).mhz, SUPPLY)
        streams = _Streams(network, counted)
        is_doubled = "doubled" in supplies
        fill = loads if is_doubled else np.zeros_like(loads)
        parts = tiles if is_doubled else np.ones_like(tiles)
        for supply, holds_maps in product(supplies, (True, False)):
            fed = _Fed(book.technology, streams, supply, holds_maps)
            # else nothing is taken twice, or there is nothing to fetch ahead
            if supply not in ("kept", "prefetched") or fed.weight_buffer:
                found.append(_system(counted, array, spent.array, spent.mhz, fed, fill, parts))
    return found


class _Streams:
    """What the streams of a count carry, layer by layer, in bits."""

    def __init__(self, network: NetworkConfig, result: NetworkResult) -> None:
        array, numbers, layers = result.arch.array, result.arch.numbers, result.layers
        self.result, self.decodes = result, array.decodes_indices
        moved = [array.traffic(numbers, layer.counts.events) for layer in layers]
        self.beats = {
            stream: np.array([layer.counts.events[stream_event(stream)] for layer in layers], float)
            for stream in ("weight", "act", "ofmap")
        }
        self.weight, self.act, sums = (
            np.array([each[stream] for each in moved], float) for stream in self.beats
        )
        # sums leave the chip, or go into a map, as activations
        self.ofmap = sums * numbers.act_width / numbers.psum_width
        self.passes = np.array([array.weight_passes(layer.shape[2]) for layer in layers], float)
        #: Weights, each once.
        self.once = self.weight / self.passes
        #: Bits of gather lists, of an entry, and entries of a word; words that are read.
        self.listed = np.array([layer.lists.bits for layer in layers], float)
        self.gathers = np.array([layer.lists.columns > 0 for layer in layers])
        self.entry = max((index_width(layer.shape[1]) for layer in layers), default=1)
        self.list_lanes, self.list_reads = 1, np.zeros(len(layers))
        if self.gathers.any():
            self.list_lanes = array.list_lanes
            reads = [float(array.list_reads(layer.counts.events)) for layer in layers]
            self.list_reads = np.where(self.gathers, reads, 0.0)
        shapes = [shape for shape in network.shapes() if shape.has_weights]
        bits = result.images * numbers.act_width
        self.read = np.array([bits * shape.ifmap.size for shape in shapes], float)
        self.written = np.array([bits * shape.ofmap.size for shape in shapes], float)

    def width(self, stream: str) -> int:
        """Bits of a beat."""
        carried = {"weight": self.weight, "act": self.act, "ofmap": self.ofmap}[stream]
        return max(1, -int(-carried.sum() // max(1.0, self.beats[stream].sum())))


class _Fed:
    """Memories that feed the streams, and what comes from outside."""

    def __init__(self, technology: str, streams: _Streams, supply: str, holds_maps: bool) -> None:
        self.supply, self.holds_maps, self.streams = supply, holds_maps, streams
        once, first = streams.once, np.arange(len(streams.once)) == 0
        again = streams.passes > 1
        wide = streams.width("weight")
        #: Bits of weights that the buffer holds, and reads and writes of its words.
        held, reads, writes = 0.0, np.zeros_like(once), np.zeros_like(once)
        outside = once.copy()
        front = np.ones_like(once)
        if streams.decodes:
            cycles = np.array([layer.cycles for layer in streams.result.layers], float)
            loads = np.array([load_cycles(layer) for layer in streams.result.layers], float)
            front = loads / cycles
        if supply == "streamed":
            outside = streams.weight.copy()
        elif supply == "kept":
            held = float(once[again].max(initial=0.0))
            reads = np.where(again, streams.beats["weight"] * (1 - 1 / streams.passes), 0.0)
            writes = np.where(again, once / wide, 0.0)
            front = front / np.where(again & ~np.array(streams.decodes), streams.passes, 1.0)
        elif supply == "prefetched":
            # a layer's weights stay while it takes them, those of the next come
            stays = np.where(again | ~np.array(streams.decodes), once, 0.0)
            stays[0] = once[0] if again[0] else 0.0
            held = float(max((a + b for a, b in zip(stays, once[1:], strict=False)), default=0.0))
            reads = np.where(first & ~again, 0.0, streams.beats["weight"])
            writes = np.where(first & ~again, 0.0, once / wide)
        elif supply == "resident":
            held, reads = float(once.sum()), streams.beats["weight"]
            outside[:] = 0.0
        elif supply == "held":
            outside[:] = 0.0
        self.front = front
        self.memories: list[tuple[Memory, Silicon]] = []
        self.groups: list[Group] = []
        self.energy = 0.0
        self.weight_bits = outside + self._add_lists(technology)
        self.weight_buffer = held > 0
        if held:
            self._add(technology, "weight buffer", held, wide, reads, writes)
        self.map_bits = streams.act + streams.ofmap
        if holds_maps:
            self.map_bits = np.zeros_like(once)
            self.map_bits[0] += streams.read[0]
            self.map_bits[-1] += streams.written[-1]
            self._add_maps(technology)

    def _add(
        self,
        technology: str,
        name: str,
        bits: float,
        width: int,
        reads: Floats,
        writes: Floats,
        lanes: int = 1,
    ) -> None:
        """Add a memory of words of ``width`` bits, and its energy.

        ``lanes``: memories side by side, each of its part of a word, at an address of its own.
        """
        part = -(-width // lanes)
        memory = Memory(name, max(1, -int(-bits // (part * lanes))), part, lanes, ports=1)
        silicon = build(memory, technology)
        self.memories.append((memory, silicon))
        self.energy += lanes * float(reads.sum() * silicon.read + writes.sum() * silicon.write)

    def _add_lists(self, technology: str) -> Floats:
        """Add the memory of the gather lists, if there are any; return their bits from outside."""
        streams, listed = self.streams, self.streams.listed
        if not listed.any():
            return listed
        wide = streams.entry * streams.list_lanes
        if self.supply == "resident":
            bits, writes, outside = listed.sum(), np.zeros_like(listed), np.zeros_like(listed)
        else:
            # in halves: the next layer's come during this one
            bits, writes, outside = 2 * listed.max(), listed / wide, listed
        self._add(technology, "gather lists", bits, wide, streams.list_reads, writes)
        if streams.gathers.any():
            self._add_adders(technology)
        return outside

    def _add_adders(self, technology: str) -> None:
        """Add what adds an entry to an address, for each lane, and its energy in each beat.

        All its gates are taken to switch.
        """
        streams, cells = self.streams, logic(technology)
        words = max(1, -int(-streams.read.max() // streams.width("act")))
        adder = full_adder(cells.corner)
        bits = streams.list_lanes * index_width(words)
        group = Group(
            "gather addresses",
            gates=bits * sum(cell.area for cell in adder) * cells.area,
            flip_flops=0.0, count=0.0,
            switch=bits * sum(cell.energy for cell in adder) * cells.energy,
            leakage=bits * sum(cell.leakage for cell in adder) * cells.leakage,
        )  # fmt: skip
        self.groups.append(group)
        self.energy += group.switch * float(streams.beats["act"][streams.gathers].sum())

    def _add_maps(self, technology: str) -> None:
        """Two memories that take turns: a layer reads its map from one, and writes the other."""
        streams = self.streams
        width = max(streams.width("act"), streams.width("ofmap"))
        turns = np.arange(len(streams.read)) % 2
        lanes = streams.list_lanes
        for turn in (0, 1):
            reads, writes = turns == turn, turns != turn
            size = max(
                streams.read[reads].max(initial=0.0), streams.written[writes].max(initial=0.0)
            )
            self._add(
                technology, f"maps {turn}", size, width,
                streams.beats["act"][reads], streams.beats["ofmap"][writes], lanes,
            )  # fmt: skip


def _system(
    result: NetworkResult,
    array: Area,
    picojoules: float,
    mhz: float,
    fed: _Fed,
    fill: Floats,
    tiles: Floats,
) -> System:
    """Put an array and what feeds it together."""
    whole = replace(
        array, groups=[*array.groups, *fed.groups], memories=[*array.memories, *fed.memories]
    )
    cycles = np.array([layer.cycles for layer in result.layers], float)
    outside = fed.weight_bits + fed.map_bits
    waits = idle(whole, mhz) - idle(array, mhz)
    return System(
        arch=result.arch, images=result.images, supply=fed.supply, holds_maps=fed.holds_maps,
        mm2=whole.total / 1e6, memories_mm2=whole.memory / 1e6, mhz=mhz,
        bits=result.bits.total, cycles=cycles, front=cycles * fed.front, fill=fill,
        tiles=tiles,
        weight_bytes=fed.weight_bits / 8, map_bytes=fed.map_bits / 8,
        active=picojoules + fed.energy + float(outside.sum()) * DRAM[SUPPLY.dram]
        + waits * float(cycles.sum()) / mhz,
        idle=idle(whole, mhz),
    )  # fmt: skip


def banked(result: NetworkResult) -> NetworkResult:
    """Count on lanes that have only columns of their own, in as many folds of K as these take.

    Each fold more takes what each of the others does; a lane without a column multiplies by zero.
    Partial sums are kept for each fold but one of an output.
    """
    layers = []
    for layer in result.layers:
        if layer.lists.banked == layer.lists.folds:
            layers.append(layer)
            continue
        times = layer.lists.banked / layer.lists.folds
        counts = layer.counts
        events = {name: ceil(number * times) for name, number in counts.events.items()}
        once = {name: counts.events[name] for name in ("command_beats", "ofmap_beats")}
        folds = layer.lists.banked - layer.lists.folds
        psums = {
            name: counts.events[name] + folds * counts.events["ofmap_beats"]
            for name in ("psum_reads", "psum_writes")
            if name in counts.events
        }
        cycles = ceil(counts.cycles * times)
        more = replace(counts, cycles=cycles, events=events | once | psums)
        layers.append(replace(layer, counts=more))
    return replace(result, layers=layers)


def _loaded_beside(
    result: NetworkResult, changes: Mapping[str, int], *, gone: bool = False
) -> NetworkResult:
    """The count without the cycles that load weights, on an array with other memories.

    With ``gone`` without what writes them, too: the memories hold the weights of all layers.
    """
    array = result.arch.array.model_copy(update=dict(changes))
    # what is written between runs and read during them holds weights
    writes = {m.writes for m in array.memories(result.arch.numbers) if m.ports == 1 and m.writes}
    none = dict.fromkeys((*writes, stream_event("weight")), 0) if gone else {}
    layers = []
    for layer in result.layers:
        cycles = layer.cycles - load_cycles(layer)
        control = layer.counts.causes["control"] | dict.fromkeys(LOADING, 0)
        counts = replace(
            layer.counts, cycles=cycles, causes=layer.counts.causes | {"control": control},
            events=layer.counts.events | none,
        )  # fmt: skip
        layers.append(replace(layer, counts=counts))
    return replace(result, arch=result.arch.model_copy(update={"array": array}), layers=layers)
