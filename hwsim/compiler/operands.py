"""Weights of a layer as matrices in the order in which the feeder gives activations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.compiler.layout import Map, Unrolled
from hwsim.compiler.weights import Scale
from hwsim.config import ArchConfig, LayerShape
from hwsim.config.shape import MachineShape
from hwsim.workload.lowering import lower_weight

__all__ = ["is_depthwise", "operands"]


def operands(
    arch: ArchConfig, shape: LayerShape, source: Map | Unrolled, checkpoint: Checkpoint
) -> tuple[NDArray[np.integer], Scale]:
    """Weights ``(filters, K)`` of a layer, and the scale of each filter.

    A depthwise layer's filters lie on the diagonals of beats; a layer in groups is a whole one with
    zeros.
    """
    weights = checkpoint.layers[shape.layer.name]
    scale = Scale.of(weights.bias, weights.multiplier, weights.shift)
    groups = lower_weight(shape, weights.weight)
    if isinstance(source, Unrolled):
        return _spread(groups[0], source.taps()), scale
    if is_depthwise(arch, shape):
        return _diagonal(groups, MachineShape.of(arch).act_lanes), scale
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


def is_depthwise(arch: ArchConfig, shape: LayerShape) -> bool:
    """Whether each filter has a channel of its own, and a beat holds those of a fold.

    An array that skips zeros, or has a list for each fold, takes such a layer as any in groups.
    """
    words, array = MachineShape.of(arch), arch.array
    one = shape.layer.G > 1 and shape.C == shape.M == 1
    fits = words.act_lanes % words.ofmap_lanes == 0 and array.word_beats == 1
    return one and fits and not array.skips_acts


def _diagonal(groups: Sequence[NDArray[np.integer]], lanes: int) -> NDArray[np.integer]:
    """Filters of one channel each: at each tap a beat, in which a filter has its own lane."""
    taps = groups[0].shape[1]
    full = np.zeros((len(groups), taps, lanes), np.int64)
    for channel, matrix in enumerate(groups):
        full[channel, :, channel % lanes] = matrix[0]
    return full.reshape(len(groups), -1)


def _spread(matrix: NDArray[np.integer], taps: NDArray[np.int64]) -> NDArray[np.integer]:
    """Columns of a matrix where the feeder has them; 0 where it has none."""
    return np.where(taps < 0, 0, matrix[:, taps])
