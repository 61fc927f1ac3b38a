"""Convert ONNX's pools, and its normalization over channels, to layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value
from hwsim.models.importers.onnx_window import rounded_up, window

__all__ = [
    "average_pool", "global_max", "global_pool", "local_response", "max_pool", "reduce_max",
    "reduce_mean",
]  # fmt: skip


def max_pool(builder: Builder, node: Node) -> Value:
    """Convert a MaxPool."""
    if any(node.outputs[1:]):
        raise builder.graph.refuse(node, "Indices", None, "must not be an output")
    return _pool(builder, node, "maxpool")


def average_pool(builder: Builder, node: Node) -> Value:
    """Convert an AveragePool."""
    return _pool(builder, node, "avgpool")


def _pool(builder: Builder, node: Node, kind: str) -> Value:
    value, kernel = builder.image(node, is_plain=True), node.attributes.get("kernel_shape", ())
    settings = {"type": kind, **window(builder, node, value, tuple(kernel))}
    counts = kind == "avgpool" and bool(node.attributes.get("count_include_pad", 0))
    if node.attributes.get("ceil_mode", 0):
        settings |= rounded_up(builder, node, value, settings, counts=counts)
    if kind == "avgpool" and not counts and (settings.get("padding") or settings.get("ceil")):
        settings["count_include_pad"] = False
    return builder.layer(node, [value], settings)


def global_pool(builder: Builder, node: Node) -> Value:
    """Convert a GlobalAveragePool."""
    value = builder.value(node)
    if not value.is_volume:
        value = builder.image(node, is_plain=True)
    pooled = builder.layer(node, [value], {"type": "globalavgpool"})
    # an axis of size 1 for each that is averaged
    return replace(pooled, dims=(pooled.shape.channels, *[1] * (len(value.dims) - 1)))


def global_max(builder: Builder, node: Node) -> Value:
    """Convert a GlobalMaxPool: a pool of one window."""
    value = builder.image(node, is_plain=True)
    pooled = builder.layer(node, [value], _whole(value))
    return replace(pooled, dims=(pooled.shape.channels, *[1] * (len(value.dims) - 1)))


def _whole(value: Value) -> dict[str, Any]:
    """Settings of a max-pool of all pixels."""
    return {"type": "maxpool", "R": value.shape.height, "S": value.shape.width}


def local_response(builder: Builder, node: Node) -> Value:
    """Convert an LRN."""
    value, attributes = builder.image(node, is_plain=True), node.attributes
    settings = {"type": "lrn", "R": int(attributes["size"])}
    defaults = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    settings |= {key: float(attributes.get(key, each)) for key, each in defaults.items()}
    return builder.layer(node, [value], settings, like=value)


def reduce_mean(builder: Builder, node: Node) -> Value:
    """Convert a ReduceMean over height and width, wherever they are: a global average pool."""
    value = builder.value(node)
    return _reduced(builder, node, value, {"type": "globalavgpool"})


def reduce_max(builder: Builder, node: Node) -> Value:
    """Convert a ReduceMax over height and width, wherever they are: a pool of one window."""
    value = builder.value(node)
    return _reduced(builder, node, value, _whole(value))


def _reduced(builder: Builder, node: Node, value: Value, settings: dict[str, Any]) -> Value:
    constant = builder.constant(node, 1, "axes")
    axes = node.attributes.get("axes", ()) if constant is None else constant.ravel().tolist()
    every = range(len(value.dims))
    over = {axis % (1 + len(every)) - 1 for axis in axes}
    kept = [axis for axis in every if axis not in over]
    order = value.indices.transpose(*kept, *sorted(over & set(every)))
    order = order.reshape(*[value.dims[axis] for axis in kept], -1)
    # each result must be that of all pixels of a channel
    pixels = value.shape.height * value.shape.width
    channels = order[..., :1] // pixels
    is_global = order.shape[-1] == pixels and np.array_equal(
        np.sort(order), channels * pixels + np.arange(pixels)
    )
    if not over or -1 in over or not is_global:
        raise builder.graph.refuse(node, "axes", tuple(axes), "must be height and width")
    pooled = builder.layer(node, [value], settings)
    keepdims = node.attributes.get("keepdims", 1)
    shape = [
        1 if axis in over else value.dims[axis] for axis in every if keepdims or axis not in over
    ]
    return builder.view(node, pooled, channels.reshape(shape))
