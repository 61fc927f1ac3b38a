"""Convert operations whose output holds values of their input, in another shape or order.

The operation is done on the indices of the activations: whoever reads its output then knows which
of a layer's activations each value is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["cast", "concat", "dropout", "same", "view"]

#: Operations that take parts of a tensor.
_PARTS = frozenset({"Gather", "Slice", "Split"})
#: ONNX's numbers of its floating-point types.
_FLOATS = {1: "float", 10: "float16", 11: "double", 16: "bfloat16"}


def same(builder: Builder, node: Node) -> Value:
    """Convert an Identity."""
    return builder.view(node, builder.raw(node))


def dropout(builder: Builder, node: Node) -> Value:
    """Convert a Dropout, which does nothing in inference."""
    training = builder.constant(node, 2, "training_mode")
    if training is not None and training.any():
        raise builder.graph.refuse(node, "training_mode", True, "must be false")
    return same(builder, node)


def cast(builder: Builder, node: Node) -> Value:
    """Convert a Cast to real numbers."""
    to = node.attributes["to"]
    if to not in _FLOATS:
        rule = f"must be a type of real numbers: {', '.join(_FLOATS.values())}"
        raise builder.graph.refuse(node, "to", to, rule)
    return same(builder, node)


def view(builder: Builder, node: Node) -> list[Value]:
    """Convert an operation on shapes and orders: Reshape, Transpose, Slice, Split and others."""
    value, graph = builder.raw(node), builder.graph
    if node.op in _PARTS and not value.is_image:
        # parts of an order that a layer can give are parts of what it gives
        value = builder.arranged(node)
    image = np.arange(graph.batch).reshape(-1, *[1] * len(value.dims)) * value.shape.size
    inputs = {name: graph.constants[name] for name in node.inputs[1:] if name in graph.constants}
    for index, name in enumerate(node.inputs):
        if index and name and name not in inputs:
            raise graph.refuse(node, f"input {name}", None, "must be a constant of the file")
    inputs[node.inputs[0]] = image + value.indices
    orders = list(graph.computed(node, inputs).values())
    for order in orders:
        first = order[:1] if order.ndim else order
        image = np.arange(graph.batch).reshape(-1, *[1] * (order.ndim - 1)) * value.shape.size
        if order.ndim < 2 or len(order) != graph.batch or not np.array_equal(order, first + image):
            rule = f"must keep the batch of {graph.batch} as its first axis, and the images apart"
            raise graph.refuse(node, "output shape", order.shape, rule)
    views = [builder.view(node, value, order[0]) for order in orders]
    return views if len(views) == 1 else [replace(each, alone=False) for each in views]


def concat(builder: Builder, node: Node) -> Value:
    """Convert a Concat of tensors."""
    if len(node.inputs) == 1:
        return same(builder, node)
    raw = [builder.raw(node, index) for index in range(len(node.inputs))]
    is_one = all(value.layer == raw[0].layer and value.affine is None for value in raw)
    values = raw if is_one else [builder.value(node, index) for index in range(len(raw))]
    if len({(value.shape.height, value.shape.width) for value in values}) > 1:
        # maps of one size that are still to be moved, such as those of a ConvTranspose
        values = [builder.arranged(node, index) for index in range(len(raw))]
    rank, axis = 1 + len(values[0].dims), node.attributes.get("axis", 1)
    if any(1 + len(value.dims) != rank for value in values) or not 0 < axis % rank < rank:
        raise builder.graph.refuse(node, "axis", axis, "must not be the batch")
    # parts of one layer stay parts of it; else one layer joins all
    sizes = [0 if is_one else value.shape.size for value in values]
    first = np.cumsum([0, *sizes])
    parts = [value.indices + start for value, start in zip(values, first, strict=False)]
    try:
        order = np.concatenate(parts, axis=axis % rank - 1)
    except ValueError as error:
        rule = "inputs must have the same sizes but along the axis"
        raise builder.graph.refuse(node, "", None, rule) from error
    if is_one:
        return replace(builder.view(node, values[0], order), alone=False)
    return builder.view(node, builder.layer(node, values, {"type": "concat"}), order)
