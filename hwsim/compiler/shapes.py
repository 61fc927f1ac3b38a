"""Weights of which only the shape is known: enough where no count depends on their values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.compiler.layout import Map, Unrolled
from hwsim.compiler.operands import is_depthwise
from hwsim.compiler.weights import Chunk, Filters, Ints, Loops, Scale, Weights
from hwsim.config import ArchConfig, LayerShape
from hwsim.config.shape import MachineShape

__all__ = ["ShapeWeights", "shape_operands", "suffices"]


def suffices(arch: ArchConfig) -> bool:
    """Whether cycles and words of a design depend on the shapes of weights alone."""
    return arch.array.counts_shapes and not MachineShape.of(arch).gathers


def shape_operands(
    arch: ArchConfig, shape: LayerShape, source: Map | Unrolled
) -> tuple[NDArray[np.integer], Scale]:
    """Weights and scales as those of :func:`hwsim.compiler.operands.operands`: zeros."""
    if isinstance(source, Unrolled):
        k = len(source.taps())
    elif is_depthwise(arch, shape):
        k = shape.R * shape.S * MachineShape.of(arch).act_lanes
    else:
        k = shape.R * shape.S * len(source.whole.blocks) * source.lanes
    zeros = np.zeros(shape.ofmap.channels, np.int64)
    return _zeros(shape.ofmap.channels, k), Scale.of(zeros, 1, 0)


class ShapeWeights(Weights):
    """Groups of filters as those of weights without zeros, in blocks without contents."""

    def _copied(self, filters: Filters) -> tuple[Ints, int]:
        rows, k = filters.matrix.shape
        cols, block = self.shape.ofmap_lanes, self.arch.array.block
        copies = max(1, -(-filters.results * block // k))
        return _zeros(-(-rows // cols) * cols, k * copies), copies

    def _chunk(self, filters: Filters, first: int, weight: Ints, loops: Loops) -> Chunk:
        m_folds = len(weight) // self.shape.ofmap_lanes
        loads = (
            self.constants.room(
                "weight", self._words(filters.name, weight), self.shape.weight_word // 8
            ),
            self.constants.room("scale", m_folds, self.shape.scale_word // 8),
        )
        k_folds = weight.shape[1] // self.shape.act_lanes
        return Chunk(first, m_folds, k_folds, tuple(loops), self._counts(weight), loads)


def _zeros(rows: int, columns: int) -> NDArray[np.integer]:
    """Zeros without memory of their own."""
    return np.broadcast_to(np.int8(0), (rows, columns))
