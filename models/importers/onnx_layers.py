"""Convert ONNX operations to layers; normalization, bias and ReLU join the previous layer."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.models.importers.onnx_builder import Builder, Handler, Value
from hwsim.models.importers.onnx_graph import Node, read, unsupported
from hwsim.models.importers.onnx_window import rounded_up, window

__all__ = ["load", "network_name"]

Floats = NDArray[np.float32]


def load(path: Path | str) -> FloatModel:
    """Read an ONNX file as a network with its weights.

    Parameters
    ----------
    path
        The ONNX file.

    Raises
    ------
    InputError
        The file cannot be read; nodes are unsupported (all are named in one line); or a node uses a
        feature that the layers here do not have, such as padding that differs by side.
    """
    graph = read(path)
    unsupported(graph, _HANDLERS)
    return Builder(graph, _HANDLERS).build(network_name(path))


def network_name(path: Path | str) -> str:
    """Derive the name of a network from its file's name, in the characters allowed here."""
    name = re.sub(r"[^a-z0-9_]", "_", Path(path).stem.lower()).strip("_")
    return name if name[:1].isalpha() else f"onnx_{name}".rstrip("_")


# Layers with weights


def _conv(builder: Builder, node: Node) -> Value:
    value, weight = builder.value(node), builder.floats(node, 1, "weight")
    if weight is None or weight.ndim != 4:
        raise builder.graph.refuse(node, "weight", None, "must have 4 dimensions: M, C / G, R, S")
    kernel = (weight.shape[2], weight.shape[3])
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
    bias = _bias(builder, node, weight.shape[0])
    return builder.layer(node, [value], settings, LayerFloats(weight, bias))


def _gemm(builder: Builder, node: Node) -> Value:
    attributes = node.attributes
    if attributes.get("transA", 0):
        raise builder.graph.refuse(node, "transA", 1, "must be 0")
    weight = builder.floats(node, 1, "weight")
    if weight is not None and not attributes.get("transB", 0):
        weight = weight.T
    scales = (attributes.get("alpha", 1.0), attributes.get("beta", 1.0))
    return _fc(builder, node, weight, *scales)


def _matmul(builder: Builder, node: Node) -> Value:
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
    value = builder.value(node)
    if not value.is_flat:
        rule = "must be flattened to (N, K) before"
        raise builder.graph.refuse(node, f"input {node.inputs[0]}", None, rule)
    if weight is None or weight.ndim != 2 or weight.shape[1] != value.shape.size:
        shape = None if weight is None else weight.shape
        rule = f"must have 2 dimensions, and {value.shape.size} columns"
        raise builder.graph.refuse(node, "weight shape (M, K)", shape, rule)
    bias = _bias(builder, node, len(weight)) * np.float32(bias_scale)
    floats = LayerFloats(np.ascontiguousarray(weight * np.float32(scale)), bias)
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


# Operations that become part of the previous layer


def _batch_norm(builder: Builder, node: Node) -> Value:
    value = builder.value(node)
    attributes = node.attributes
    for key, default in (("training_mode", 0), ("spatial", 1)):
        if attributes.get(key, default) != default:
            raise builder.graph.refuse(node, key, attributes[key], f"must be {default}")
    draft = builder.drafts.get(value.layer)
    if draft is None or draft.floats is None or not (value.alone and draft.is_open):
        rule = "must follow a Conv, Gemm or MatMul whose output nothing else reads"
        raise builder.graph.refuse(node, "", None, rule)
    parts = []
    for index, what in enumerate(("scale", "B", "mean", "var"), 1):
        part = builder.floats(node, index, what)
        if part is None or part.shape != (value.shape.channels,):
            shape = None if part is None else part.shape
            rule = f"must have shape ({value.shape.channels},)"
            raise builder.graph.refuse(node, f"{what} shape", shape, rule)
        parts.append(part)
    if (parts[3] < 0).any():
        raise builder.graph.refuse(node, "var", float(parts[3].min()), "must be at least 0")
    gamma, beta, mean, var = parts
    eps = attributes.get("epsilon", 1e-5)
    draft.floats = draft.floats.normalized(gamma, beta, mean, var, eps)
    return builder.view(node, value)


