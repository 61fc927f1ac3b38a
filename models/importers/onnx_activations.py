"""Convert rectifiers: ReLU, with or without saturation."""

from __future__ import annotations

import numpy as np

from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_graph import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["clip", "maximum", "relu"]

#: Older exporters write the largest float where there is no limit.
_NO_LIMIT = 1e38


def relu(builder: Builder, node: Node) -> Value:
    """Convert a Relu."""
    return builder.rectify(node, builder.value(node), None)


def clip(builder: Builder, node: Node) -> Value:
    """Convert a Clip from 0: a ReLU, with or without saturation (ReLU6)."""
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
    return builder.rectify(node, builder.value(node), None if high > _NO_LIMIT else high)


def maximum(builder: Builder, node: Node) -> Value:
    """Convert a Max with the constant 0, a ReLU."""
    constants = [builder.graph.constants.get(name) for name in node.inputs]
    tensors = [index for index, each in enumerate(constants) if each is None]
    known = [each for each in constants if each is not None]
    if len(tensors) != 1 or len(known) != 1 or known[0].size != 1 or known[0].any():
        raise builder.graph.refuse(node, "", None, "must be of one tensor and the constant 0")
    return builder.rectify(node, builder.value(node, tensors[0]), None)
