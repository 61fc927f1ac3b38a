"""Convert QuantizeLinear and DequantizeLinear: a file's own scales of weights and activations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from hwsim.models.importers.grid import Grid
from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["HANDLERS", "steps_of"]

#: Integers of a type, by its name.
_LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-(1 << 15), (1 << 15) - 1),
           "uint16": (0, (1 << 16) - 1)}  # fmt: skip


def _quantize(builder: Builder, node: Node) -> Value:
    """Convert a QuantizeLinear of activations: their layer has the node's scale."""
    return replace(builder.put_on(node, _grid(builder, node)), is_integer=True)


def _dequantize(builder: Builder, node: Node) -> Value:
    """Convert a DequantizeLinear of activations, which undoes a QuantizeLinear."""
    value, grid = builder.raw(node), _grid(builder, node)
    if builder.grid_of(value) != grid or not value.is_integer:
        rule = "must be those of the QuantizeLinear before"
        raise builder.graph.refuse(node, "scale and zero point", None, rule)
    return replace(builder.view(node, value), is_integer=False)


def _grid(builder: Builder, node: Node) -> Grid:
    scale, zero = builder.floats(node, 1, "scale"), builder.constant(node, 2, "zero point")
    if scale is None or scale.size != 1 or (zero is not None and zero.size != 1):
        rule = "must be one number for all activations of a tensor"
        raise builder.graph.refuse(node, "scale", None, rule)
    stored = node.attributes.get("output_dtype", 0)
    own = str(helper.tensor_dtype_to_np_dtype(stored)) if stored else "uint8"
    kind = own if zero is None else zero.dtype.name
    if kind not in _LIMITS:
        rule = f"must be one of {', '.join(_LIMITS)}"
        raise builder.graph.refuse(node, "type", kind, rule)
    first = 0 if zero is None else int(zero.item())
    low, high = _LIMITS[kind]
    return Grid(float(scale.item()), low - first, high - first)


def steps_of(
    builder: Builder, node: Node, index: int, axis: int, channels: int
) -> NDArray[np.float64] | None:
    """Steps of an input's integers, where a DequantizeLinear gives it: ``(channels,)``.

    ``None`` where none does, or steps differ along another axis than ``axis``.
    """
    name = node.inputs[index]
    while True:
        producer = builder.graph.producer(name)
        if producer is None or producer.op not in ("DequantizeLinear", "Transpose"):
            return None
        if producer.op == "DequantizeLinear":
            break
        rank = builder.graph.constants[name].ndim
        axis = list(producer.attributes.get("perm", range(rank)[::-1]))[axis]
        name = producer.inputs[0]
    scale = builder.floats(producer, 1, "scale")
    if scale is None:
        return None
    if scale.size == 1:
        return np.full(channels, scale.item(), np.float64)
    along = producer.attributes.get("axis", 1) % builder.graph.constants[name].ndim
    is_along = scale.shape == (channels,) and along == axis
    return scale.astype(np.float64) if is_along else None


HANDLERS = {"DequantizeLinear": _dequantize, "QuantizeLinear": _quantize}