def _relu(builder: Builder, node: Node) -> Value:
    return _rectified(builder, node, None)


def _clip(builder: Builder, node: Node) -> Value:
    """ReLU, with or without saturation (ReLU6)."""
    limits = []
    for index, key, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        bound = builder.floats(node, index, key)
        if bound is not None and bound.size != 1:
            raise builder.graph.refuse(node, f"{key} shape", bound.shape, "must be one number")
        limits.append(float(node.attributes.get(key, default) if bound is None else bound.item()))
    low, high = limits
    if low != 0 or high <= 0:
        rule = "must be from 0 to a positive number: a ReLU that saturates"
        raise builder.graph.refuse(node, "min, max", (low, high), rule)
    # older exporters write the largest float where there is no limit
    return _rectified(builder, node, None if high > 1e38 else high)


def _rectified(builder: Builder, node: Node, largest: float | None) -> Value:
    value = builder.value(node)
    settings: dict[str, Any] = {"relu": True}
    if largest is not None:
        settings["relu_max"] = largest
    draft = builder.drafts.get(value.layer)
    if draft is not None and value.alone and draft.takes_relu(largest):
        draft.settings |= settings
        return builder.view(node, value)
    # other nodes read the activations without ReLU: a 1x1 pool carries it
    kind = "maxpool" if largest is None else "avgpool"
    return builder.layer(node, [value], {"type": kind, "R": 1, **settings})


# Layers without weights


def _max_pool(builder: Builder, node: Node) -> Value:
    if any(node.outputs[1:]):
        raise builder.graph.refuse(node, "Indices", None, "must not be an output")
    return _pool(builder, node, "maxpool")


def _average_pool(builder: Builder, node: Node) -> Value:
    return _pool(builder, node, "avgpool")


def _pool(builder: Builder, node: Node, kind: str) -> Value:
    value, kernel = builder.value(node), node.attributes.get("kernel_shape", ())
    if len(kernel) != 2:
        raise builder.graph.refuse(node, "kernel_shape", kernel, "must have 2 numbers")
    settings = {"type": kind, **window(builder, node, value, tuple(kernel))}
    if node.attributes.get("ceil_mode", 0):
        settings |= rounded_up(builder, node, value, settings, kind)
    is_padded = settings.get("padding", 0) and kind == "avgpool"
    if is_padded and not node.attributes.get("count_include_pad", 0):
        rule = "must be 1 where there is padding: each average divides by the whole window"
        raise builder.graph.refuse(node, "count_include_pad", 0, rule)
    return builder.layer(node, [value], settings)


def _global_pool(builder: Builder, node: Node) -> Value:
    return builder.layer(node, [builder.value(node)], {"type": "globalavgpool"})


def _reduce_mean(builder: Builder, node: Node) -> Value:
    """Convert ``x.mean([2, 3])`` of PyTorch, a global average pool."""
    value, constant = builder.value(node), builder.constant(node, 1, "axes")
    axes = node.attributes.get("axes", ()) if constant is None else constant.ravel().tolist()
    if value.is_flat or {axis % 4 for axis in axes} != {2, 3}:
        raise builder.graph.refuse(node, "axes", tuple(axes), "must be height and width: 2 and 3")
    pooled = builder.layer(node, [value], {"type": "globalavgpool"})
    return replace(pooled, is_flat=not node.attributes.get("keepdims", 1))


def _add(builder: Builder, node: Node) -> Value:
    constants = [name in builder.graph.constants for name in node.inputs]
    if len(node.inputs) == 1:
        return _view(builder, node)
    if any(constants):
        return _add_constant(builder, node, constants.index(False), constants.index(True))
    values = [builder.value(node, index) for index in range(len(node.inputs))]
    if len({(value.shape, value.is_flat) for value in values}) > 1:
        raise builder.graph.refuse(node, "", None, "inputs must have the same shape to be added")
    return builder.layer(node, values, {"type": "add"})


