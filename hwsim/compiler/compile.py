"""Compile a network for a machine: every layer in tiles that its memories hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import INPUTS, OUTPUTS, Constants, Program
from hwsim.accelerator.tile import ArrayJob, Load, Nest, Store, Tile, VectorJob
from hwsim.arrays.base import array_model
from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.compiler.bits import to_bytes
from hwsim.compiler.compiled import Compiled
from hwsim.compiler.hazards import needs_barrier
from hwsim.compiler.layout import Map, Unrolled
from hwsim.config import ArchConfig, LayerShape, NetworkConfig, SystolicConfig, TensorShape
from hwsim.config.shape import MULTIPLIER_BITS, SHIFT_BITS, MachineShape
from hwsim.errors import InputError
from hwsim.workload.lowering import lower_weight

__all__ = ["compile_network"]

#: Bank of the inputs, those that maps between layers take turns in, and that of the maps that wait
#: for a layer which takes all images at once.
_INPUT, _TURNS, _BATCH = 0, (1, 2), 3


def compile_network(
    arch: ArchConfig, network: NetworkConfig, checkpoint: Checkpoint, images: int = 1
) -> Compiled:
    """Compile a network and its weights.

    Images go through convolutions one after the other, and through fully connected layers together,
    which then load their weights once.

    Raises
    ------
    InputError
        The design has no machine, a layer needs what the machine does not have, or does not fit
        its memories.
    """
    return _Compiler(arch, network, checkpoint, images).compiled()


class _Compiler:
    def __init__(
        self, arch: ArchConfig, network: NetworkConfig, checkpoint: Checkpoint, images: int
    ) -> None:
        checkpoint.check(network)
        self.arch, self.network, self.checkpoint, self.images = arch, network, checkpoint, images
        self.shape = MachineShape.of(arch)
        self.array = arch.array_as(SystolicConfig)
        assert arch.memory is not None
        self.memory = arch.memory
        if self.memory.act_banks <= _BATCH:
            self._refuse("memory.act_banks", self.memory.act_banks, f"must be above {_BATCH}")
        self.constants = Constants(arch)
        self.tiles: list[Tile] = []
        self.half = 1

    def compiled(self) -> Compiled:
        shapes = self.network.shapes()
        for shape in shapes:
            if shape.layer.type not in ("conv", "fc", "maxpool") or len(shape.layer.inputs) > 1:
                self._refuse(shape.layer.name, shape.layer.type, "is not supported by the machine")
        split = next((i for i, s in enumerate(shapes) if s.layer.type == "fc"), len(shapes))
        alone, together = shapes[:split], shapes[split:]
        first = self._input(shapes[0])
        words = first.words
        collected = self._place(alone[-1].ofmap if alone else self.network.input, _BATCH)
        maps = [replace(collected, start=i * collected.words) for i in range(self.images)]
        self._fits("its maps of all images", self.images * collected.words)
        stored: Store
        for index in range(self.images):
            source: Map | Unrolled = replace(first, start=(index % 2) * words)
            load = self._load_input(source, index)
            for number, shape in enumerate(alone):
                target = maps[index]
                if number < len(alone) - 1:
                    target = self._place(shape.ofmap, self._turn(source.bank))
                self._layer(shape, source, target, load)
                load = ()
                source = target
            if not alone:
                raise InputError(self.network.name, "layers", None, "must begin with a conv layer")
        for number, shape in enumerate(together):
            is_last = number == len(together) - 1
            bank = self._turn(maps[0].bank)
            out = self._place(shape.ofmap, bank)
            targets = [replace(out, start=i * out.words) for i in range(self.images)]
            if is_last:
                size = self._raw(shape, maps, bank)
                stored = Store(bank, OUTPUTS, 0, size)
            else:
                self._fits(f"{shape.layer.name} of all images", self.images * out.words)
                self._together(shape, maps, targets)
            maps = targets
        if not together:
            stored = Store(maps[0].bank, OUTPUTS, 0, self.images * maps[0].words)
        self.tiles[-1] = replace(self.tiles[-1], store=stored)
        head = Tile(digest=int(self.arch.digest[:8], 16))
        tiles = [head]
        for before, tile in pairwise([head, *self.tiles]):
            tiles.append(replace(tile, barrier=needs_barrier(before, tile, self.shape)))
        word, bus = self.shape.act_bits // 8, self.arch.bus.bytes
        size = self.images * -(-words * word // bus) * bus
        program = Program(self.arch, tiles, self.constants, size, stored.words * word)
        result = None if together else maps[0]
        classes = shapes[-1].ofmap.size
        return Compiled(program, first, result, classes, self.images)

    # placing

    def _input(self, shape: LayerShape) -> Map | Unrolled:
        lanes = self.shape.word_lanes
        if shape.layer.type == "conv" and lanes // 2 >= shape.C and shape.layer.G == 1:
            found: Map | Unrolled = Unrolled(shape, lanes, _INPUT)
        else:
            found = Map(shape.ifmap, lanes, _INPUT)
        self._fits("two inputs", 2 * found.words)
        return found

    def _place(self, tensor: TensorShape, bank: int) -> Map:
        found = Map(tensor, self.shape.word_lanes, bank)
        self._fits(f"a map of {tensor.channels} x {tensor.height} x {tensor.width}", found.words)
        return found

    def _turn(self, bank: int) -> int:
        return _TURNS[bank == _TURNS[0]]

    def _load_input(self, source: Map | Unrolled, index: int) -> tuple[Load, ...]:
        word, bus = self.shape.act_bits // 8, self.arch.bus.bytes
        size = source.words * word
        beats = -(-size // bus)
        return (
            Load(
                "act",
                source.bank,
                INPUTS,
                index * beats * bus,
                source.words,
                beats,
                to=source.start,
            ),
        )

    # layers

    def _layer(
        self, shape: LayerShape, source: Map | Unrolled, target: Map, load: tuple[Load, ...]
    ) -> None:
        """One layer of one image."""
        if shape.layer.type == "maxpool":
            self._pool(shape, source, target)
        else:
            self._conv(shape, source, target, load)

    def _conv(
        self, shape: LayerShape, source: Map | Unrolled, target: Map, load: tuple[Load, ...]
    ) -> None:
        layer = shape.layer
        if layer.G > 1 or (layer.padding and isinstance(source, Map)):
            self._refuse(layer.name, layer.type, "groups and padding are not supported yet")
        feed, post, width = self.shape.feed_beats, self.shape.post_beats, shape.ofmap.width
        if isinstance(source, Map):
            taps = source.taps(shape)
            step, line = source.blocks * feed, source.row * feed
            column, row = layer.stride * step, layer.stride * line
            bounds: tuple[int, ...] = (step, shape.S, shape.R)
            strides: tuple[int, ...] = (1, layer.dilation * step, layer.dilation * line)
        else:
            taps = source.taps()
            step = source.groups * feed
            line = source.columns * step
            column, row = step, layer.stride * line
            bounds, strides = (step, shape.R), (1, layer.dilation * line)
        assert self.array.acc_depth is not None
        rows = self.array.acc_depth // width
        if rows == 0:
            rule = f"must be at most acc_depth, {self.array.acc_depth}: a tile is whole rows"
            self._refuse(layer.name, width, rule)
        weights = self.checkpoint.layers[layer.name]
        for chunk in self._chunks(shape, weights, taps):
            for y in range(0, shape.ofmap.height, rows):
                height = min(rows, shape.ofmap.height - y)
                feeding = Nest(
                    source.start * feed + y * row,
                    (width, height, *bounds, chunk.m_folds),
                    (column, row, *strides, 0),
                )
                pixel = target.blocks * post
                posting = Nest(
                    (target.start + y * target.row) * post + chunk.first,
                    (width, height, chunk.m_folds),
                    (pixel, width * pixel, 1),
                )
                job = self._job(chunk, source.bank, target.bank, feeding, posting)
                job = replace(job, pixels=width * height, relu=layer.relu)
                self.tiles.append(Tile((*load, *chunk.take()), job, layer=layer.name))
                load = ()

    def _together(self, shape: LayerShape, sources: list[Map], targets: list[Map]) -> None:
        """A fully connected layer of all images."""
        feed, post = self.shape.feed_beats, self.shape.post_beats
        words, out = sources[0].words * feed, targets[0]
        weights = self.checkpoint.layers[shape.layer.name]
        for chunk in self._chunks(shape, weights, sources[0].taps(shape)):
            feeding = Nest(
                sources[0].start * feed, (len(sources), words, chunk.m_folds), (words, 1, 0)
            )
            posting = Nest(
                out.start * post + chunk.first,
                (len(sources), 1, chunk.m_folds),
                (out.words * post, 0, 1),
            )
            job = self._job(chunk, sources[0].bank, out.bank, feeding, posting)
            job = replace(job, pixels=len(sources), relu=shape.layer.relu)
            self.tiles.append(Tile(chunk.take(), job, layer=shape.layer.name))

    def _raw(self, shape: LayerShape, sources: list[Map], bank: int) -> int:
        """The last layer, whose sums leave whole: one image per tile. Gives the words of all."""
        feed, raw = self.shape.feed_beats, self.shape.raw_beats
        m_folds = -(-shape.ofmap.channels // self.array.cols)
        size = len(sources) * m_folds * raw
        weights = self.checkpoint.layers[shape.layer.name]
        self._fits(f"{shape.layer.name} of all images", -(-size // self.shape.post_beats))
        for chunk in self._chunks(shape, weights, sources[0].taps(shape)):
            for index, source in enumerate(sources):
                words = source.words * feed
                feeding = Nest(source.start * feed, (1, words, chunk.m_folds), (0, 1, 0))
                first = (index * m_folds + chunk.first) * raw
                posting = Nest(first, (1, 1, chunk.m_folds), (0, 0, raw))
                job = self._job(chunk, source.bank, bank, feeding, posting)
                self.tiles.append(
                    Tile(chunk.take(), replace(job, raw=True), layer=shape.layer.name)
                )
        return -(-size // self.shape.post_beats)

    def _pool(self, shape: LayerShape, source: Map | Unrolled, target: Map) -> None:
        layer = shape.layer
        reach = (shape.ofmap.width - 1) * layer.stride + shape.S > shape.ifmap.width
        reach |= (shape.ofmap.height - 1) * layer.stride + shape.R > shape.ifmap.height
        if layer.padding or layer.dilation > 1 or reach or not isinstance(source, Map):
            self._refuse(layer.name, layer.type, "padding, dilation and ceil are not supported yet")
            return
        blocks, ofmap = source.blocks, shape.ofmap
        feeding = Nest(
            source.start,
            (shape.S, shape.R, blocks, ofmap.width, ofmap.height),
            (blocks, source.row, 1, layer.stride * blocks, layer.stride * source.row),
        )
        post = self.shape.post_beats
        posting = Nest(target.start * post, (target.words * post,), (1,))
        self.half ^= 1
        scale = self.constants.load(
            "scale", self.half, self._scales(np.zeros(1, np.int64), 1, 0, 1)
        )
        job = VectorJob(
            source.bank, target.bank, self.half, feeding, posting, relu=layer.relu, op="max",
            window=shape.R * shape.S, windows=target.words,
        )  # fmt: skip
        self.tiles.append(Tile((scale,), job, layer=layer.name))

    def _job(
        self, chunk: _Chunk, read_bank: int, write_bank: int, feed: Nest, post: Nest
    ) -> ArrayJob:
        return ArrayJob(
            read_bank, write_bank, chunk.half, feed, post, weight_half=chunk.half,
            k_folds=chunk.k_folds, m_folds=chunk.m_folds,
        )  # fmt: skip

    def _chunks(
        self, shape: LayerShape, weights: LayerWeights, taps: NDArray[np.int64]
    ) -> Iterator[_Chunk]:
        """Filters in groups whose weights fit a half, each loaded once."""
        (matrix,) = lower_weight(shape, weights.weight)
        spread = np.where(taps < 0, 0, matrix[:, taps])
        k_folds, cols = len(taps) // self.shape.act_lanes, self.array.cols
        rows = array_model(self.arch).weight_words(self.arch, spread[:1], shape.layer.name)
        per_fold = len(next(iter(rows.values())))
        most = min(self.memory.weight_depth // per_fold, self.memory.scale_depth)
        if most == 0:
            limit = self.memory.weight_depth
            rule = f"must be at most memory.weight_depth, {limit}: words of one M fold"
            self._refuse(shape.layer.name, per_fold, rule)
        total = -(-len(matrix) // cols)
        for first in range(0, total, most):
            m_folds = min(most, total - first)
            part = slice(first * cols, (first + m_folds) * cols)
            self.half ^= 1
            words = array_model(self.arch).weight_words(self.arch, spread[part], shape.layer.name)
            widths = self.array.weight_fields(self.arch.numbers)
            packed = to_bytes(
                [(v.reshape(len(v), -1), widths[name]) for name, v in words.items()],
                self.shape.weight_word,
            )
            scales = self._scales(weights.bias[part], weights.multiplier, weights.shift, m_folds)
            loads = (
                self.constants.load("weight", self.half, packed),
                self.constants.load("scale", self.half, scales),
            )
            yield _Chunk(first, m_folds, k_folds, self.half, loads)

    def _scales(
        self, bias: NDArray[np.integer], multiplier: int, shift: int, words: int
    ) -> NDArray[np.uint8]:
        """Words of the scale memory: bias, multiplier and shift of each lane."""
        lanes = self.shape.ofmap_lanes
        biases = np.zeros(words * lanes, np.int64)
        biases[: len(bias)] = bias
        fields: list[tuple[NDArray[np.integer], int]] = []
        for lane in range(lanes):
            of_lane = biases.reshape(words, lanes)[:, lane : lane + 1]
            fields += [
                (of_lane, self.shape.psum_width),
                (np.full((words, 1), multiplier), MULTIPLIER_BITS),
                (np.full((words, 1), shift), SHIFT_BITS),
            ]
        return to_bytes(fields, self.shape.scale_word)

    def _fits(self, what: str, words: int) -> None:
        if words > self.memory.act_depth:
            rule = f"must be at most memory.act_depth, {self.memory.act_depth}: words of {what}"
            self._refuse("words", words, rule)

    def _refuse(self, key: str, value: object, rule: str) -> None:
        raise InputError(f"{self.network.name} on {self.arch.name}", key, value, rule)


class _Chunk:
    """Filters whose weights lie in a half together."""

    def __init__(
        self, first: int, m_folds: int, k_folds: int, half: int, loads: tuple[Load, ...]
    ) -> None:
        self.first, self.m_folds, self.k_folds, self.half = first, m_folds, k_folds, half
        self._loads = loads

    def take(self) -> tuple[Load, ...]:
        """Blocks of the chunk for the first tile that needs them, none for the others."""
        loads, self._loads = self._loads, ()
        return loads
