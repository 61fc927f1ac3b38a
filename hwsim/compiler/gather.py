"""Weights whose removed columns are not computed: each lane of a beat is of a word of its own.

A column of K that is zero in all filters of a chunk is left out; chunks are cut where that leaves
out more, as of block-punched weights. What is left of lane r's columns
goes to lane r of one fold after the other; a list says for each fold and lane which beat that is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import Constants
from hwsim.accelerator.tile import Load, Nest
from hwsim.compiler.groups import GroupedWeights
from hwsim.compiler.held import HeldWeights
from hwsim.compiler.pattern import PatternWeights
from hwsim.compiler.slim import PAYS
from hwsim.compiler.weights import Chunk, Filters, Ints, ListedChunk, Weights
from hwsim.config import ArchConfig, PatternConfig
from hwsim.config.shape import MachineShape

__all__ = ["GatheredWeights", "gather", "weights_of"]


class GatheredWeights(Weights):
    """Weights and scales of a program, and the lists of its beats.

    Filters that leave out the same columns, in halves of their own, find the list already there.
    """

    def __init__(self, arch: ArchConfig, constants: Constants) -> None:
        super().__init__(arch, constants)
        self._lists: dict[int, Load] = {}

    def chunks(self, filters: Filters) -> Iterator[Chunk]:
        """Filters of a layer, in groups; see :meth:`Weights.chunks`."""
        cols, lanes = self.shape.ofmap_lanes, self.shape.act_lanes
        matrix, least = filters.padded(cols), -(-filters.results // lanes)
        offsets = Nest.of(0, *filters.loops).positions()
        first, folds = 0, len(matrix) // cols
        while first < folds:
            rest = matrix[first * cols :]
            fit = self._most(filters, rest, least)
            m_folds = self._alike(filters, rest, least, fit) if fit else 1
            weight, kept = gather(rest[: m_folds * cols], lanes, least)
            operands = filters, first, weight, ((len(kept), 0),)
            for chunk in [self._chunk(*operands)] if fit else self._pieces(*operands):
                part, kept = np.split(kept, [chunk.k_folds])
                entries = np.where(part < 0, 0, offsets[part])
                loads = (*chunk.loads, self._list(entries))
                reach = int(entries.max(initial=0))
                yield ListedChunk(**vars(replace(chunk, loads=loads)), reach=reach)
            first += m_folds

    def _alike(self, filters: Filters, matrix: Ints, least: int, m_folds: int) -> int:
        """The folds that share a list: all that fit, or few, where lists of their own pay."""
        cols, lanes = self.shape.ofmap_lanes, self.shape.act_lanes

        def words(start: int, stop: int) -> int:
            weight, _ = gather(matrix[start * cols : stop * cols], lanes, least)
            return (stop - start) * int(weight.shape[1])

        few = filters.together
        cuts = [(first, min(first + few, m_folds)) for first in range(0, m_folds, few)]
        apart = sum(words(*each) for each in cuts)
        return few if apart < PAYS * words(0, m_folds) else m_folds

    def _missing(self, half: int, chunk: Chunk) -> tuple[Load, ...]:
        """Blocks of a chunk that a half does not hold; its list may be there."""
        *loads, entries = super()._missing(half, chunk)
        if self._lists.get(half) != entries:
            loads.append(entries)
        self._lists[half] = entries
        return tuple(loads)

    def _most(self, filters: Filters, matrix: Ints, least: int) -> int:
        """Folds of filters whose weights and list fit their halves; 0 where K must be cut."""
        cols, lanes = self.shape.ofmap_lanes, self.shape.act_lanes

        def need(m_folds: int) -> int:
            weight, _ = gather(matrix[: m_folds * cols], lanes, least)
            return self._need(filters.name, weight)

        limit = self.memory.weight_depth
        if self.arch.array.machine_carries and need(1) > limit:
            return 0
        folds = min(len(matrix) // cols, self.memory.scale_depth)
        most = bisect_right(range(1, folds + 1), limit, key=need)
        if most < len(matrix) // cols:
            most -= most % filters.together
        # or refused, with what the first filters need
        return most or self._fit(filters.name, [need(filters.together)], 1)

    def _need(self, name: str, weight: Ints) -> int:
        """Words of weights, and what the list stands for: a beat's lanes for each of its words."""
        return max(self._words(name, weight), int(weight.shape[1]))


def weights_of(arch: ArchConfig, constants: Constants) -> Weights:
    """Weights of a program for a design."""
    if isinstance(arch.array, PatternConfig):
        return PatternWeights(arch, constants)
    if MachineShape.of(arch).gathers:
        return GatheredWeights(arch, constants)
    if arch.array.by_groups:
        return GroupedWeights(arch, constants)
    kind = HeldWeights if arch.array.pixel_by_pixel else Weights
    return kind(arch, constants)


def gather(weight: Ints, lanes: int, least: int = 1) -> tuple[Ints, NDArray[np.int64]]:
    """Leave out columns that are zero in all filters.

    Parameters
    ----------
    weight
        ``(M, K)``: K in whole beats.
    lanes
        Lanes of a beat; a column stays in its own.
    least
        Folds at least.

    Returns
    -------
    weight, kept
        ``(M, folds * lanes)``, zeros where a lane has no column in a fold, and of each fold and
        lane ``(folds, lanes)`` the beat that its column is of, or -1.
    """
    beats = weight.reshape(len(weight), -1, lanes)
    used: NDArray[np.bool_] = np.any(beats != 0, axis=0)
    folds = max(least, int(used.sum(axis=0).max()))
    kept = np.full((folds, lanes), -1, np.int64)
    for lane in range(lanes):
        (of_lane,) = used[:, lane].nonzero()
        kept[: len(of_lane), lane] = of_lane
    chosen = np.where(kept < 0, 0, beats[:, kept, np.arange(lanes)])
    return chosen.reshape(len(weight), -1), kept
