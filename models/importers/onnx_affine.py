"""Convert what scales and shifts each value by constants, and sums of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.models.importers.float_model import LayerFloats
from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Affine, Value

__all__ = ["add", "batch_norm", "divide", "multiply", "negate", "subtract"]


def batch_norm(builder: Builder, node: Node) -> Value:
    """Convert a BatchNormalization with fixed statistics: a scale and a shift per channel."""
    value, attributes = builder.raw(node), node.attributes
    for key, default in (("training_mode", 0), ("spatial", 1)):
        if attributes.get(key, default) != default:
            raise builder.graph.refuse(node, key, attributes[key], f"must be {default}")
    channels, parts = value.dims[0], []
    for index, what in enumerate(("scale", "B", "mean", "var"), 1):
        part = builder.floats(node, index, what)
        if part is None or part.shape != (channels,):
            shape = None if part is None else part.shape
            rule = f"must have shape ({channels},)"
            raise builder.graph.refuse(node, f"{what} shape", shape, rule)
        parts.append(part.astype(np.float64))
    gamma, beta, mean, var = parts
    if (var < 0).any():
        raise builder.graph.refuse(node, "var", float(var.min()), "must be at least 0")
    factor = gamma / np.sqrt(var + attributes.get("epsilon", 1e-5))
    along = (channels, *[1] * (len(value.dims) - 1))
    return _affine(
        builder, node, value, factor.reshape(along), (beta - mean * factor).reshape(along)
    )


def multiply(builder: Builder, node: Node) -> Value:
    """Convert a Mul by a constant, or of two tensors."""
    if not any(name in builder.graph.constants for name in node.inputs):
        return _product(builder, node)
    index, constant = _constant(builder, node)
    return _affine(builder, node, builder.raw(node, index), constant, np.zeros(1))


def divide(builder: Builder, node: Node) -> Value:
    """Convert a Div by a constant."""
    index, constant = _constant(builder, node)
    if index or not constant.all():
        raise builder.graph.refuse(node, "", None, "must divide by a constant that is not 0")
    return _affine(builder, node, builder.raw(node), 1 / constant, np.zeros(1))


def negate(builder: Builder, node: Node) -> Value:
    """Convert a Neg."""
    return _affine(builder, node, builder.raw(node), -np.ones(1), np.zeros(1))


def subtract(builder: Builder, node: Node) -> Value:
    """Convert a Sub of a constant, from one, or of two tensors."""
    if not any(name in builder.graph.constants for name in node.inputs):
        return _difference(builder, node)
    index, constant = _constant(builder, node)
    sign = -1.0 if index else 1.0
    shift = constant if index else -constant
    return _affine(builder, node, builder.raw(node, index), np.full(1, sign), shift)


def add(builder: Builder, node: Node) -> Value:
    """Convert an Add or a Sum of tensors and constants."""
    constants = [builder.graph.constants.get(name) for name in node.inputs]
    tensors = [index for index, each in enumerate(constants) if each is None]
    known = [each for each in constants if each is not None]
    shift = np.zeros(1)
    for each in known:
        try:
            shift = shift + _real(builder, node, each)
        except ValueError as error:
            raise builder.graph.refuse(node, "constant shape", each.shape, str(error)) from error
    if len(tensors) == 1:
        value = builder.raw(node, tensors[0])
        return _affine(builder, node, value, np.ones(1), shift) if known else value
    values = _alike(builder, node, tensors)
    total = builder.layer(node, values, {"type": "add"}, like=values[0])
    return _affine(builder, node, total, np.ones(1), shift) if known else total


def _difference(builder: Builder, node: Node) -> Value:
    """Difference of two tensors: a sum with one whose sign is changed, by its weights if it may."""
    left, right = _alike(builder, node, (0, 1))
    channels = right.shape.channels
    signs = -np.ones((channels, 1, 1))
    negative = builder.affine(node, right, Affine(signs, np.zeros_like(signs)))
    if negative.affine is not None:
        floats = LayerFloats(signs.astype(np.float32)[..., None], np.zeros(channels, np.float32))
        settings = {"type": "conv", "M": channels, "G": channels, "R": 1}
        negative = builder.layer(node, [right], settings, floats, like=right)
    return builder.layer(node, [left, negative], {"type": "add"}, like=left)


def _alike(builder: Builder, node: Node, indices: Sequence[int]) -> list[Value]:
    """Inputs of equal shapes and orders, which layers may have to give them."""
    values = [builder.value(node, index) for index in indices]
    if not all(value.is_like(values[0]) for value in values):
        values = [builder.arranged(node, index) for index in indices]
    if not all(value.is_like(values[0]) for value in values):
        raise builder.graph.refuse(node, "", None, "inputs must have the same shape to be added")
    return values


def _product(builder: Builder, node: Node) -> Value:
    """Product of two tensors, of which one may have one value per channel, or per pixel."""
    for give in (builder.value, builder.arranged):
        values = [give(node, index) for index in range(2)]
        full, other = sorted(values, key=lambda value: -value.shape.size)
        # sizes of 1 meet all values of the other
        padded = (1,) * (len(full.dims) - len(other.dims)) + other.dims
        fits = all(size in (1, of) for size, of in zip(padded, full.dims, strict=False))
        is_one_for_many = full.is_image and other.order is None and padded == _sizes(other)
        if full.is_like(other) or (fits and is_one_for_many):
            return builder.layer(node, [full, other], {"type": "mul"}, like=full)
    rule = "inputs must have the same shape, or one value for each channel or pixel"
    raise builder.graph.refuse(node, "", None, rule)


def _sizes(value: Value) -> tuple[int, ...]:
    return value.shape.channels, value.shape.height, value.shape.width


def _constant(builder: Builder, node: Node) -> tuple[int, NDArray[np.float64]]:
    """Which input is a tensor, and the constant that is the other."""
    constants = [builder.graph.constants.get(name) for name in node.inputs]
    for index, constant in enumerate(reversed(constants)):
        if constant is not None:
            return index, _real(builder, node, constant)
    raise builder.graph.refuse(node, "", None, "must have a constant operand")


def _real(builder: Builder, node: Node, constant: NDArray[Any]) -> NDArray[np.float64]:
    if constant.dtype.kind not in "fiu" and constant.dtype.name != "bfloat16":
        rule = "must be numbers"
        raise builder.graph.refuse(node, "constant type", str(constant.dtype), rule)
    return constant.astype(np.float64)


def _affine(
    builder: Builder,
    node: Node,
    value: Value,
    scale: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> Value:
    arranged = []
    for constant in (scale, shift):
        spread = value.spread(constant)
        if spread is None:
            rule = f"must broadcast to {value.dims}, the shape of one image"
            raise builder.graph.refuse(node, "constant shape", constant.shape, rule)
        arranged.append(spread)
    return builder.affine(node, value, Affine(*arranged))
