"""Filters that nobody reads are not computed: an equivalent network with fewer channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.config import LayerShape, NetworkConfig

__all__ = ["PAYS", "slim"]

#: Share of the columns of one list that lists of fewer filters may have: each is a job of its own.
PAYS = 0.9

#: Activations by the layer that reads them.
Acts = Mapping[str, NDArray[np.integer]]
#: Layers that give a channel of each that they read.
_POOLS = ("maxpool", "avgpool", "globalavgpool")


def slim(
    network: NetworkConfig, checkpoint: Checkpoint, acts: Acts, lanes: int = 1, fold: int = 0
) -> tuple[NetworkConfig, Checkpoint, Acts]:
    """Remove the filters of each layer for whose channel no layer that reads it has a weight.

    The last layer's stay, and those that are read by a layer in groups, a sum or a join. Whole
    filters that pruning removed are such, where it also removed their channels.

    Parameters
    ----------
    acts
        What layers read, ``(images, C, H, W)``.
    lanes
        Lanes that channels lie in by turns: filters are put into an order in which each lane has
        as many columns of the layers that read it.
    fold
        Filters that share a list of columns, if any do. Where lists of so many, as they are
        numbered, leave out much more than one for the layer, only they change places.

    Returns
    -------
    network, checkpoint, acts
        With the same results for every input.
    """
    shapes, layers, acts = network.shapes(), dict(checkpoint.layers), dict(acts)
    filters = {}
    # backwards: a filter that is removed reads nothing
    for number, shape in reversed(list(enumerate(shapes))):
        readers = _readers(shapes, number)
        if not shape.has_weights or shape.layer.G > 1 or not readers:
            continue
        channels = shape.ofmap.channels
        columns = np.zeros(channels, np.int64)
        for name in readers:
            weight = layers[name].weight
            columns += weight.reshape(len(weight), channels, -1).any(axis=0).sum(axis=1)
        if not columns.any():
            columns[0] = 1
        weight = layers[shape.layer.name].weight
        size = fold if fold and _has_lists(weight, fold) else channels
        kept = _balanced(columns, lanes, size)
        filters[shape.layer.name] = len(kept)
        layers[shape.layer.name] = _filters(layers[shape.layer.name], kept)
        for name in readers:
            weight = layers[name].weight
            left = weight.reshape(len(weight), channels, -1)[:, kept]
            layers[name] = replace(
                layers[name], weight=left.reshape(len(weight), -1, *weight.shape[2:])
            )
            if name in acts:
                acts[name] = acts[name][:, kept]
    slimmer = [
        layer.model_copy(update={"M": filters.get(layer.name, layer.M)}) for layer in network.layers
    ]
    return (
        network.model_copy(update={"layers": tuple(slimmer)}),
        replace(checkpoint, layers=layers),
        acts,
    )


def _readers(shapes: Sequence[LayerShape], number: int) -> list[str]:
    """Layers with weights that read a layer's channels; none where another kind does."""
    found: list[str] = []
    name = shapes[number].layer.name
    for index, shape in enumerate(shapes):
        layer = shape.layer
        if name not in (layer.inputs or ([shapes[index - 1].layer.name] if index else [])):
            continue
        readers = [layer.name]
        if layer.type in _POOLS:
            readers = _readers(shapes, index)
        elif not shape.has_weights or layer.G > 1:
            readers = []
        if not readers:
            return []
        found += readers
    return found


def _has_lists(weight: NDArray[np.integer], fold: int) -> bool:
    """Whether filters, ``fold`` after ``fold``, pay for lists of their own.

    Against one list for those that have a weight, which would follow each other.
    """
    used = weight.reshape(len(weight), -1) != 0
    starts = range(0, len(used), fold)
    apart = sum(int(used[start : start + fold].any(axis=0).sum()) for start in starts)
    folds = -(-int(used.any(axis=1).sum()) // fold)
    return apart < PAYS * folds * int(used.any(axis=0).sum())


def _balanced(columns: NDArray[np.int64], lanes: int, size: int) -> NDArray[np.int64]:
    """Channels that have columns, in an order that gives each lane as many: the largest first.

    They stay within ``size`` that follow each other; of these all stay if one does.
    """
    if size >= len(columns):
        (kept,) = columns.nonzero()
        return _spread(kept, columns, lanes, [0] * lanes)
    loads, order = [0] * lanes, []
    for start in range(0, len(columns), size):
        block = np.arange(start, min(start + size, len(columns)))
        if columns[block].any():
            order.append(_spread(block, columns, lanes, loads))
    return np.concatenate(order)


def _spread(
    kept: NDArray[np.int64], columns: NDArray[np.int64], lanes: int, loads: list[int]
) -> NDArray[np.int64]:
    """Order of channels; ``loads`` are the columns that each lane has, before and after."""
    if lanes == 1:
        return kept
    order = np.zeros(len(kept), np.int64)
    left = [range(lane, len(kept), lanes) for lane in range(min(lanes, len(kept)))]
    for channel in kept[np.argsort(-columns[kept], kind="stable")].tolist():
        # of equal lanes one that takes few channels: the large ones lie alone
        free = [each for each, places in enumerate(left) if places]
        lane = min(free, key=lambda each: (loads[each], len(left[each])))
        order[left[lane][0]] = channel
        left[lane], loads[lane] = left[lane][1:], loads[lane] + int(columns[channel])
    return order


def _filters(layer: LayerWeights, kept: NDArray[np.integer]) -> LayerWeights:
    """Some of a layer's filters."""
    return replace(
        layer, weight=layer.weight[kept], bias=layer.bias[kept],
        multiplier=layer.multipliers[kept], shift=layer.shifts[kept],
        weight_scale=layer.weight_scales[kept],
    )  # fmt: skip
