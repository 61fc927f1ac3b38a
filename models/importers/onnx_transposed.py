"""Convert a ConvTranspose to a convolution whose channels are the pixels of a block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.config.window import plain
from hwsim.models.importers.float_model import LayerFloats
from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value
from hwsim.models.importers.onnx_weights import bias_of

__all__ = ["conv_transpose"]

Floats = NDArray[np.float32]


def conv_transpose(builder: Builder, node: Node) -> Value:
    """Convert a ConvTranspose: a convolution that gives all pixels of a block as channels.

    Pixel ``stride * q + r`` of the output is a sum over every ``stride``-th tap of the kernel, from
    ``r`` on (sub-pixel convolution, Shi et al., CVPR 2016).
    """
    value, weight = builder.image(node), builder.floats(node, 1, "weight")
    graph, attributes = builder.graph, node.attributes
    groups = int(attributes.get("group", 1))
    if weight is None or weight.ndim != 4 or len(weight) != value.shape.channels:
        shape = None if weight is None else weight.shape
        rule = f"must have 4 dimensions, and {value.shape.channels} input channels"
        raise graph.refuse(node, "weight shape (C, M / G, R, S)", shape, rule)
    for key, only in (("auto_pad", b"NOTSET"), ("dilations", [1, 1])):
        if attributes.get(key, only) != only:
            raise graph.refuse(node, key, attributes[key], f"must be {only!r}")
    value = builder.image(node, is_plain=True)
    kernel, strides = weight.shape[2:], tuple(attributes.get("strides", (1, 1)))
    pads = tuple(attributes.get("pads", (0, 0, 0, 0)))
    extra = tuple(attributes.get("output_padding", (0, 0)))
    sizes = (value.shape.height, value.shape.width)
    if "output_shape" in attributes:
        rule = "must be absent: it leaves the padding open"
        raise graph.refuse(node, "output_shape", attributes["output_shape"], rule)
    taps = tuple(-(-size // stride) for size, stride in zip(kernel, strides, strict=True))
    ends = []
    for axis in range(2):
        full = strides[axis] * (sizes[axis] + taps[axis] - 1)
        used = (sizes[axis] - 1) * strides[axis] + kernel[axis] - pads[axis] - pads[2 + axis]
        ends.append((pads[axis], pads[axis] + used + extra[axis], full))
    if any(start < 0 or stop > full or start >= stop for start, stop, full in ends):
        rule = "must leave an output within the reach of the kernel"
        raise graph.refuse(node, "pads, output_padding", (pads, extra), rule)
    per_group, blocks = weight.shape[1], strides[0] * strides[1]
    settings: dict[str, Any] = {"type": "conv", "M": blocks * groups * per_group}
    settings |= {"R": taps[0]} | ({"S": taps[1]} if taps[1] != taps[0] else {})
    settings |= {"G": groups} if groups > 1 else {}
    padding = plain([taps[0] - 1, taps[1] - 1])
    settings |= {"padding": padding} if padding else {}
    bias = bias_of(builder, node, groups * per_group).reshape(groups, 1, per_group)
    floats = LayerFloats(
        _blocks_of(weight, groups, strides, taps), np.tile(bias, (1, blocks, 1)).reshape(-1)
    )
    result = builder.layer(node, [value], settings, floats)
    # channels are group, row and column in the block, filter
    shape = (groups, *strides, per_group, result.shape.height, result.shape.width)
    pixels = np.arange(result.shape.size).reshape(shape).transpose(0, 3, 4, 1, 5, 2)
    order = pixels.reshape(groups * per_group, ends[0][2], ends[1][2])
    rows, columns = (slice(start, stop) for start, stop, _ in ends)
    return builder.view(node, result, order[:, rows, columns])


def _blocks_of(
    weight: Floats, groups: int, strides: tuple[int, ...], taps: tuple[int, ...]
) -> Floats:
    """Filters ``(group, row and column in a block, filter; C / G, taps)`` of its kernel."""
    channels, per_group, rows, columns = weight.shape
    size = (taps[0] * strides[0], taps[1] * strides[1])
    whole = np.zeros((channels, per_group, *size), np.float32)
    whole[:, :, :rows, :columns] = weight
    split = whole.reshape(
        groups, channels // groups, per_group, taps[0], strides[0], taps[1], strides[1]
    )
    # a later pixel of the input meets an earlier tap
    filters = split[:, :, :, ::-1, :, ::-1].transpose(0, 4, 6, 2, 1, 3, 5)
    return np.ascontiguousarray(filters.reshape(-1, channels // groups, *taps))