def _add_constant(builder: Builder, node: Node, index: int, constant: int) -> Value:
    """Add a constant to the bias of the previous layer."""
    value, bias = builder.value(node, index), builder.floats(node, constant, "constant")
    draft = builder.drafts.get(value.layer)
    assert bias is not None
    per_channel = (1,) if value.is_flat else (value.shape.channels, 1, 1)
    channels = value.shape.channels
    fits = bias.size == 1 or bias.shape[bias.ndim - len(per_channel) :] == (
        (channels,) if value.is_flat else per_channel
    )
    if bias.size not in (1, channels) or not fits:
        rule = f"must have one value for each of {channels} channels"
        raise builder.graph.refuse(node, "constant shape", bias.shape, rule)
    if draft is None or draft.floats is None or not (value.alone and draft.is_open):
        rule = "adds a constant: must follow a Conv, Gemm or MatMul whose output nothing else reads"
        raise builder.graph.refuse(node, "", None, rule)
    draft.floats = LayerFloats(draft.floats.weight, draft.floats.bias + bias.ravel())
    return builder.view(node, value)


def _concat(builder: Builder, node: Node) -> Value:
    values = [builder.value(node, index) for index in range(len(node.inputs))]
    ranks = {2 if value.is_flat else 4 for value in values}
    axis = node.attributes.get("axis")
    if len(ranks) > 1 or axis not in (1, 1 - max(ranks)):
        raise builder.graph.refuse(node, "axis", axis, "must be 1: channels")
    return (
        builder.layer(node, values, {"type": "concat"}) if len(values) > 1 else _view(builder, node)
    )


# Other views of the same activations


def _flatten(builder: Builder, node: Node) -> Value:
    value, axis = builder.value(node), node.attributes.get("axis", 1)
    if axis not in (1, 1 - (2 if value.is_flat else 4)):
        raise builder.graph.refuse(node, "axis", axis, "must be 1")
    return builder.view(node, value, is_flat=True)


def _reshape(builder: Builder, node: Node) -> Value:
    value, target = builder.value(node), builder.constant(node, 1, "shape")
    shape = [] if target is None else target.ravel().tolist()
    image = value.shape
    before = [image.size] if value.is_flat else [image.channels, image.height, image.width]
    keeps = len(shape) == 1 + len(before) and _same(shape, [builder.graph.batch, *before])
    flattens = len(shape) == 2 and _same(shape, [builder.graph.batch, image.size])
    if not (keeps or flattens):
        rule = f"must flatten: (N, {image.size})"
        raise builder.graph.refuse(node, "shape", tuple(shape), rule)
    return builder.view(node, value, is_flat=True if flattens else None)


def _same(shape: list[int], expected: list[int]) -> bool:
    """Whether a Reshape's target is ``expected``; 0 copies the batch, -1 stands for one size."""
    if shape.count(-1) > 1:
        return False
    return all(
        size in (correct, -1) or (size == 0 and index == 0)
        for index, (size, correct) in enumerate(zip(shape, expected, strict=True))
    )


def _view(builder: Builder, node: Node) -> Value:
    return builder.view(node, builder.value(node))


def _dropout(builder: Builder, node: Node) -> Value:
    training = builder.constant(node, 2, "training_mode")
    if training is not None and training.any():
        raise builder.graph.refuse(node, "training_mode", True, "must be false")
    return _view(builder, node)


def _softmax(builder: Builder, node: Node) -> Value:
    """Drop a Softmax at the end: the largest logit stays the largest."""
    if node.outputs[0] != builder.graph.output:
        raise builder.graph.refuse(node, "", None, "must be the last node")
    return _view(builder, node)


_HANDLERS: dict[str, Handler] = {
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "Identity": _view,
    "LogSoftmax": _softmax,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "ReduceMean": _reduce_mean,
    "Relu": _relu,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "Sum": _add,
}
