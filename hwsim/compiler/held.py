"""Weights of an array whose PEs hold all filters of a tile, and take a pixel after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from hwsim.accelerator.tile import Nest
from hwsim.arrays.base import array_model
from hwsim.compiler.weights import Chunk, Filters, Ints, Loops, Part, Weights, cuts
from hwsim.errors import InputError

__all__ = ["HeldWeights"]

#: Words of weights that a descriptor can say.
MOST_WORDS = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class HeldChunk(Chunk):
    """Filters that PEs hold together."""

    def feed(self, start: int, pixels: Loops, folds: Loops) -> Nest:
        """Beats of a job: all of K of a pixel, then the next one, once for all filters."""
        return Nest.of(start + self.offset, *self.loops, *pixels)

    def post(self, start: int, pixels: Loops, step: int) -> Nest:
        """Results of a job: all filters of a pixel, then the next one."""
        return Nest.loops(start, (self.m_folds, step), *pixels)


class HeldWeights(Weights):
    """Weights and scales of a program; a command says how many words of weights it takes."""

    def chunks(self, filters: Filters) -> Iterator[Chunk]:
        """Filters of a layer, in groups that the PEs and a half hold; of cut K, its parts."""
        cols, first, matrix = self.shape.ofmap_lanes, 0, self._words_whole(filters)
        count, parts = array_model(self.arch).count_fed, self._cut(filters, matrix)
        while first * cols < len(matrix):
            rest = matrix[first * cols :]
            m_folds = min(self._most(filters.name, part.of(rest)) for part in parts)
            some = rest[: m_folds * cols]
            chunks = self._of_parts(filters, first, some, parts)
            for chunk, part in zip(chunks, parts, strict=True):
                counts = partial(count, self.arch, part.of(some), keep=chunk.keep)
                yield HeldChunk(**vars(replace(chunk, counts=counts)))
            first += m_folds

    def _cut(self, filters: Filters, matrix: Ints) -> Sequence[Part]:
        """K in as few parts as let all PEs have a filter; else one fold of filters.

        Where K is not cut, few PEs may have one: that takes more cycles than weights which are
        loaded again.
        """
        array, cols, lanes = self.arch.array, self.shape.ofmap_lanes, self.shape.act_lanes
        model, limit = array_model(self.arch), min(self.memory.weight_depth, MOST_WORDS)

        def held(folds: int, limit: int) -> Sequence[Part] | None:
            for parts in cuts(filters.loops, lanes):
                if model.holds(self.arch, matrix, folds * cols, [part.k for part in parts], limit):
                    return parts
            return None

        if array.machine_carries:
            per_row, *_ = array.machine_rows
            for folds in (min(per_row, len(matrix) // cols), 1):
                if found := held(folds, limit):
                    return found
            more = limit
            while (more := 2 * more) <= MOST_WORDS:
                if held(1, more):
                    rule = f"must be at least {more}: {filters.name} has parts of K in its words"
                    raise InputError(self.arch.name, "memory.weight_depth", limit, rule)
        return next(cuts(filters.loops, lanes))

    def _most(self, name: str, matrix: Ints) -> int:
        """Folds of filters that fit the memories of PEs and a half."""
        cols, model = self.shape.ofmap_lanes, array_model(self.arch)
        limit = min(self.memory.weight_depth, MOST_WORDS)

        def need(m_folds: int) -> int:
            return model.held_words(self.arch, matrix[: m_folds * cols], name)

        folds = min(len(matrix) // cols, self.memory.scale_depth)
        # or refused, with what the first filters need
        return bisect_right(range(1, folds + 1), limit, key=need) or self._fit(name, [need(1)], 1)
