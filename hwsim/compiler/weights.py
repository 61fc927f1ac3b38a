"""Weights and scales as the machine's memories hold them: filters in groups that fit a half."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import accumulate
from math import prod
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import Constants
from hwsim.accelerator.tile import LONGEST, Load, Nest, Tile
from hwsim.arrays.base import array_model
from hwsim.arrays.counts import Counts
from hwsim.checkpoints.checkpoint import LayerWeights
from hwsim.compiler.bits import to_bytes
from hwsim.compiler.grid import Cut
from hwsim.compiler.layout import Map
from hwsim.config import ArchConfig, LayerShape
from hwsim.config.shape import MULTIPLIER_BITS, SHIFT_BITS, MachineShape
from hwsim.contract.descriptors import LIST_LEVEL
from hwsim.errors import InputError

__all__ = [
    "Chunk",
    "Filters",
    "Ints",
    "ListedChunk",
    "Loops",
    "Part",
    "Scale",
    "Weights",
    "cut_loops",
    "cuts",
]

Ints = NDArray[np.integer]
#: Loops ``(bound, stride)``, the innermost first.
Loops = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Scale:
    """Bias, multiplier and shift of each channel."""

    bias: Ints
    multiplier: Ints
    shift: Ints

    @classmethod
    def of(cls, bias: Ints, multiplier: int | Ints, shift: int | Ints) -> Scale:
        """Scale of channels; a single multiplier or shift is that of all."""
        return cls(
            bias, np.broadcast_to(multiplier, bias.shape), np.broadcast_to(shift, bias.shape)
        )

    def part(self, first: int, count: int) -> Scale:
        """Scale of some of the channels."""
        some = slice(first, first + count)
        return Scale(self.bias[some], self.multiplier[some], self.shift[some])


@dataclass(frozen=True)
class Filters:
    """Filters of a layer, which are cut into groups.

    Attributes
    ----------
    matrix
        ``(M, K)``: K in the order of the feeder, whole beats.
    loops
        Loops of the feeder over the beats of K.
    together
        Groups begin with a multiple of so many folds, or have fewer, of those to the next one.
    results
        Cycles that the sums of a pixel take to leave: K is long enough that none must wait.
    """

    name: str
    matrix: Ints
    scale: Scale
    loops: Loops
    together: int = 1
    results: int = 1

    def padded(self, unit: int) -> Ints:
        """The matrix with zeros for filters up to a multiple of ``unit``."""
        padded: Ints = np.pad(self.matrix, ((0, -len(self.matrix) % unit), (0, 0)))
        return padded


class Part(NamedTuple):
    """A part of K: its first beat, the loops over its beats, and its K indices."""

    offset: int
    loops: Loops
    k: range

    def of(self, weight: Ints) -> Ints:
        """What it has of a matrix."""
        return weight[:, self.k.start : self.k.stop]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Filters whose weights lie in a half together: folds ``first`` to ``first + m_folds``."""

    first: int
    m_folds: int
    k_folds: int
    #: Loops over K of the beats that a pixel reads, the innermost first.
    loops: tuple[tuple[int, int], ...]
    #: Counts of the array for a number of pixels; where it skips zeros, for the beats of
    #: activations that it is given, or for all that it is fed.
    counts: Callable[..., Counts]
    #: Weights and scales, for half 0.
    loads: tuple[Load, ...] = ()
    #: Words of weights, where the array's command says how many it takes; else 0.
    weight_words: int = 0
    #: What the command says beside counts.
    options: int = 0
    #: First beat of K; where it is cut, whether it is not the first part, and not the last.
    offset: int = 0
    carry: bool = False
    keep: bool = False
    #: Pixels, or groups of them, whose sums the array can keep.
    pixels: int = LONGEST

    def feed(self, start: int, pixels: Loops, folds: Loops) -> Nest:
        """Beats of a job: of each fold of filters K, of each K the pixels."""
        return Nest.of(start + self.offset, *pixels, *self.loops, *folds)

    def post(self, start: int, pixels: Loops, step: int) -> Nest:
        """Results of a job, of ``pixels`` in two loops: of each fold of filters the pixels."""
        return Nest.loops(start, *pixels, (self.m_folds, step))


