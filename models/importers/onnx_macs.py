"""Multiply-accumulates of ONNX operations, from the shapes of what they read and give."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hwsim.models.importers.onnx_node import Node

__all__ = ["FED", "RECURRENT", "macs"]

Shape = tuple[int, ...]

_PRODUCTS = frozenset({"MatMul", "MatMulInteger", "QLinearMatMul"})
_CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "DeformConv"})
#: Layers with a state.
RECURRENT = frozenset({"GRU", "LSTM", "RNN"})
#: Attribute of one whose input was multiplied by its weights elsewhere.
FED = "fed"


def macs(node: Node, shapes: Mapping[str, Shape]) -> int:
    """Count the multiply-accumulates of one operation; 0 of one without sums of products.

    Parameters
    ----------
    node
        The operation.
    shapes
        Shape of each tensor, constants among them, by name.
    """
    read = [shapes[name] for name in node.inputs if name]
    gives = shapes.get(node.outputs[0], ())
    if node.op in _PRODUCTS:
        return math.prod(gives) * read[0][-1]
    if node.op == "Gemm":
        return math.prod(gives) * read[0][0 if node.attributes.get("transA", 0) else 1]
    if node.op in _CONVOLUTIONS:
        return math.prod(gives) * math.prod(read[1][1:])
    if node.op == "ConvTranspose":
        return math.prod(read[0]) * math.prod(read[1][1:])
    if node.op == "Einsum":
        return _einsum(node.attributes["equation"].decode(), read)
    if node.op in RECURRENT:
        # each step multiplies its input by the one matrix, and the state by the other
        steps = read[0][0] * read[0][1]
        return steps * (math.prod(read[2]) + (0 if FED in node.attributes else math.prod(read[1])))
    if node.op == "Attention":
        # each query meets all keys, and each row of weights all values
        return (math.prod(read[0]) + math.prod(gives)) * read[1][-2]
    return 0


def _einsum(equation: str, read: list[Shape]) -> int:
    """All combinations of its indices, of which those of an ellipsis are read from the right."""
    sizes: dict[str, int] = {}
    for term, shape in zip(
        equation.replace(" ", "").partition("->")[0].split(","), read, strict=True
    ):
        before, dots, after = term.partition("...")
        rest = len(shape) - len(before) - len(after)
        names = [*before, *(f".{rest - index}" for index in range(rest if dots else 0)), *after]
        for name, size in zip(names, shape, strict=True):
            sizes[name] = max(size, sizes.get(name, 1))
    return math.prod(sizes.values())
