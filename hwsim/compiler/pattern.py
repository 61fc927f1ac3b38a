"""Kernel patterns in a machine: which kernels a row of PEs holds, in which fold, and of which word.

Rows take channels by their lane (channel modulo rows), so each group of filters has a list of its
own: removed kernels are not computed. Kernels that fit a library read windows; every other layer is
a matrix product, whose K indices come by fours from one lane of the beats of a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import Constants
from hwsim.accelerator.tile import ArrayJob, Nest, Tile
from hwsim.arrays.counts import Counts
from hwsim.arrays.pattern.array import Timing, count_job
from hwsim.arrays.pattern.tiles import Tile as Patch
from hwsim.arrays.pattern.tiles import tiles
from hwsim.checkpoints.checkpoint import LayerWeights
from hwsim.compiler.bits import to_bytes
from hwsim.compiler.grid import Cut
from hwsim.compiler.jobs import turns
from hwsim.compiler.layout import Map
from hwsim.compiler.weights import Chunk, Filters, Ints, ListedChunk, Loops, Scale, Weights
from hwsim.config import ArchConfig, LayerShape, PatternConfig
from hwsim.contract.machine import PATTERN_OPTIONS
from hwsim.errors import InputError
from hwsim.formats.operands import weight_codes
from hwsim.formats.pattern import TAPS, kernels_of, library_of, masks_of
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import conv_of
from hwsim.workload.lowering import lower_weight

__all__ = ["PatternWeights", "options"]


def options(**fields: int) -> int:
    """Bits of ``command_1`` above the pixels; what is not named is 0."""
    found = 0
    for name, value in fields.items():
        found |= value << PATTERN_OPTIONS[name][0]
    return found


@dataclass(frozen=True, eq=False)
class PatternChunk(ListedChunk):
    """Groups of filters; one list has the words that the rows take for all of them."""

    def feed(self, start: int, pixels: Loops, folds: Loops) -> Nest:
        """Beats of a job: of each word of the list the pixels."""
        return super().feed(start, pixels, ())


@dataclass(frozen=True)
class _Units:
    """What rows can take in a fold: kernels of one channel, or four K indices.

    Attributes
    ----------
    ids, values
        ``(M, units)`` and ``(M, units, 4)``: of each filter; values are 0 where it has none.
    rows, entries
        ``(units,)``: the row that each must be on, and the beat that the row then reads.
    library
        ``(patterns, 4)``.
    """

    ids: Ints
    values: Ints
    rows: Ints
    entries: Ints
    library: NDArray[np.int64]


class PatternWeights(Weights):
    """Weights, scales and lists of a program for a pattern array.

    Before its weights, each half has the library of the layer, an entry per word.
    """

    def __init__(self, arch: ArchConfig, constants: Constants) -> None:
        super().__init__(arch, constants)
        self.array = arch.array_as(PatternConfig)
        self._libraries: dict[str, NDArray[np.int64] | None] = {}
        self._chunks: dict[str, list[PatternChunk]] = {}

    def chunks(self, filters: Filters) -> Iterator[Chunk]:
        """Filters of a matrix product, in groups; see :meth:`Weights.chunks`."""
        rows, matrix = self.array.rows, filters.matrix
        # of a word the lanes of a row: one in each of its four beats
        values = matrix.reshape(len(matrix), -1, TAPS, rows).transpose(0, 1, 3, 2)
        words = values.shape[1]
        units = _Units(
            np.zeros((len(matrix), words * rows), np.int64),
            values.reshape(len(matrix), words * rows, TAPS),
            np.tile(np.arange(rows), words),
            Nest.of(0, *filters.loops).positions()[::TAPS].repeat(rows),
            np.arange(TAPS)[None],
        )
        yield from self._cut(filters.name, units, filters.scale, None, filters.results)

    def windows(
        self, shape: LayerShape, weights: LayerWeights, source: Map, target: Map, part: Cut
    ) -> list[Tile] | None:
        """Tiles of a layer whose kernels fit a library, and its geometry the window unit."""
        library, name = self._library(shape, weights), shape.layer.name
        if library is None:
            return None
        patches = tiles(self.array, _gemm(shape), part.rows, part.columns)
        if name not in self._chunks:
            timings = Counter(patch.timing() for patch in patches)
            self._chunks[name] = list(self._windows(shape, weights, library, timings))
        return [
            self._tile(shape, chunk, patch, source, target)
            for chunk, patch in turns(self._chunks[name], lambda _: patches)
        ]

    def _windows(
        self,
        shape: LayerShape,
        weights: LayerWeights,
        library: NDArray[np.int64],
        timings: Counter[Timing],
    ) -> Iterator[PatternChunk]:
        """Filters of a layer that reads windows, in groups: the same for all of its parts."""
        (matrix,) = lower_weight(shape, weights.weight)
        ids, values = kernels_of(matrix, masks_of(matrix, shape.C), library, shape.C)
        rows, lanes = self.array.rows, self.shape.word_lanes
        block, lane = np.divmod(np.arange(shape.C), lanes)
        entries = block * self.shape.feed_beats + lane // rows
        units = _Units(np.maximum(ids, 0), values, lane % rows, entries, library)
        scale = Scale.of(weights.bias, weights.multiplier, weights.shift)
        yield from self._cut(shape.layer.name, units, scale, timings, 1)

    def _tile(
        self, shape: LayerShape, chunk: Chunk, patch: Patch, source: Map, target: Map
    ) -> Tile:
        """Tile of one patch."""
        feed, post = self.shape.feed_beats, self.shape.post_beats
        pixels = (
            (patch.patch_width, source.blocks * feed), (patch.patch_height, source.row * feed),
        )  # fmt: skip
        feeding = chunk.feed(source.pixel(patch.y, patch.x) * feed, pixels, ())
        first = target.pixel(patch.p, patch.q) - target.part.blocks.start
        loops = ((patch.width, target.blocks * post), (patch.height, target.row * post))
        posting = chunk.post(first * post + chunk.first, loops, 1)
        edges = (patch.top, patch.bottom, patch.left, patch.right)
        counts = count_job(self.arch, patch.timing(), chunk.k_folds, chunk.m_folds)
        half, loads = self.bring(chunk)
        job = ArrayJob(
            source.bank, target.bank, half, feeding, posting, relu=shape.layer.relu,
            weight_half=half, k_folds=chunk.k_folds, m_folds=chunk.m_folds,
            pixels=patch.pixels,
            options=options(
                stride=patch.stride - 1, edges=sum(edge << i for i, edge in enumerate(edges))
            ),
            carry=chunk.carry, keep=chunk.keep, cycles=counts.cycles,
            act_beats=counts.events["act_beats"],
        )  # fmt: skip
        return Tile(loads, job, layer=shape.layer.name)

    def _library(self, shape: LayerShape, weights: LayerWeights) -> NDArray[np.int64] | None:
        """Library of a layer that reads windows."""
        name = shape.layer.name
        if name not in self._libraries:
            self._libraries[name] = None
            if shape.layer.G == 1 and _gemm(shape).channels:
                (matrix,) = lower_weight(shape, weights.weight)
                masks = masks_of(matrix, shape.C)
                if max(map(int.bit_count, masks.reshape(-1).tolist())) <= TAPS:
                    try:
                        found = library_of(masks, self.array, shape.C, name)
                    except InputError:
                        found = None
                    self._libraries[name] = found
        return self._libraries[name]

    # cutting

    def _cut(
        self,
        name: str,
        units: _Units,
        scale: Scale,
        timings: Counter[Timing] | None,
        results: int,
    ) -> Iterator[PatternChunk]:
        """Groups of filters that are loaded together; without timings as many as fit."""
        cols, rows = self.shape.ofmap_lanes, self.array.rows
        least = -(-results // rows)
        filters = len(units.values)
        used: list[NDArray[np.bool_]] = [
            np.any(units.values[first : first + cols] != 0, axis=(0, 2))
            for first in range(0, filters, cols)
        ]
        folds = [
            max(least, int(np.bincount(units.rows[group], minlength=rows).max())) for group in used
        ]
        for first, stop in self._runs(name, folds, timings):
            chosen = self._chosen(units, used[first:stop], max(folds[first:stop]))
            parts = self._parts_of(stop - first, chosen.shape[1])
            chunks = [
                self._chunk_of(name, units, scale, first, some)
                for some in np.split(chosen, np.cumsum(parts)[:-1], axis=1)
            ]
            yield from self._linked(chunks, [0] * len(chunks))

    def _runs(
        self, name: str, folds: Sequence[int], timings: Counter[Timing] | None
    ) -> list[tuple[int, int]]:
        """Cut groups, which need so many folds each, into runs that fit: the fewest cycles.

        All groups of a run take as many folds as the one that needs most. Without timings, cycles
        are those of one pixel.
        """
        ends = [0] * (len(folds) + 1)
        best = [0.0] + [float("inf")] * len(folds)
        for stop in range(1, len(folds) + 1):
            most = 0
            for first in reversed(range(stop)):
                most = max(most, folds[first])
                groups = stop - first
                parts = self._parts_of(groups, most)
                words = self.array.patterns + groups * max(parts) * self.array.rows
                if groups > self.memory.scale_depth or words > self.memory.weight_depth:
                    if groups == 1:
                        # refused, with what these filters need
                        self._fit(name, [words], 1)
                    break
                cost = best[first] + sum(self._cost(part, groups, timings) for part in parts)
                if cost < best[stop]:
                    best[stop], ends[stop] = cost, first
        runs, stop = [], len(folds)
        while stop:
            runs.append((ends[stop], stop))
            stop = ends[stop]
        return runs[::-1]

    def _parts_of(self, groups: int, k_folds: int) -> list[int]:
        """Folds of each job: of one, or of as few as hold the folds of a group that is cut."""
        most = (self.memory.weight_depth - self.array.patterns) // self.array.rows
        if groups > 1 or not self.array.carries or most < 1:
            return [k_folds]
        jobs = -(-k_folds // most)
        return [len(part) for part in np.array_split(np.arange(k_folds), jobs)]

    def _cost(self, k_folds: int, m_folds: int, timings: Counter[Timing] | None) -> int:
        """Cycles of the array for a run of groups on all tiles."""
        alike = timings or {_direct(1): 1}
        return sum(
            times * count_job(self.arch, timing, k_folds, m_folds).cycles
            for timing, times in alike.items()
        )

    def _chosen(
        self, units: _Units, used: Sequence[NDArray[np.bool_]], k_folds: int
    ) -> NDArray[np.int64]:
        """Unit of each row in each fold of each group; one behind the last is none."""
        rows = self.array.rows
        chosen: NDArray[np.int64] = np.full((len(used), k_folds, rows), len(units.rows))
        for group, of_group in enumerate(used):
            for row in range(rows):
                (of_row,) = (of_group & (units.rows == row)).nonzero()
                chosen[group, : len(of_row), row] = of_row
        return chosen

    def _chunk_of(
        self,
        name: str,
        units: _Units,
        scale: Scale,
        first: int,
        chosen: NDArray[np.int64],
    ) -> PatternChunk:
        """Groups from ``first`` on, of which rows take the units ``chosen`` in each fold."""
        cols, numbers = self.shape.ofmap_lanes, self.arch.numbers
        groups, k_folds, rows = chosen.shape
        none = len(units.rows)
        part = slice(first * cols, (first + groups) * cols)
        shape = (groups, cols)
        missing = groups * cols - len(units.values[part])
        values = np.pad(units.values[part], ((0, missing), (0, 1), (0, 0)))
        ids = np.pad(units.ids[part], ((0, missing), (0, 1)))
        each = np.arange(groups)[:, None, None]
        # (group, fold, row, column): the bottom row first
        order = chosen[:, :, ::-1]
        kernels = values.reshape(*shape, none + 1, TAPS).swapaxes(1, 2)[each, order]
        kinds = ids.reshape(*shape, none + 1).swapaxes(1, 2)[each, order]
        widths = self.array.weight_fields(numbers)
        codes = weight_codes(name, kernels.reshape(-1, cols * TAPS), numbers)
        fields = [(codes, widths["weight"]), (kinds.reshape(-1, cols), widths["pattern"])]
        library = np.zeros((self.array.patterns, TAPS), np.int64)
        library[: len(units.library)] = units.library
        word = self.shape.weight_word
        block = np.concatenate([to_bytes([(library, 4)], word), to_bytes(fields, word)])
        entries = np.append(units.entries, 0)[chosen].reshape(-1, rows)
        of_part = scale.part(first * cols, groups * cols)
        loads = (
            self.constants.load("weight", 0, block),
            self.constants.load("scale", 0, self._scales(of_part, groups)),
            self._list(entries),
        )

        @cache
        def counts(pixels: int, _: object) -> Counts:
            return count_job(self.arch, _direct(pixels), k_folds, groups)

        return PatternChunk(
            first, groups, k_folds, ((k_folds * groups, 0),), counts, loads,
            options=options(direct=1, edges=15), reach=int(entries.max(initial=0)),
        )  # fmt: skip


def _gemm(shape: LayerShape) -> GEMM:
    """Geometry of one image of a layer."""
    return GEMM(shape.M, shape.K, shape.pixels, conv=conv_of(shape, 1))


def _direct(pixels: int) -> Timing:
    """Timing of a tile whose beats are windows."""
    return pixels, pixels, 0, pixels - 1
