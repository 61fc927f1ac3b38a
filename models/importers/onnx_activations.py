"""Convert activation functions: rectifiers join a layer, others are layers of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hwsim.config.activation import Function
from hwsim.models.importers.onnx_builder import Builder, Handler
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Affine, Value
from hwsim.workload.activation import SELU_ALPHA, SELU_SCALE

__all__ = ["HANDLERS", "composed"]

#: Older exporters write the largest float where there is no limit.
_NO_LIMIT = 1e38


def _relu(builder: Builder, node: Node) -> Value:
    return builder.rectify(node, None)


def _clip(builder: Builder, node: Node) -> Value:
    """Clip: from 0 it is a ReLU, with or without saturation (ReLU6)."""
    limits = []
    for index, key, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        bound = builder.floats(node, index, key)
        if bound is not None and bound.size != 1:
            raise builder.graph.refuse(node, f"{key} shape", bound.shape, "must be one number")
        limits.append(float(node.attributes.get(key, default) if bound is None else bound.item()))
    return _clipped(builder, node, 0, *limits)


def _bound(builder: Builder, node: Node) -> Value:
    """Max or Min with a constant number."""
    constants = [builder.graph.constants.get(name) for name in node.inputs]
    tensors = [index for index, each in enumerate(constants) if each is None]
    known = [each for each in constants if each is not None]
    if len(tensors) != 1 or len(known) != 1 or known[0].size != 1:
        raise builder.graph.refuse(node, "", None, "must be of one tensor and a constant number")
    limit = float(known[0].item())
    limits = (limit, np.inf) if node.op == "Max" else (-np.inf, limit)
    return _clipped(builder, node, tensors[0], *limits)


def _clipped(builder: Builder, node: Node, index: int, low: float, high: float) -> Value:
    if low > high:
        raise builder.graph.refuse(node, "min, max", (low, high), "must not cross")
    if low == 0 and high > 0:
        return builder.rectify(node, None if high > _NO_LIMIT else high, index)
    limits = {"alpha": low, "beta": high}
    settings = {key: limit for key, limit in limits.items() if abs(limit) < _NO_LIMIT}
    if not settings:
        return builder.view(node, builder.raw(node, index))
    return _activation(builder, node, builder.value(node, index), "clip", settings)


def _plain(function: Function, **parameters: float) -> Handler:
    """Handler of a function, with ONNX's parameters where the node has none."""

    def handler(builder: Builder, node: Node) -> Value:
        given = {key: float(node.attributes.get(key, parameters[key])) for key in parameters}
        return _activation(builder, node, builder.value(node), function, given)

    return handler


def _gelu(builder: Builder, node: Node) -> Value:
    is_tanh = node.attributes.get("approximate", b"none") == b"tanh"
    function: Function = "gelu_tanh" if is_tanh else "gelu"
    return _activation(builder, node, builder.value(node), function, {})


def _selu(builder: Builder, node: Node) -> Value:
    """Selu: an Elu times a factor."""
    attributes = node.attributes
    alpha = {"alpha": float(attributes.get("alpha", SELU_ALPHA))}
    value = _activation(builder, node, builder.value(node), "elu", alpha)
    return _times(builder, node, value, float(attributes.get("gamma", SELU_SCALE)))


def _prelu(builder: Builder, node: Node) -> Value:
    """PRelu with one slope, or one per channel."""
    value, slope = builder.value(node), builder.floats(node, 1, "slope")
    spread = None if slope is None else value.spread(slope)
    if spread is None or spread.shape[1:] != (1, 1):
        rule = "must be one number, or one for each channel"
        raise builder.graph.refuse(node, "slope", None if slope is None else slope.shape, rule)
    each = [float(alpha) for alpha in spread.ravel()]
    slopes: dict[str, Any] = {"alpha": each[0] if len(set(each)) == 1 else each}
    return _activation(builder, node, value, "leaky_relu", slopes)


def composed(builder: Builder, node: Node) -> Value:
    """Convert a function that several operations compose, times a factor."""
    attributes = node.attributes
    value = _activation(builder, node, builder.value(node), attributes["function"], {})
    return _times(builder, node, value, attributes["factor"])


def _times(builder: Builder, node: Node, value: Value, factor: float) -> Value:
    """Output of a node that is a factor times the activations of a layer."""
    each = np.full((value.shape.channels, 1, 1), factor)
    return builder.affine(node, value, Affine(each, np.zeros_like(each)))


def _activation(
    builder: Builder, node: Node, value: Value, function: Function, parameters: Mapping[str, Any]
) -> Value:
    settings: dict[str, Any] = {"type": "activation", "function": function, **parameters}
    return builder.layer(node, [value], settings, like=value)


HANDLERS: dict[str, Handler] = {
    "Abs": _plain("abs"),
    "Celu": _plain("celu", alpha=1.0),
    "Clip": _clip,
    "Elu": _plain("elu", alpha=1.0),
    "Erf": _plain("erf"),
    "Exp": _plain("exp"),
    "Gelu": _gelu,
    "HardSigmoid": _plain("hardsigmoid", alpha=0.2, beta=0.5),
    "HardSwish": _plain("hardswish"),
    "LeakyRelu": _plain("leaky_relu", alpha=0.01),
    "Max": _bound,
    "Min": _bound,
    "Mish": _plain("mish"),
    "PRelu": _prelu,
    "Relu": _relu,
    "Selu": _selu,
    "Sigmoid": _plain("sigmoid"),
    "Softplus": _plain("softplus"),
    "Softsign": _plain("softsign"),
    "Tanh": _plain("tanh"),
}
