"""Convert ONNX's convolutions and matrix products to layers with weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.models.importers.float_model import LayerFloats
from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_order import chosen
from hwsim.models.importers.onnx_quantized import steps_of
from hwsim.models.importers.onnx_value import Affine, Value
from hwsim.models.importers.onnx_volume import flat
from hwsim.models.importers.onnx_window import window

__all__ = ["bias_of", "conv", "gemm", "matmul"]

Floats = NDArray[np.float32]


def conv(builder: Builder, node: Node) -> Value:
    """Convert a Conv."""
    groups = int(node.attributes.get("group", 1))
    value, weight = builder.raw(node), builder.floats(node, 1, "weight")
    if weight is not None and weight.ndim == 5:
        node, value, weight, planes = flat(builder, node, builder.value(node), weight)
        result = _images(builder, node, value, weight, groups)
        size = result.shape
        dims = (size.channels, planes, size.height // planes, size.width)
        return replace(result, dims=dims)
    channels = None
    if groups == 1 and len(value.dims) == 3 and value.is_all and not value.is_image:
        channels = chosen(value.shape, value.indices)
    if channels is None:
        value = builder.image(node)
    elif weight is not None and weight.shape[1:2] == (len(channels),):
        # the order of channels is that of the weights
        value = replace(value, order=None)
        weight = weight[:, np.argsort(channels)]
    return _images(builder, node, value, weight, groups)


def _images(
    builder: Builder, node: Node, value: Value, weight: Floats | None, groups: int
) -> Value:
    """Add a convolution of images or lines."""
    if weight is None or weight.ndim not in (3, 4):
        rule = "must have the dimensions M, C / G, R, S, or M, C / G, S, or M, C / G, 1, R, S"
        raise builder.graph.refuse(
            node, "weight shape", None if weight is None else weight.shape, rule
        )
    kernel = weight.shape[2:]
    if tuple(node.attributes.get("kernel_shape", kernel)) != kernel:
        shape = node.attributes["kernel_shape"]
        raise builder.graph.refuse(node, "kernel_shape", shape, f"must be the weight's {kernel}")
    if groups * weight.shape[1] != value.shape.channels:
        rule = f"must fit {value.shape.channels} input channels in {groups} groups"
        raise builder.graph.refuse(node, "weight shape", weight.shape, rule)
    settings = {"type": "conv", "M": weight.shape[0], **window(builder, node, value, kernel)}
    if groups > 1:
        settings["G"] = groups
    filters = weight if weight.ndim == 4 else weight[:, :, None]
    steps = steps_of(builder, node, 1, 0, len(weight))
    floats = LayerFloats(filters, bias_of(builder, node, len(weight)), steps)
    affine = value.affine
    if affine is not None:
        if not affine.is_per_channel or (settings.get("padding") and affine.shift.any()):
            # the border is 0 behind the shift, and would be another value before it
            value = builder.image(node, is_plain=True)
        else:
            floats = _after(floats, affine, value.shape.channels, groups)
    return builder.layer(node, [value], settings, floats)


def _after(floats: LayerFloats, affine: Affine, channels: int, groups: int) -> LayerFloats:
    """Weights of a convolution that scales and shifts what it reads."""
    scale, shift = affine.by_channel(channels)
    weight = floats.weight.astype(np.float64)
    # filters of a group, channels of a group
    split = weight.reshape(groups, -1, *weight.shape[1:])
    factor, offset = (each.reshape(groups, 1, -1, 1, 1) for each in (scale, shift))
    bias = floats.bias + (split * offset).sum(axis=(2, 3, 4)).reshape(-1)
    scaled = (split * factor).reshape(weight.shape)
    return LayerFloats(scaled.astype(np.float32), bias.astype(np.float32))


def gemm(builder: Builder, node: Node) -> Value:
    """Convert a Gemm with a constant weight."""
    attributes = node.attributes
    if attributes.get("transA", 0):
        raise builder.graph.refuse(node, "transA", 1, "must be 0")
    weight = builder.floats(node, 1, "weight")
    axis = 0 if attributes.get("transB", 0) else 1
    if weight is not None and axis:
        weight = weight.T
    scales = (attributes.get("alpha", 1.0), attributes.get("beta", 1.0))
    if weight is not None and len(builder.raw(node).dims) == 2:
        # rows that have no batch axis
        bias = bias_of(builder, node, len(weight)) * np.float32(scales[1])
        steps = steps_of(builder, node, 1, axis, len(weight)) if scales[0] == 1 else None
        return _rows(builder, node, weight.T * np.float32(scales[0]), bias, steps)
    return _fc(builder, node, weight, axis, *scales)


def matmul(builder: Builder, node: Node) -> Value:
    """Convert a MatMul with a constant weight: of values, or of each of several rows."""
    weight = builder.floats(node, 1, "weight")
    if len(builder.raw(node).dims) > 1:
        columns = 0 if weight is None else weight.shape[-1]
        steps = steps_of(builder, node, 1, 1, columns)
        return _rows(builder, node, weight, np.zeros(columns, np.float32), steps)
    return _fc(builder, node, None if weight is None else weight.T, 1)


def _fc(
    builder: Builder,
    node: Node,
    weight: Floats | None,
    axis: int,
    scale: float = 1.0,
    bias_scale: float = 1.0,
) -> Value:
    """Add a fully connected layer of a weight ``(M, K)``; M lie along ``axis`` in the file."""
    value = builder.raw(node)
    if not value.is_flat:
        rule = "must be flattened to (N, K) before"
        raise builder.graph.refuse(node, f"input {node.inputs[0]}", None, rule)
    (depth,) = value.dims
    if weight is None or weight.ndim != 2 or weight.shape[1] != depth:
        shape = None if weight is None else weight.shape
        rule = f"must have 2 dimensions, and {depth} columns"
        raise builder.graph.refuse(node, "weight shape (M, K)", shape, rule)
    bias = bias_of(builder, node, len(weight)) * np.float32(bias_scale)
    # a column of each activation: of all that the tensor has of it, in the order of the layer
    columns: NDArray[Any] = np.zeros((len(weight), value.shape.size), dtype=np.float64)
    np.add.at(columns.T, value.indices, weight.T.astype(np.float64) * scale)
    if value.affine is not None:
        image = (value.shape.channels, value.shape.height, value.shape.width)
        factor, offset = (
            np.broadcast_to(each, image).reshape(-1)
            for each in (value.affine.scale, value.affine.shift)
        )
        bias = bias + columns @ offset
        columns = columns * factor
    steps = steps_of(builder, node, 1, axis, len(weight))
    if steps is not None:
        steps = steps * abs(scale) if value.affine is None else None
    floats = LayerFloats(columns.astype(np.float32), bias.astype(np.float32), steps)
    return builder.layer(node, [value], {"type": "fc", "M": len(weight)}, floats)


def _rows(
    builder: Builder,
    node: Node,
    weight: Floats | None,
    bias: Floats,
    steps: NDArray[np.float64] | None,
) -> Value:
    """Convert a product of each row ``(N, ..., K)`` with ``(K, M)``: a convolution of one pixel."""
    value, graph = builder.value(node), builder.graph
    depth, pixels = value.dims[-1], value.shape.height * value.shape.width
    if weight is None or weight.ndim != 2 or len(weight) != depth:
        shape = None if weight is None else weight.shape
        raise graph.refuse(
            node, "weight shape (K, M)", shape, f"must have 2 dimensions, {depth} rows"
        )
    # channels of the layer along the last axis, its pixels along the others
    order = value.indices.reshape(-1, depth)
    channels = order[0] // pixels
    places = order[:, 0] - channels[0] * pixels
    is_rows = value.shape.channels == depth and np.array_equal(
        order, channels * pixels + places[:, None]
    )
    if not is_rows:
        rule = "must have the channels of a layer along its last axis"
        raise graph.refuse(node, f"input {node.inputs[0]}", value.dims, rule)
    filters = np.zeros((weight.shape[1], depth, 1, 1), np.float32)
    filters[:, channels, 0, 0] = weight.T
    floats = LayerFloats(filters, bias, steps)
    result = builder.layer(node, [value], {"type": "conv", "M": len(filters), "R": 1}, floats)
    rows = np.arange(len(filters)) * pixels + places[:, None]
    return builder.view(node, result, rows.reshape(*value.dims[:-1], len(filters)))


def bias_of(builder: Builder, node: Node, channels: int) -> Floats:
    """Return the third input of a convolution or a Gemm, ``(M,)``; zeros where it is absent."""
    bias = builder.floats(node, 2, "bias")
    if bias is None:
        return np.zeros(channels, dtype=np.float32)
    if bias.size not in (1, channels):
        rule = f"must have {channels} values, one per output channel"
        raise builder.graph.refuse(node, "bias shape", bias.shape, rule)
    return np.broadcast_to(bias.ravel(), channels).copy()
