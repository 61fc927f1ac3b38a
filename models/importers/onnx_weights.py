"""Convert ONNX's convolutions and matrix products to layers with weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.models.importers.float_model import LayerFloats
from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_graph import Node
from hwsim.models.importers.onnx_value import Affine, Value
from hwsim.models.importers.onnx_window import window

__all__ = ["conv", "gemm", "matmul"]

Floats = NDArray[np.float32]


def conv(builder: Builder, node: Node) -> Value:
    """Convert a Conv."""
    value, weight = builder.image(node), builder.floats(node, 1, "weight")
    if weight is None or weight.ndim not in (3, 4):
        rule = "must have the dimensions M, C / G, R, S, or M, C / G, S"
        raise builder.graph.refuse(
            node, "weight shape", None if weight is None else weight.shape, rule
        )
    kernel = weight.shape[2:]
    if tuple(node.attributes.get("kernel_shape", kernel)) != kernel:
        shape = node.attributes["kernel_shape"]
        raise builder.graph.refuse(node, "kernel_shape", shape, f"must be the weight's {kernel}")
    groups = int(node.attributes.get("group", 1))
    if groups * weight.shape[1] != value.shape.channels:
        rule = f"must fit {value.shape.channels} input channels in {groups} groups"
        raise builder.graph.refuse(node, "weight shape", weight.shape, rule)
    settings = {"type": "conv", "M": weight.shape[0], **window(builder, node, value, kernel)}
    if groups > 1:
        settings["G"] = groups
    filters = weight if weight.ndim == 4 else weight[:, :, None]
    floats = LayerFloats(filters, _bias(builder, node, weight.shape[0]))
    affine = value.affine
    if affine is not None:
        if not affine.is_per_channel or (settings.get("padding") and affine.shift.any()):
            # the border is 0 behind the shift, and would be another value before it
            value = builder.value(node)
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
    if weight is not None and not attributes.get("transB", 0):
        weight = weight.T
    scales = (attributes.get("alpha", 1.0), attributes.get("beta", 1.0))
    return _fc(builder, node, weight, *scales)


def matmul(builder: Builder, node: Node) -> Value:
    """Convert a MatMul with a constant weight."""
    weight = builder.floats(node, 1, "weight")
    return _fc(builder, node, None if weight is None else weight.T)


def _fc(
    builder: Builder,
    node: Node,
    weight: Floats | None,
    scale: float = 1.0,
    bias_scale: float = 1.0,
) -> Value:
    """Add a fully connected layer of a weight ``(M, K)``."""
    value = builder.raw(node)
    if not value.is_flat:
        rule = "must be flattened to (N, K) before"
        raise builder.graph.refuse(node, f"input {node.inputs[0]}", None, rule)
    (depth,) = value.dims
    if weight is None or weight.ndim != 2 or weight.shape[1] != depth:
        shape = None if weight is None else weight.shape
        rule = f"must have 2 dimensions, and {depth} columns"
        raise builder.graph.refuse(node, "weight shape (M, K)", shape, rule)
    bias = _bias(builder, node, len(weight)) * np.float32(bias_scale)
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
    floats = LayerFloats(columns.astype(np.float32), bias.astype(np.float32))
    return builder.layer(node, [value], {"type": "fc", "M": len(weight)}, floats)


def _bias(builder: Builder, node: Node, channels: int) -> Floats:
    """Return the third input of a Conv or Gemm, ``(M,)``; zeros where it is absent."""
    bias = builder.floats(node, 2, "bias")
    if bias is None:
        return np.zeros(channels, dtype=np.float32)
    if bias.size not in (1, channels):
        rule = f"must have {channels} values, one per output channel"
        raise builder.graph.refuse(node, "bias shape", bias.shape, rule)
    return np.broadcast_to(bias.ravel(), channels).copy()
