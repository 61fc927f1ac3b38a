"""Where each feature map lies, and how layers whose maps lie in memory are cut: by shapes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwsim.accelerator.program import INPUTS, MAPS, OUTPUTS
from hwsim.compiler.banks import Banks, NoRoom
from hwsim.compiler.cuts import Way, ways
from hwsim.compiler.graph import Graph
from hwsim.compiler.grid import Cut, Stored
from hwsim.compiler.layout import Lowered, Map, Sums, Unrolled
from hwsim.config import ArchConfig, LayerShape
from hwsim.config.shape import MachineShape
from hwsim.errors import InputError

__all__ = ["Cutting", "Place", "Plan", "plan"]

#: Ways to cut a layer that a search compares.
OPTIONS = 8
#: On chip, or in memory.
Place = Map | Unrolled | Stored


@dataclass(frozen=True)
class Cutting:
    """How a layer is cut.

    Attributes
    ----------
    parts
        Parts of its output, which follow each other.
    sources, targets
        Banks and words where parts of what it reads and of what it writes lie; they take turns.
    """

    parts: tuple[Cut, ...]
    sources: tuple[tuple[int, int], ...] = ()
    targets: tuple[tuple[int, int], ...] = ()


@dataclass
class Plan:
    """Places of maps and cuts of layers.

    Attributes
    ----------
    inputs, results
        Places of the inputs, which images take in turn, and of each image's last map.
    maps
        Places of all others, which every image takes again.
    options, layers
        Ways to cut each layer that runs for each image, the best first by an estimate; the one that
        is chosen.
    banks
        What is free when the images have passed these layers.
    """

    inputs: list[Place]
    results: list[Place]
    maps: dict[str, Place]
    banks: Banks
    options: dict[str, tuple[Cutting, ...]] = field(default_factory=dict)
    layers: dict[str, Cutting] = field(default_factory=dict)
    #: Bytes of the maps in memory.
    map_bytes: int = 0


def plan(arch: ArchConfig, graph: Graph, images: int) -> Plan:
    """Plan a network: maps lie on chip, the largest in memory where not all have room.

    Raises
    ------
    InputError
        Not even the smallest parts of a layer's maps have room.
    """
    stored: set[str] = set()
    known: dict[Any, list[Way]] = {}
    while True:
        try:
            return _Planner(arch, graph, images, stored, known).plan()
        except _Full as full:
            others = {name: words for name, words in full.others.items() if name not in stored}
            if not others:
                assert arch.memory is not None
                source = f"{graph.network.name} on {arch.name}"
                rule = f"must be more: {full}"
                raise InputError(source, "memory.act_depth", arch.memory.act_depth, rule) from full
            stored.add(max(others, key=lambda name: others[name]))


class _Full(Exception):
    """The banks have no room; ``others``: words of the maps that might lie in memory."""

    def __init__(self, what: str, others: Mapping[str, int]) -> None:
        super().__init__(what)
        self.others = others


class _Planner:
    def __init__(
        self,
        arch: ArchConfig,
        graph: Graph,
        images: int,
        stored: set[str],
        known: dict[Any, list[Way]],
    ) -> None:
        assert arch.memory is not None
        #: Ways to cut a layer: they do not depend on what else is on chip.
        self.ways = known
        self.arch, self.graph, self.images, self.stored = arch, graph, images, stored
        self.shape = MachineShape.of(arch)
        self.banks = Banks(arch.memory.act_banks, arch.memory.act_depth)
        self.bytes = 0
        #: Maps that are needed now.
        self.live: dict[str, Place] = {}

    def plan(self) -> Plan:
        graph, alone = self.graph, self.graph.alone
        inputs = self._inputs()
        results = self._results()
        found = Plan(inputs, results, {}, self.banks)
        self.live = {"input": inputs[0]}
        for number, shape in enumerate(alone):
            name = shape.layer.name
            if number < len(alone) - 1:
                target = found.maps[name] = self._target(shape, number)
            else:
                target = results[0]
            sources = [self.live[each] for each in graph.inputs(number)]
            self._check(shape, sources)
            found.options[name] = tuple(self._cuts(shape, sources, target))
            found.layers[name] = found.options[name][0]
            self.live[name] = target
            for each in set(self.live) - graph.needed(number + 1) - {"input"}:
                place = self.live.pop(each)
                if not isinstance(place, Stored) and place is not target:
                    self.banks.give(place.bank, place.start, place.words)
                elif place is target and number < len(alone) - 1:
                    raise InputError(graph.network.name, name, None, "must be read by a layer")
        for place in inputs:
            if not isinstance(place, Stored):
                self.banks.give(place.bank, place.start, place.words)
        found.map_bytes = self.bytes
        return found

    # places

    def _inputs(self) -> list[Place]:
        """Two, so that one is loaded while the other is used; in memory, one for each image."""
        grid = self._input()
        if "input" in self.stored:
            size = self._stored(grid, INPUTS, 0).bytes
            return [self._stored(grid, INPUTS, index * size) for index in range(self.images)]
        places: list[Place] = []
        for _ in range(min(2, self.images)):
            bank, start = self._take("input", grid.words, "an input", bank=0)
            places.append(grid.placed(bank, start))
        return places

    def _input(self) -> Map | Unrolled:
        graph, shape, lanes = self.graph, self.graph.shapes[0], self.shape.word_lanes
        layer = shape.layer
        only = graph.users(-1) == [shape]
        if layer.type == "conv" and layer.G == 1 and lanes // 2 >= shape.C and only:
            array = self.arch.array
            # where every word of a pixel costs cycles by itself, the fewest words
            is_lowered = array.pixel_by_pixel or shape.C % array.block
            return (Lowered if is_lowered else Unrolled)(shape, lanes)
        border = graph.border(-1)
        if border and any(user.layer.type == "maxpool" for user in graph.users(-1)):
            rule = "must not read a border around the input: 0 may win there"
            graph.refuse(layer.name, layer.type, rule)
        return Map(graph.network.input, lanes, border=border)

    def _results(self) -> list[Place]:
        """Maps of all images behind the last layer that takes one at a time, or their sums."""
        last, together = self.graph.alone[-1], self.graph.together
        grid = Map(last.ofmap, self.shape.word_lanes)
        if last.has_weights and not together:
            grid = Sums.of(last.ofmap, self.shape)
        name, images = last.layer.name, range(self.images)
        if name in self.stored:
            region, first = OUTPUTS, 0
            size = self._stored(grid, OUTPUTS, 0).bytes
            if together:
                region, first = MAPS, self._memory(self.images * size)
            return [self._stored(grid, region, first + index * size) for index in images]
        words = grid.words
        bank, start = self._take(name, self.images * words, f"{name} of all images", avoid=(0,))
        return [grid.placed(bank, start + index * words) for index in images]

    def _target(self, shape: LayerShape, number: int) -> Place:
        """Place of a layer's output: beside the other input of a sum, where there is one."""
        name, size = shape.layer.name, shape.ofmap
        found = Map(size, self.shape.word_lanes, border=self.graph.border(number))
        if name in self.stored:
            stored = self._stored(found, MAPS, 0)
            return self._stored(found, MAPS, self._memory(stored.bytes))
        partners = {
            place.bank
            for user in self.graph.users(number)
            if user.layer.type == "add"
            for place in map(self.live.get, user.layer.inputs)
            if isinstance(place, Map)
        }
        bank = partners.pop() if partners else None
        what = f"{name}, {size.channels} x {size.height} x {size.width}"
        return found.placed(*self._take(name, found.words, what, bank=bank, avoid=(0,)))

    def _stored(self, grid: Map | Unrolled, region: int, address: int) -> Stored:
        if self.shape.act_bits % self.arch.bus.data_width:
            rule = f"must be at most {self.shape.act_bits}: maps in memory are of whole words"
            raise InputError(self.arch.name, "bus.data_width", self.arch.bus.data_width, rule)
        return Stored.of(grid, region, address, self.arch)

    def _memory(self, size: int) -> int:
        address, self.bytes = self.bytes, self.bytes + size
        return address

    def _take(self, name: str, words: int, what: str, **where: Any) -> tuple[int, int]:
        try:
            return self.banks.take(words, **where)
        except NoRoom as error:
            others = self._on_chip() | {name: words}
            raise _Full(f"{what}, needs {error}", others) from error

    def _on_chip(self) -> dict[str, int]:
        return {
            name: place.words for name, place in self.live.items() if not isinstance(place, Stored)
        }

    # cuts

    def _check(self, shape: LayerShape, sources: Sequence[Place]) -> None:
        """Inputs of a sum lie in one bank, in rows of the same length; else in memory."""
        if shape.layer.type != "add":
            return
        if len(sources) > 2:
            self.graph.refuse(shape.layer.name, len(sources), "must be two inputs")
        banks = {getattr(place, "bank", None) for place in sources}
        rows = {getattr(place, "row", None) for place in sources}
        if len(banks) > 1 or len(rows) > 1:
            names = self.graph.inputs(self.graph.shapes.index(shape))
            chosen = {name: words for name, words in self._on_chip().items() if name in names}
            raise _Full(f"both inputs of {shape.layer.name}", chosen)

    def _cuts(self, shape: LayerShape, sources: Sequence[Place], target: Place) -> list[Cutting]:
        """Cut so that the least is read again; two parts have room at once if that is possible."""
        read = [place.grid for place in sources if isinstance(place, Stored)]
        grid = target.grid if isinstance(target, Stored) else target
        assert isinstance(grid, Map)
        inner = grid.inner
        if not read and not isinstance(target, Stored):
            return [Cutting((inner,))]
        key = shape.layer.name, tuple(getattr(grid, "border", None) for grid in read)
        if key not in self.ways:
            self.ways[key] = ways(shape, inner, read, self._again(shape))
        writes = isinstance(target, Stored)
        found: list[Cutting] = []
        for count in (2, 1):
            for way in self.ways[key]:
                if len(found) == OPTIONS:
                    return found
                if max(way.reads, way.writes * writes) > self.banks.largest:
                    continue
                try:
                    slots = self._slots(way.reads, way.writes * writes, count, sources, target)
                except NoRoom:
                    continue
                found.append(Cutting(tuple(way.parts(inner)), *slots))
            if found:
                return found
        least = min(self.ways[key], key=lambda way: way.reads + way.writes)
        need = f"{least.reads} words to be read and {least.writes * writes} to be written"
        rule = f"a part of {shape.layer.name}, needs {need}, of {self.banks.largest} free"
        raise _Full(rule, self._on_chip())

    def _again(self, shape: LayerShape) -> int:
        """Words of weights, counted as those of maps, that each part loads."""
        assert self.arch.memory is not None
        bits = shape.weights * self.arch.numbers.weight_width
        held = 2 * self.arch.memory.weight_depth * self.shape.weight_bits
        return bits // self.shape.act_bits if bits > held else 0

    def _slots(
        self, reads: int, writes: int, count: int, sources: Sequence[Place], target: Place
    ) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """Places of parts that are read, and of those that are written: in other banks."""
        banks, every = self.banks.copy(), set(range(len(self.banks)))
        away = {place.bank for place in sources if not isinstance(place, Stored)}
        most = len(every) // 2
        if not isinstance(target, Stored):
            away, most = away | {target.bank}, len(every)
        ins: list[tuple[int, int]] = []
        for _ in range(count if reads else 0):
            used = {bank for bank, _ in ins}
            avoid = every - used if len(used) >= most else away
            ins.append(banks.take(reads, avoid=tuple(avoid)))
        avoid = away | {bank for bank, _ in ins}
        outs = [banks.take(writes, avoid=tuple(avoid)) for _ in range(count if writes else 0)]
        return tuple(ins), tuple(outs)
