"""Compile a network for a machine: every layer in tiles that its memories hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import INPUTS, OUTPUTS, Constants, Program
from hwsim.accelerator.tile import Load, Store, Tile
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.compiler import jobs
from hwsim.compiler.banks import Banks, NoRoom
from hwsim.compiler.compiled import Compiled, whole_beats
from hwsim.compiler.contents import Contents
from hwsim.compiler.gather import weights_of
from hwsim.compiler.hazards import needs_barrier
from hwsim.compiler.layout import Lowered, Map, Unrolled
from hwsim.compiler.slim import slim
from hwsim.compiler.weights import Scale
from hwsim.config import ArchConfig, LayerShape, NetworkConfig
from hwsim.config.shape import MachineShape
from hwsim.contract.descriptors import FEED_LEVELS, LOADS
from hwsim.errors import InputError
from hwsim.workload.lowering import lower_weight

__all__ = ["compile_network"]


def compile_network(
    arch: ArchConfig,
    network: NetworkConfig,
    checkpoint: Checkpoint,
    images: int = 1,
    acts: Mapping[str, NDArray[np.integer]] | None = None,
) -> Compiled:
    """Compile a network and its weights.

    Images go through convolutions one after the other, and through the fully connected layers at
    the end together, which then load their weights once.

    Parameters
    ----------
    images
        Images of the program.
    acts
        What each layer with weights reads, ``(images, C, H, W)`` (``golden.run(...).ifmap``). The
        cycles of an array that skips zero activations depend on it, the program does not; without,
        no activation is zero but for padding.

    Raises
    ------
    InputError
        The design has no machine, the checkpoint is another network's, a layer needs what the
        machine does not have, or a feature map does not fit its memories.
    """
    checkpoint.check(network)
    if arch.array.channels_move:
        shape = MachineShape.of(arch)
        lanes = shape.act_lanes if shape.gathers else 1
        network, checkpoint, acts = slim(network, checkpoint, acts or {}, lanes)
    return _Compiler(arch, network, checkpoint, images, acts or {}).compiled()


class _Compiler:
    def __init__(
        self,
        arch: ArchConfig,
        network: NetworkConfig,
        checkpoint: Checkpoint,
        images: int,
        acts: Mapping[str, NDArray[np.integer]],
    ) -> None:
        self.arch, self.network, self.checkpoint, self.images = arch, network, checkpoint, images
        self.acts = acts
        self.shape = MachineShape.of(arch)
        memory = arch.memory
        assert memory is not None
        self.pixels = arch.array.machine_pixels
        self.banks = Banks(memory.act_banks, memory.act_depth)
        self.constants = Constants(arch)
        self.weights = weights_of(arch, self.constants)
        self.tiles: list[Tile] = []
        self.shapes = network.shapes()
        # layers from the first of the fully connected ones that end the network
        self.split = len(self.shapes)
        while self.split > 0 and self.shapes[self.split - 1].layer.type == "fc":
            self.split -= 1
        if self.split == 0:
            self._refuse("layers.0.type", "fc", "must be a layer that is not fully connected")

    def compiled(self) -> Compiled:
        """All images, and then the layers that take them together."""
        alone, together = self.shapes[: self.split], self.shapes[self.split :]
        first = self._input()
        # inputs take turns, so that one is loaded while the other is used
        slots = [self._take(first, "an input") for _ in range(min(2, self.images))]
        maps, store = self._results(alone[-1], is_whole=not together and alone[-1].has_weights)
        for index in range(self.images):
            self._image(alone, slots[index % len(slots)], maps[index], index)
        for slot in slots:
            self.banks.give(slot.bank, slot.start, slot.words)
        for shape in together:
            maps, store = self._together(shape, maps, is_last=shape is together[-1])
        self.tiles[-1] = replace(self.tiles[-1], store=store)

        tiles = [Tile(digest=int(self.arch.digest[:8], 16))]
        for tile in self.tiles:
            tiles.append(replace(tile, barrier=needs_barrier(tiles, tile, self.shape)))
        word, bus = self.shape.act_bits // 8, self.arch.bus.bytes
        size = self.images * -(-first.words * word // bus) * bus
        program = Program(self.arch, tiles, self.constants, size, store.words * word)
        is_whole = self.shapes[-1].has_weights
        return Compiled(program, first, maps[0], is_whole, self.images)

    def _results(self, shape: LayerShape, *, is_whole: bool) -> tuple[list[Map], Store]:
        """Place of a layer's results for all images, one behind the other, and their store."""
        found = Map(shape.ofmap, self.shape.word_lanes)
        words = found.words
        if is_whole:
            beats = shape.pixels * whole_beats(self.shape, shape.ofmap)
            words = -(-beats // self.shape.post_beats)
        what = f"{shape.layer.name} of all images"
        bank, start = self._room(self.images * words, what, avoid=(0,))
        maps = [
            replace(found, bank=bank, start=start + index * words) for index in range(self.images)
        ]
        return maps, Store(bank, OUTPUTS, 0, self.images * words, start=start)

    def _image(
        self, shapes: Sequence[LayerShape], source: Map | Unrolled, result: Map, index: int
    ) -> None:
        """All layers of one image up to ``result``."""
        tensors: dict[str, Map | Unrolled] = {"input": source}
        loads: tuple[Load, ...] = (self._load(source, index),)
        previous = "input"
        for number, shape in enumerate(shapes):
            name = shape.layer.name
            names = shape.layer.inputs or (previous,)
            sources = [tensors[each] for each in names]
            target = result
            if number < len(shapes) - 1:
                target = self._target(shape, number, tensors)
                self.tiles += jobs.fill(target, self._padding(number), self.weights)
            tiles = self._layer(shape, sources, target, index)
            if len(loads) + len(tiles[0].loads) > LOADS:
                self.tiles.append(Tile(loads))
                loads = ()
            self.tiles += [replace(tiles[0], loads=(*loads, *tiles[0].loads)), *tiles[1:]]
            loads = ()
            tensors[name] = target
            previous = name
            for each in list(tensors):
                if each != "input" and each not in self._needed(number + 1):
                    self._give(tensors.pop(each), result)

    def _layer(
        self, shape: LayerShape, sources: Sequence[Map | Unrolled], target: Map, image: int
    ) -> list[Tile]:
        layer, source = shape.layer, sources[0]
        if shape.has_weights:
            depthwise = self._is_depthwise(shape)
            # each word of activations is that of a depthwise layer's next folds
            together = self.shape.post_beats if depthwise else 1
            is_whole = shape is self.shapes[-1]
            results = self.shape.raw_beats if is_whole else 1
            operands = self._operands(shape, source)
            loops = jobs.k_loops(shape, source, self.shape, diagonal=depthwise)
            chunks = self.weights.chunks(
                layer.name, *operands, loops, together=together, results=results
            )
            found = jobs.convolution(
                shape, chunks, source, target, self.shape, self.pixels,
                self._contents(shape, [source], image),
                diagonal=depthwise, is_whole=is_whole,
            )  # fmt: skip
            tiles = list(found)
            levels = max(len(tile.job.feed.bounds) for tile in tiles if tile.job)
            if levels > FEED_LEVELS:
                rule = f"needs {levels} loops of the feeder, which has {FEED_LEVELS}"
                self._refuse(f"{layer.name}.dilation", layer.dilation, rule)
            return tiles
        maps = [each for each in sources if isinstance(each, Map)]
        if len(maps) < len(sources):
            self._refuse(layer.name, layer.type, "must not be the first layer")
        multipliers: tuple[int, ...] = (1,)
        shift = 0
        if layer.rescales:
            if layer.name not in self.checkpoint.rescales:
                rule = f"must be given: how {layer.type} layers scale what they sum"
                raise InputError(self.checkpoint.source, f"rescales.{layer.name}", None, rule)
            rescale = self.checkpoint.rescales[layer.name]
            multipliers, shift = rescale.multipliers, rescale.shift
        if layer.type == "add" and (len(maps) > 2 or maps[0].row != maps[1].row):
            self._refuse(layer.name, len(maps), "must be two inputs with the same padding")
        if layer.type == "add" and maps[0].bank != maps[1].bank:
            banks = (maps[0].bank, maps[1].bank)
            self._refuse(layer.name, banks, "must be two inputs that lie in the same act bank")
        if layer.type == "concat" and any(m.shape.channels % m.lanes for m in maps[:-1]):
            rule = f"inputs must have a multiple of {maps[0].lanes} channels"
            self._refuse(layer.name, layer.type, rule)
        return list(jobs.vector(shape, maps, target, self.weights, multipliers, shift))

    def _together(
        self, shape: LayerShape, maps: list[Map], *, is_last: bool
    ) -> tuple[list[Map], Store]:
        """A fully connected layer of all images; the last one's sums leave whole."""
        operands = self._operands(shape, maps[0])
        results = self.shape.raw_beats if is_last else 1
        loops = jobs.k_loops(shape, maps[0], self.shape)
        chunks = self.weights.chunks(shape.layer.name, *operands, loops, results=results)
        targets, store = self._results(shape, is_whole=is_last)
        contents = self._contents(shape, maps)
        if is_last:
            self.tiles += jobs.whole(shape, chunks, maps, targets, self.shape, contents)
        else:
            self.tiles += jobs.together(
                shape, chunks, maps, targets, self.shape, self.pixels, contents
            )
        self.banks.give(maps[0].bank, maps[0].start, self.images * maps[0].words)
        return targets, store

    def _load(self, source: Map | Unrolled, index: int) -> Load:
        """Block of an input."""
        word, bus = self.shape.act_bits // 8, self.arch.bus.bytes
        beats = -(-source.words * word // bus)
        address = index * beats * bus
        return Load("act", source.bank, INPUTS, address, source.words, beats, to=source.start)

    # operands

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

    def _operands(
        self, shape: LayerShape, source: Map | Unrolled
    ) -> tuple[NDArray[np.integer], Scale]:
        """Weights in the order of the feeder, and the scale of each filter."""
        weights = self.checkpoint.layers[shape.layer.name]
        scale = Scale.of(weights.bias, weights.multiplier, weights.shift)
        groups = lower_weight(shape, weights.weight)
        if isinstance(source, Unrolled):
            return _spread(groups[0], source.taps()), scale
        if self._is_depthwise(shape):
            return self._diagonal(groups), scale
        # a group's filters have no weights for the channels of others
        taps = source.taps(shape)
        if len(groups) == 1:
            return _spread(groups[0], taps), scale
        channels = shape.ifmap.channels
        full = np.zeros((len(groups) * shape.M, shape.R * shape.S, channels), np.int64)
        for group, matrix in enumerate(groups):
            rows = slice(group * shape.M, (group + 1) * shape.M)
            cols = slice(group * shape.C, (group + 1) * shape.C)
            full[rows, :, cols] = matrix.reshape(shape.M, -1, shape.C)
        return _spread(full.reshape(len(full), -1), taps), scale

    def _is_depthwise(self, shape: LayerShape) -> bool:
        """Whether each filter has a channel of its own, and a beat holds those of a fold."""
        one = shape.layer.G > 1 and shape.C == shape.M == 1
        # an array that skips zeros takes such a layer as any in groups
        return (
            one
            and not self.arch.array.pixel_by_pixel
            and self.shape.act_lanes % self.shape.ofmap_lanes == 0
        )

    def _diagonal(self, groups: Sequence[NDArray[np.integer]]) -> NDArray[np.integer]:
        """Filters of one channel each: at each tap a beat, in which a filter has its own lane."""
        lanes = self.shape.act_lanes
        taps = groups[0].shape[1]
        full = np.zeros((len(groups), taps, lanes), np.int64)
        for channel, matrix in enumerate(groups):
            full[channel, :, channel % lanes] = matrix[0]
        return full.reshape(len(groups), -1)

    # places

    def _input(self) -> Map | Unrolled:
        shape, lanes = self.shapes[0], self.shape.word_lanes
        layer = shape.layer
        users = [s for s in self.shapes if "input" in s.layer.inputs]
        if layer.type == "conv" and layer.G == 1 and lanes // 2 >= shape.C and not users[1:]:
            array = self.arch.array
            # where every word of a pixel costs cycles by itself, the fewest words
            is_lowered = array.pixel_by_pixel or shape.C % array.block
            return (Lowered if is_lowered else Unrolled)(shape, lanes)
        border = self._border(-1)
        if border and any(user.layer.type == "maxpool" for user in self._users(-1)):
            rule = "must not read a border around the input: 0 may win there"
            self._refuse(layer.name, layer.type, rule)
        return Map(self.network.input, lanes, border=border)

    def _take(self, tensor: Map | Unrolled, what: str) -> Map | Unrolled:
        bank, start = self._room(tensor.words, what, bank=0)
        return replace(tensor, bank=bank, start=start)

    def _target(self, shape: LayerShape, number: int, tensors: dict[str, Map | Unrolled]) -> Map:
        """Place of a layer's output: beside the other input of a sum, where there is one."""
        found = Map(shape.ofmap, self.shape.word_lanes, border=self._border(number))
        partners = {
            tensors[other].bank
            for user in self.shapes
            if user.layer.type == "add" and shape.layer.name in user.layer.inputs
            for other in user.layer.inputs
            if other in tensors
        }
        bank = partners.pop() if partners else None
        size = shape.ofmap
        what = f"{shape.layer.name}, {size.channels} x {size.height} x {size.width}"
        bank, start = self._room(found.words, what, bank=bank, avoid=(0,))
        return replace(found, bank=bank, start=start)

    def _room(
        self, words: int, what: str, *, bank: int | None = None, avoid: tuple[int, ...] = ()
    ) -> tuple[int, int]:
        try:
            return self.banks.take(words, bank=bank, avoid=avoid)
        except NoRoom as error:
            assert self.arch.memory is not None
            depth = self.arch.memory.act_depth
            rule = f"must be more: {what}, needs {error}"
            raise InputError(self._source, "memory.act_depth", depth, rule) from error

    def _give(self, tensor: Map | Unrolled, result: Map) -> None:
        if tensor is not result:
            self.banks.give(tensor.bank, tensor.start, tensor.words)

    def _needed(self, number: int) -> set[str]:
        """Tensors that a layer from ``number`` on reads."""
        found = set()
        for index in range(number, self.split):
            layer = self.shapes[index].layer
            found |= set(layer.inputs or (self.shapes[index - 1].layer.name if index else "input",))
        return found

    def _users(self, number: int) -> list[LayerShape]:
        """Layers that read the output of layer ``number``; of -1, the input."""
        name = self.shapes[number].layer.name if number >= 0 else "input"
        found = [shape for shape in self.shapes if name in shape.layer.inputs]
        following = self.shapes[number + 1 : number + 2]
        return found + [shape for shape in following if not shape.layer.inputs]

    def _border(self, number: int) -> int:
        """Pixels around the output of a layer that its readers see."""
        widest = 0
        for shape in self._users(number):
            layer = shape.layer
            if layer.type not in ("conv", "maxpool", "avgpool"):
                continue
            for out, size, window in (
                (shape.ofmap.height, shape.ifmap.height, shape.R),
                (shape.ofmap.width, shape.ifmap.width, shape.S),
            ):
                reach = (out - 1) * layer.stride + layer.dilation * (window - 1) + 1
                widest = max(widest, layer.padding, reach - layer.padding - size)
        return widest

    def _padding(self, number: int) -> int:
        """What the border of a layer's output holds: 0, or what never wins in a pool."""
        pools = [s.layer.type == "maxpool" for s in self._users(number)]
        if not any(pools) or self.shapes[number].layer.relu:
            return 0
        if not all(pools) and self._border(number):
            rule = "must have a ReLU: a pool and another layer see its border differently"
            self._refuse(self.shapes[number].layer.name, "relu", rule)
        return -(1 << (self.arch.numbers.act_width - 1))

    @property
    def _source(self) -> str:
        return f"{self.network.name} on {self.arch.name}"

    def _refuse(self, key: str, value: object, rule: str) -> None:
        raise InputError(self._source, key, value, rule)


def _spread(matrix: NDArray[np.integer], taps: NDArray[np.int64]) -> NDArray[np.integer]:
    """Columns of a matrix where the feeder has them; 0 where it has none."""
    return np.where(taps < 0, 0, matrix[:, taps])
