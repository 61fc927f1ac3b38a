"""Find the layers that give a tensor whose values are activations in another order.

A tensor ``(C, H, W)`` of indices into the activations of a layer is taken apart into steps:
channels that are chosen; pixels that are repeated, spread from channels, gathered into channels or
left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerConfig, TensorShape
from hwsim.config.window import plain
from hwsim.workload.rearrange import rearranged

__all__ = ["Step", "chosen", "runs", "steps"]

Indices = NDArray[np.int64]
#: Settings of a layer that moves activations, or the channels that are chosen.
Step = dict[str, Any] | list[int]


def steps(shape: TensorShape, order: Indices) -> list[Step] | None:
    """Steps from activations to a tensor.

    Parameters
    ----------
    shape
        Of the activations.
    order
        ``(C, H, W)``: index of each value of the tensor in the activations.

    Returns
    -------
    steps
        In order; ``None`` where there are none of these kinds.
    """
    indices = np.arange(shape.size).reshape(shape.channels, shape.height, shape.width)
    for candidate in (_spread, _gathered):
        found = candidate(shape, order)
        try:
            # a guard for all that was not looked at: the steps must give the tensor
            if found is not None and np.array_equal(_done(indices, found), order):
                return found
        except ValueError:
            continue  # a step that no layer has, such as a border wider than a layer's padding
    return None


def chosen(shape: TensorShape, order: Indices) -> list[int] | None:
    """Channels that a tensor ``(C, H, W)`` consists of; ``None`` where it is no whole channels."""
    pixels = shape.height * shape.width
    planes = order.reshape(len(order), -1)
    channels = planes[:, :1] // pixels
    if planes.shape[1] != pixels or (planes != channels * pixels + np.arange(pixels)).any():
        return None
    return [int(channel) for channel in channels[:, 0]]


def runs(channels: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of consecutive channels: the first, and how many."""
    found: list[tuple[int, int]] = []
    for channel in channels:
        if found and channel == sum(found[-1]):
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((channel, 1))
    return found


def _spread(shape: TensorShape, order: Indices) -> list[Step] | None:
    """Pixels that are repeated, spread from channels, or left out."""
    channel, row, column = _places(shape, order)
    rows, columns = row[0, :, 0], column[0, 0, :]
    (down, top), (right, left) = _blocks(rows), _blocks(columns)
    bottom = shape.height * down - top - len(rows)
    beyond = shape.width * right - left - len(columns)
    if min(top, left, bottom, beyond) < 0:
        return None
    if (channel == channel[:, :1, :1]).all():
        kind, source = "upsample", channel[:, 0, 0]
    else:
        kind = "depth_to_space"
        # of each pixel of a block, then of each channel, the channel that it is spread from
        y, x = (np.arange(len(rows)) + top) % down, (np.arange(len(columns)) + left) % right
        blocks: NDArray[np.int64] = np.zeros((down, right, len(order)), np.int64)
        blocks[y[:, None], x[None, :]] = channel.transpose(1, 2, 0)
        source = blocks.reshape(-1)
    found = _select(shape.channels, source)
    if (down, right) != (1, 1):
        found.append({"type": kind, "stride": plain((down, right))})
    border = (top, left, bottom, beyond)
    if any(border):
        found.append({"type": "crop", "padding": plain(border)})
    return found


def _gathered(shape: TensorShape, order: Indices) -> list[Step] | None:
    """Every so many pixels of each channel."""
    channel, row, column = _places(shape, order)
    _, high, wide = order.shape
    down, right = shape.height // high, shape.width // wide
    if (high * down, wide * right) != (shape.height, shape.width):
        return None
    first = (row[:, 0, 0] % down * right + column[:, 0, 0] % right) * shape.channels
    blocks = {"type": "space_to_depth", "stride": plain((down, right))}
    return [blocks, *_select(shape.channels * down * right, first + channel[:, 0, 0])]


def _places(shape: TensorShape, order: Indices) -> tuple[Indices, Indices, Indices]:
    """Channel, row and column of each index."""
    channel, row, column = np.unravel_index(order, (shape.channels, shape.height, shape.width))
    return channel, row, column


def _blocks(places: Indices) -> tuple[int, int]:
    """How often each of some places is repeated, and how many of the first are left out."""
    steps = np.flatnonzero(np.diff(places)) + 1
    if not len(steps):
        # one place: of a whole block
        return len(places), 0
    size = (
        int(steps[1] - steps[0]) if len(steps) > 1 else int(max(steps[0], len(places) - steps[0]))
    )
    return size, size * int(places[0]) + (-int(steps[0])) % size


def _select(channels: int, source: Indices) -> list[Step]:
    """Step that chooses channels; none where all stay as they are."""
    order = [int(channel) for channel in source]
    if order == list(range(channels)):
        return []
    if len(runs(order)) == 1:
        return [{"type": "slice", "M": len(order)} | ({"first": order[0]} if order[0] else {})]
    for groups in _divisors(channels):
        shuffled = np.arange(channels).reshape(groups, -1).T.reshape(-1)
        if order == shuffled.tolist():
            return [{"type": "shuffle", "G": groups}]
    return [order]


def _divisors(number: int) -> Iterator[int]:
    return (each for each in range(2, number) if number % each == 0)


def _done(act: Indices, done: Sequence[Step]) -> Indices:
    """Activations ``(C, H, W)`` behind steps."""
    found: Indices = act
    for step in done:
        if isinstance(step, list):
            found = found[step]
        else:
            layer = LayerConfig.model_validate({"name": "step", **step})
            found = rearranged(layer, found[None])[0]
    return found
