"""Weights of an array whose PEs hold all filters of a tile, and take a pixel after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from hwsim.accelerator.tile import Nest
from hwsim.arrays.base import array_model
from hwsim.compiler.weights import Chunk, Filters, Ints, Loops, Weights

__all__ = ["HeldWeights"]

#: Words of weights that a descriptor can say.
MOST_WORDS = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class HeldChunk(Chunk):
    """Filters that PEs hold together."""

    def feed(self, start: int, pixels: Loops, folds: Loops) -> Nest:
        """Beats of a job: all of K of a pixel, then the next one, once for all filters."""
        return Nest.of(start, *self.loops, *pixels)

    def post(self, start: int, pixels: Loops, step: int) -> Nest:
        """Results of a job: all filters of a pixel, then the next one."""
        return Nest.loops(start, (self.m_folds, step), *pixels)


class HeldWeights(Weights):
    """Weights and scales of a program; a command says how many words of weights it takes."""

    def chunks(self, filters: Filters) -> Iterator[Chunk]:
        """Filters of a layer, in groups that the PEs and a half hold."""
        cols, first, matrix = self.shape.ofmap_lanes, 0, self._words_whole(filters)
        while first * cols < len(matrix):
            rest = matrix[first * cols :]
            m_folds = self._most(filters.name, rest)
            chunk = self._chunk(filters, first, rest[: m_folds * cols], filters.loops)
            (weights, *_) = chunk.loads
            yield HeldChunk(**vars(chunk) | {"weight_words": weights.words})
            first += m_folds

    def _most(self, name: str, matrix: Ints) -> int:
        """Folds of filters that fit the memories of PEs and a half."""
        cols, model = self.shape.ofmap_lanes, array_model(self.arch)
        limit = min(self.memory.weight_depth, MOST_WORDS)

        def need(m_folds: int) -> int:
            return model.held_words(self.arch, matrix[: m_folds * cols], name)

        folds = min(len(matrix) // cols, self.memory.scale_depth)
        # or refused, with what the first filters need
        return bisect_right(range(1, folds + 1), limit, key=need) or self._fit(name, [need(1)], 1)
