"""Compile a network for a machine: every layer in tiles that its memories hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import INPUTS, OUTPUTS, Constants, Program
from hwsim.accelerator.tile import Load, Store, Tile
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.compiler import groups, jobs
from hwsim.compiler.banks import NoRoom
from hwsim.compiler.compiled import Compiled
from hwsim.compiler.contents import Contents
from hwsim.compiler.gather import weights_of
from hwsim.compiler.graph import Graph
from hwsim.compiler.grid import Cut, Stored
from hwsim.compiler.hazards import needs_barrier
from hwsim.compiler.layout import Map, Sums, Unrolled
from hwsim.compiler.operands import is_depthwise, operands
from hwsim.compiler.plan import Cutting, Place, plan
from hwsim.compiler.search import by_layer
from hwsim.compiler.shapes import ShapeWeights, shape_operands
from hwsim.compiler.slim import slim
from hwsim.compiler.stripes import Stripes, border
from hwsim.compiler.weights import Chunk, Filters, Loops, Weights
from hwsim.config import ArchConfig, DenseConfig, LayerShape, MemoryConfig, NetworkConfig
from hwsim.config.shape import MachineShape
from hwsim.contract.descriptors import FEED_LEVELS, LOADS
from hwsim.errors import InputError

__all__ = ["Compiler", "compile_network"]


def compile_network(
    arch: ArchConfig,
    network: NetworkConfig,
    checkpoint: Checkpoint | None,
    images: int = 1,
    acts: Mapping[str, NDArray[np.integer]] | None = None,
    *,
    memory: MemoryConfig | None = None,
) -> Compiled:
    """Compile a network and its weights.

    Images go through convolutions one after the other, and through the fully connected layers at
    the end together, which then load their weights once.

    Parameters
    ----------
    checkpoint
        Its weights. None: only their shapes are known, which tell all cycles where
        :func:`hwsim.compiler.shapes.suffices`; the program has no image.
    images
        Images of the program.
    acts
        What each layer with weights reads, ``(images, C, H, W)`` (``golden.run(...).ifmap``). The
        cycles of an array that skips zero activations depend on it, the program does not; without,
        no activation is zero but for padding.

    memory
        With it, layers are cut as takes the fewest cycles of each; without, by an estimate.

    Raises
    ------
    InputError
        The design has no machine, the checkpoint is another network's, a layer needs what the
        machine does not have, or a feature map does not fit its memories.
    """
    if checkpoint is not None:
        checkpoint.check(network)
    if checkpoint is not None and arch.array.channels_move:
        shape = MachineShape.of(arch)
        lanes = shape.act_lanes if shape.gathers else 1
        fold = shape.ofmap_lanes if shape.gathers and isinstance(arch.array, DenseConfig) else 0
        network, checkpoint, acts = slim(network, checkpoint, acts or {}, lanes, fold)
    compiler = Compiler(arch, network, checkpoint, images, acts or {})
    if memory is not None:
        compiler.plan.layers = by_layer(compiler.plan, compiler.tiles_of, arch, memory)
        compiler.weights.forget()
    return compiler.compiled()


class Compiler:
    """A network that is compiled: its plan first, which may be changed, and then its tiles."""

    def __init__(
        self,
        arch: ArchConfig,
        network: NetworkConfig,
        checkpoint: Checkpoint | None,
        images: int,
        acts: Mapping[str, NDArray[np.integer]],
    ) -> None:
        self.arch, self.checkpoint, self.images = arch, checkpoint, images
        # activations of a machine have 8 bits
        self.acts = {name: act.astype(np.int8, copy=False) for name, act in acts.items()}
        self.shape = MachineShape.of(arch)
        self.graph = Graph(arch, network)
        self.pixels = arch.array.machine_pixels
        self.constants = Constants(arch)
        self.weights: Weights = ShapeWeights(arch, self.constants)
        if checkpoint is not None:
            self.weights = weights_of(arch, self.constants)
        self.plan = plan(arch, self.graph, images)
        self.banks = self.plan.banks
        self.chunks: dict[tuple[str, Loops], list[Chunk]] = {}

    def compiled(self) -> Compiled:
        """All images, and then the layers that take them together."""
        found = self.plan
        body = list(self._borders())
        for index in range(self.images):
            body += self._image(index)
        results: Sequence[Place] = found.results
        for shape in self.graph.together:
            tiles, results = self._together(shape, results)
            body += tiles
        first, size = _grid(found.inputs[0]), self.shape.act_bits // 8
        last = _grid(results[0])
        words = self.images * last.words
        if not isinstance(results[0], Stored):
            store = Store(last.bank, OUTPUTS, 0, words, start=last.start)
            body[-1] = replace(body[-1], store=store)

        tiles = self._with_barriers(body, [Tile(digest=int(self.arch.digest[:8], 16))])
        inputs = self.images * self._beats(first.words) * self.arch.bus.bytes
        program = Program(self.arch, tiles, self.constants, inputs, words * size, found.map_bytes)
        return Compiled(program, first, last, self.images)

    def tiles_of(self, name: str, cutting: Cutting) -> list[Tile]:
        """Tiles of one layer by itself, cut in a way."""
        numbers = {shape.layer.name: number for number, shape in enumerate(self.graph.alone)}
        number, before = numbers[name], self.plan.layers[name]
        places = self._places(0)
        sources = [places[each] for each in self.graph.inputs(number)]
        self.weights.forget()
        self.plan.layers[name] = cutting
        found = self._layer(self.graph.alone[number], sources, places[name], 0)
        tiles = self._with_barriers(list(found), [])
        self.plan.layers[name] = before
        return tiles

    def _with_barriers(self, body: Sequence[Tile], tiles: list[Tile]) -> list[Tile]:
        """Tiles behind others, with the barriers that they need."""
        for tile in body:
            tiles.append(replace(tile, barrier=needs_barrier(tiles, tile, self.shape)))
        return tiles

    def _places(self, index: int) -> dict[str, Place]:
        """Where the maps of an image lie."""
        found = self.plan
        places = {"input": found.inputs[index % len(found.inputs)], **found.maps}
        places[self.graph.alone[-1].layer.name] = found.results[index]
        return places

    def _borders(self) -> Iterator[Tile]:
        """Borders of the maps in memory, which all images share."""
        memory = self.arch.memory
        assert memory is not None
        bank = memory.act_banks - 1
        for number, shape in enumerate(self.graph.alone[:-1]):
            place = self.plan.maps[shape.layer.name]
            if isinstance(place, Stored):
                value = self.graph.padding(number)
                yield from border(place, value, self.weights, bank, memory.act_depth)

    def _image(self, index: int) -> Iterator[Tile]:
        """All layers of one image that take one at a time."""
        graph, places = self.graph, self._places(index)
        source = places["input"]
        loads = () if isinstance(source, Stored) else (self._load(source, index),)
        for number, shape in enumerate(graph.alone):
            target = places[shape.layer.name]
            if isinstance(target, Map):
                yield from jobs.fill(target, graph.padding(number), self.weights)
            sources = [places[name] for name in graph.inputs(number)]
            for tile in self._layer(shape, sources, target, index):
                if len(loads) + len(tile.loads) > LOADS:
                    yield Tile(loads)
                    loads = ()
                yield replace(tile, loads=(*loads, *tile.loads))
                loads = ()

    def _layer(
        self, shape: LayerShape, sources: Sequence[Place], target: Place, image: int
    ) -> Iterator[Tile]:
        """One layer of one image, part after part."""
        cutting = self.plan.layers[shape.layer.name]
        stripes = Stripes(shape, cutting, sources, target)
        for part in cutting.parts:
            loads, views = stripes.read(part)
            view = stripes.write(part)
            if shape.has_weights:
                tiles = self._convolution(shape, views[0], view, part, image)
            else:
                tiles = self._vector(shape, views, view, part)
            yield from stripes.around(tiles, loads, view, part)

    def _convolution(
        self, shape: LayerShape, source: Map | Unrolled, target: Map, part: Cut, image: int
    ) -> list[Tile]:
        layer, diagonal = shape.layer, is_depthwise(self.arch, shape)
        weights = self.checkpoint.layers[layer.name] if self.checkpoint is not None else None
        if weights is not None and isinstance(source, Map) and not isinstance(target, Sums):
            tiles = self.weights.windows(shape, weights, source, target, part)
            if tiles is not None:
                return tiles
        # each word of activations is that of a depthwise layer's next folds
        chunks = self._chunks(
            shape, source,
            together=self.shape.post_beats if diagonal else 1,
            results=self.shape.raw_beats if isinstance(target, Sums) else 1,
        )  # fmt: skip
        contents = self._contents(shape, [source], image)
        if isinstance(self.weights, groups.GroupedWeights):
            walk = groups.convolution(shape, source, target, part, self.shape)
            tiles = list(groups.tiles(walk, chunks, self.weights, contents))
        else:
            tiles = list(
                jobs.convolution(
                    shape, chunks, self.weights, source, target, part, self.pixels, contents,
                    diagonal=diagonal,
                )
            )  # fmt: skip
        levels = max(len(tile.job.feed.bounds) for tile in tiles if tile.job)
        if levels > FEED_LEVELS:
            rule = f"needs {levels} loops of the feeder, which has {FEED_LEVELS}"
            self.graph.refuse(f"{layer.name}.dilation", layer.dilation, rule)
        return tiles

    def _vector(
        self, shape: LayerShape, sources: Sequence[Map | Unrolled], target: Map, part: Cut
    ) -> list[Tile]:
        layer = shape.layer
        maps = [each for each in sources if isinstance(each, Map)]
        if len(maps) < len(sources):
            self.graph.refuse(layer.name, layer.type, "must not be the first layer")
        multipliers: tuple[int, ...] = (1,)
        shift = 0
        if layer.rescales and self.checkpoint is None:
            multipliers = (1,) * layer.multipliers
        elif layer.rescales and self.checkpoint is not None:
            if layer.name not in self.checkpoint.rescales:
                rule = f"must be given: how {layer.type} layers scale what they sum"
                raise InputError(self.checkpoint.source, f"rescales.{layer.name}", None, rule)
            rescale = self.checkpoint.rescales[layer.name]
            multipliers, shift = rescale.multipliers, rescale.shift
        if layer.type == "concat" and any(m.shape.channels % m.lanes for m in maps[:-1]):
            rule = f"inputs must have a multiple of {maps[0].lanes} channels"
            self.graph.refuse(layer.name, layer.type, rule)
        return list(jobs.vector(shape, maps, target, part, self.weights, multipliers, shift))

    def _together(
        self, shape: LayerShape, places: Sequence[Place]
    ) -> tuple[list[Tile], Sequence[Place]]:
        """A fully connected layer of all images; the last one's sums leave whole."""
        tiles, maps = self._brought(places)
        is_last = shape is self.graph.together[-1]
        chunks = self._chunks(shape, maps[0], results=self.shape.raw_beats if is_last else 1)
        contents = self._contents(shape, maps)
        result = Map(shape.ofmap, self.shape.word_lanes)
        if is_last:
            result = Sums.of(shape.ofmap, self.shape)
        targets = self._row(result, shape.layer.name)
        if isinstance(self.weights, groups.GroupedWeights):
            walk = groups.fully_connected(shape, maps, targets, self.shape)
            found = groups.tiles(walk, chunks, self.weights, contents)
        elif is_last:
            found = jobs.whole(shape, chunks, self.weights, maps, targets, contents)
        else:
            found = jobs.together(shape, chunks, self.weights, maps, targets, self.pixels, contents)
        tiles += found
        self.banks.give(maps[0].bank, maps[0].start, self.images * maps[0].words)
        return tiles, targets

    def _brought(self, places: Sequence[Place]) -> tuple[list[Tile], list[Map]]:
        """Maps of all images in a bank, and the tile that loads them where they lie in memory."""
        first = places[0]
        if not isinstance(first, Stored):
            return [], [place for place in places if isinstance(place, Map)]
        maps = self._row(first.grid, "the first fully connected layer")
        words = self.images * maps[0].words
        load, _ = first.load(first.grid.whole, maps[0].bank, maps[0].start)
        return [Tile((replace(load, words=words, beats=self._beats(words)),))], maps

    def _row(self, found: Map, what: str) -> list[Map]:
        """Maps of all images one behind the other in a bank."""
        assert self.arch.memory is not None
        try:
            bank, start = self.banks.take(self.images * found.words, avoid=(0,))
        except NoRoom as error:
            rule = f"must be more: {what} of all images, needs {error}"
            self.graph.refuse("memory.act_depth", self.arch.memory.act_depth, rule)
        return [found.placed(bank, start + index * found.words) for index in range(self.images)]

    def _load(self, source: Map | Unrolled, index: int) -> Load:
        """Block of an input."""
        beats = self._beats(source.words)
        address = index * beats * self.arch.bus.bytes
        return Load("act", source.bank, INPUTS, address, source.words, beats, to=source.start)

    def _beats(self, words: int) -> int:
        """Beats of the bus that words of a bank take."""
        return -(-words * self.shape.act_bits // self.arch.bus.data_width)

    # operands

    def _chunks(
        self, shape: LayerShape, source: Map | Unrolled, *, together: int = 1, results: int = 1
    ) -> list[Chunk]:
        """Groups of filters of a layer: the same for all of its parts, and for all images.

        Ways to cut the layer differ in the rows of what it reads, which the feeder walks.
        """
        name, diagonal = shape.layer.name, is_depthwise(self.arch, shape)
        loops = jobs.k_loops(shape, source, self.shape, diagonal=diagonal)
        if (name, loops) not in self.chunks:
            if self.checkpoint is None:
                matrix, scale = shape_operands(self.arch, shape, source)
            else:
                matrix, scale = operands(self.arch, shape, source, self.checkpoint)
            filters = Filters(name, matrix, scale, loops, together, results)
            self.chunks[name, loops] = list(self.weights.chunks(filters))
        return self.chunks[name, loops]

    def _contents(
        self, shape: LayerShape, maps: Sequence[Map | Unrolled], first: int = 0
    ) -> Contents | None:
        """What maps of the images from ``first`` on hold when a layer reads them."""
        if not self.arch.array.skips_acts:
            return None
        size = shape.ifmap
        full = np.ones((self.images, size.channels, size.height, size.width), np.int8)
        acts = self.acts.get(shape.layer.name, full)
        return Contents.of(maps, acts[first : first + len(maps)], self.shape)


def _grid(place: Place) -> Map | Unrolled:
    """A map without the place where it lies in memory."""
    found: Map | Unrolled = place.grid if isinstance(place, Stored) else place
    return found