C = TypeVar("C", bound=Chunk)


@dataclass(frozen=True, eq=False)
class ListedChunk(Chunk):
    """Filters whose beats of activations are gathered by a list."""

    #: What an entry of the list adds at most.
    reach: int = 0

    def feed(self, start: int, pixels: Loops, folds: Loops) -> Nest:
        """Beats of a job: of each fold of filters the list, of each of its words the pixels."""
        loops = [*pixels, *[(1, 0)] * (LIST_LEVEL - len(pixels)), *self.loops, *folds]
        bounds, strides = zip(*loops, strict=True)
        return Nest(start, bounds, strides, self.reach)


class Weights:
    """Weights and scales of a program; the halves take turns.

    Parameters
    ----------
    arch
        The design.
    constants
        Where blocks are put.
    """

    def __init__(self, arch: ArchConfig, constants: Constants) -> None:
        assert arch.memory is not None
        self.arch, self.memory, self.constants = arch, arch.memory, constants
        self.shape = MachineShape.of(arch)
        #: Blocks of weights, by the digest of what they hold: ways to cut a layer differ in the
        #: loops over K alone.
        self._packed: dict[bytes, Load] = {}
        self._half = 1
        #: What the halves hold.
        self._held: list[Chunk | None] = [None, None]

    def forget(self) -> None:
        """Begin as if the halves held nothing."""
        self._half, self._held = 1, [None, None]

    def bring(self, chunk: Chunk) -> tuple[int, tuple[Load, ...]]:
        """Half that a tile finds a chunk in, and the blocks that it must load for that."""
        for half, held in enumerate(self._held):
            if held is chunk:
                self._half = half
                return half, ()
        half = self._turn(chunk)
        return half, self._missing(half, chunk)

    def windows(
        self, shape: LayerShape, weights: LayerWeights, source: Map, target: Map, part: Cut
    ) -> list[Tile] | None:
        """Tiles of a part of a layer that reads windows; None where it is a matrix product."""
        return None

    def scale(self, scale: Scale) -> tuple[int, Load]:
        """Half and block of the scales of one beat of channels."""
        half = self._turn(None)
        return half, self.constants.load("scale", half, self._scales(scale, 1))

    def _turn(self, chunk: Chunk | None) -> int:
        """The half that was not used last, which then holds a chunk."""
        self._half ^= 1
        self._held[self._half] = chunk
        return self._half

    def _missing(self, half: int, chunk: Chunk) -> tuple[Load, ...]:
        """Blocks of a chunk that a half does not hold."""
        return tuple(replace(load, index=half) for load in chunk.loads)

    def chunks(self, filters: Filters) -> Iterator[Chunk]:
        """Filters of a layer, in groups.

        Raises
        ------
        InputError
            One fold of filters does not fit, or a weight has no code.
        """
        cols, carries = self.shape.ofmap_lanes, self.arch.array.machine_carries
        matrix, copies = self._copied(filters)
        folds, loops = range(0, len(matrix), cols), ((copies, 0), *filters.loops)
        words = [self._words(filters.name, matrix[fold : fold + cols]) for fold in folds]
        first = 0
        while first < len(words):
            if words[first] > self.memory.weight_depth and carries:
                part = matrix[first * cols : (first + 1) * cols]
                yield from self._pieces(filters, first, part, loops)
                first += 1
                continue
            m_folds = self._fit(filters.name, words[first:], filters.together, first)
            part = matrix[first * cols : (first + m_folds) * cols]
            yield self._chunk(filters, first, part, loops)
            first += m_folds

    def _words_whole(self, filters: Filters) -> Ints:
        """Filters up to a whole word of results that stay.

        An array that skips zeros would take cycles for what is left of others in the lanes beyond
        the last channel.
        """
        shape = self.shape
        return filters.padded(shape.word_lanes if filters.results == 1 else shape.ofmap_lanes)

    def _copied(self, filters: Filters) -> tuple[Ints, int]:
        """Whole folds of filters, the copies of each beat side by side; and how many there are."""
        arch, cols, lanes = self.arch, self.shape.ofmap_lanes, self.shape.act_lanes
        parts = array_model(arch).spread(arch, filters.padded(cols))
        _, rows, k = parts.shape
        copies = max(len(parts), -(-filters.results * arch.array.block // k))
        parts = np.pad(parts, ((0, copies - len(parts)), (0, 0), (0, 0)))
        beats = parts.reshape(copies, rows, k // lanes, lanes).transpose(1, 2, 0, 3)
        return beats.reshape(rows, -1), copies

    def _pieces(self, filters: Filters, first: int, weight: Ints, loops: Loops) -> Iterator[Chunk]:
        """A fold of filters in parts of K, of which each fits a half."""
        return self._of_parts(filters, first, weight, self._parts(filters.name, weight, loops))

    def _of_parts(
        self, filters: Filters, first: int, weight: Ints, parts: Sequence[Part]
    ) -> Iterator[Chunk]:
        """The same filters in parts of K."""
        chunks = [self._chunk(filters, first, part.of(weight), part.loops) for part in parts]
        return self._linked(chunks, [part.offset for part in parts])

    def _linked(self, chunks: Sequence[C], offsets: Iterable[int]) -> Iterator[C]:
        """Parts of K of the same filters: sums stay from one to the next, the last has scales."""
        if len(chunks) == 1:
            yield from chunks
            return
        per_row, pixels, rows = self.arch.array.machine_rows
        pixels *= rows // -(-chunks[0].m_folds // per_row)
        for index, (chunk, offset) in enumerate(zip(chunks, offsets, strict=True)):
            keep = index < len(chunks) - 1
            loads = tuple(load for load in chunk.loads if not keep or load.target != "scale")
            yield replace(
                chunk, offset=offset, carry=index > 0, keep=keep, pixels=pixels, loads=loads
            )

    def _parts(self, name: str, weight: Ints, loops: Loops) -> list[Part]:
        """Parts of K of a fold of filters.

        They are of equal beats, and so small that the one with the most words fits.
        """
        lanes, limit = self.shape.act_lanes, self.memory.weight_depth
        need, most = self._need(name, weight), weight.shape[1] // lanes
        while True:
            most = max(1, min(most - 1, most * limit // need))
            parts = cut(loops, most, lanes)
            need = max(self._need(name, part.of(weight)) for part in parts)
            if need <= limit or most == 1:
                # or refused, with what one beat needs
                self._fit(name, [need], 1)
                return parts

    def _chunk(self, filters: Filters, first: int, weight: Ints, loops: Loops) -> Chunk:
        """Folds of filters from ``first`` on, with their weights as they are sent."""
        arch, cols = self.arch, self.shape.ofmap_lanes
        m_folds = len(weight) // cols
        of_part = filters.scale.part(first * cols, len(weight))
        loads = (
            self._pack(filters.name, weight),
            self.constants.load("scale", 0, self._scales(of_part, m_folds)),
        )
        k_folds = weight.shape[1] // self.shape.act_lanes
        takes = arch.array.skips_acts and not arch.array.holds_halves
        words = loads[0].words if takes else 0
        return Chunk(first, m_folds, k_folds, tuple(loops), self._counts(weight), loads, words)

    def _pack(self, name: str, weight: Ints) -> Load:
        """Block of weights as they are sent."""
        content = hashlib.sha256(np.ascontiguousarray(weight).data)
        content.update(repr((weight.shape, weight.dtype)).encode())
        key = content.digest()
        if key not in self._packed:
            arch = self.arch
            widths = arch.array.weight_fields(arch.numbers)
            fields = [
                (values.reshape(len(values), -1), widths[field])
                for field, values in array_model(arch).weight_words(arch, weight, name).items()
            ]
            words = to_bytes(fields, self.shape.weight_word)
            self._packed[key] = self.constants.load("weight", 0, words)
        return self._packed[key]

    def _counts(self, weight: Ints) -> Callable[..., Counts]:
        """Counts of the array, of what a job says."""
        model = array_model(self.arch)
        if self.arch.array.skips_acts:
            return partial(model.count_fed, self.arch, weight)
        whole = cache(partial(model.count_whole, self.arch, weight))
        return lambda pixels, _: whole(pixels)

    def _words(self, name: str, weight: Ints) -> int:
        """Words of the weight memory that filters take."""
        if self.arch.array.counts_shapes:
            beats: int = len(weight) // self.shape.ofmap_lanes * weight.shape[1]
            return beats // self.arch.array.block
        words = array_model(self.arch).weight_words(self.arch, weight, name)
        return len(next(iter(words.values())))

    def _need(self, name: str, weight: Ints) -> int:
        """Words of a half that filters stand for."""
        return self._words(name, weight)

    def _fit(self, name: str, words: Sequence[int], together: int, first: int = 0) -> int:
        """Folds from ``first`` on that fit a half: as many as the words of each by itself allow."""
        limit = self.memory.weight_depth
        most = min(bisect_right(list(accumulate(words)), limit), self.memory.scale_depth)
        if most == 0:
            rule = f"must be at most memory.weight_depth, {limit}: words of the first filters"
            raise InputError(self.arch.name, name, words[0], rule)
        if first % together:
            return min(most, together - first % together)
        return most - most % together if together <= most < len(words) else most

    def _list(self, entries: NDArray[np.integer]) -> Load:
        """Block of a list: ``(folds, lanes)``."""
        words = to_bytes([(entries, self.shape.list_entry)], self.shape.list_word)
        return self.constants.load("list", 0, words)

    def _scales(self, scale: Scale, words: int) -> NDArray[np.uint8]:
        """Words of the scale memory; channels beyond the last are 0."""
        lanes = self.shape.ofmap_lanes
        columns = []
        for values in (scale.bias, scale.multiplier, scale.shift):
            padded = np.zeros(words * lanes, np.int64)
            padded[: len(values)] = values
            columns.append(padded.reshape(words, lanes))
        widths = (self.shape.psum_width, MULTIPLIER_BITS, SHIFT_BITS)
        fields = [
            (column[:, lane : lane + 1], width)
            for lane in range(lanes)
            for column, width in zip(columns, widths, strict=True)
        ]
        return to_bytes(fields, self.shape.scale_word)


def cuts(loops: Loops, lanes: int) -> Iterator[list[Part]]:
    """Ways to cut K: whole, in two parts, ..., in single beats of ``lanes``."""
    beats = prod(bound for bound, _ in loops)
    for count in range(1, beats + 1):
        yield cut(loops, -(-beats // count), lanes)


def cut(loops: Loops, most: int, lanes: int) -> list[Part]:
    """Cut K into parts of at most ``most`` beats of ``lanes``."""
    parts, begin = [], 0
    for offset, some in cut_loops(loops, most):
        end = begin + prod(bound for bound, _ in some) * lanes
        parts.append(Part(offset, some, range(begin, end)))
        begin = end
    return parts


def cut_loops(loops: Loops, most: int) -> Iterator[tuple[int, Loops]]:
    """Cut a nest into nests of at most ``most`` positions, each with its first position."""
    *inner, (bound, stride) = loops
    size = prod(length for length, _ in inner)
    if bound * size <= most:
        yield 0, tuple(loops)
    elif size > most:
        for index in range(bound):
            for offset, some in cut_loops(inner, most):
                yield index * stride + offset, (*some, (1, stride))
    else:
        each = -(-bound // -(-bound // (most // size)))
        for index in range(0, bound, each):
            yield index * stride, (*inner, (min(each, bound - index), stride))
