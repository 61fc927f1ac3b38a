"""Convert a Pad with zeros: padding of the layers behind it, or a layer of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwsim.config.window import Sides, plain
from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["pad"]


def pad(builder: Builder, node: Node) -> Value:
    """Convert a Pad of height and width with zeros.

    Convolutions take it as their padding, and so do max-pools of what is never negative; else it is
    an average pool of one pixel with padding.
    """
    value = builder.image(node)
    mode = node.attributes.get("mode", b"constant").decode()
    fill = builder.constant(node, 2, "constant_value")
    filler = node.attributes.get("value", 0.0) if fill is None else fill
    if mode != "constant" or np.any(filler):
        raise builder.graph.refuse(node, "mode", mode, "must be constant, with the value 0")
    border = _border(builder, node, value)
    if all(_takes_border(builder, value, border, each) for each in _readers(builder, node)):
        return replace(builder.view(node, value), border=border)
    settings = {"type": "avgpool", "R": 1, "padding": plain(border)}
    return builder.layer(node, [builder.image(node, is_plain=True)], settings)


def _border(builder: Builder, node: Node, value: Value) -> Sides:
    """Zeros at each side."""
    stored, graph = builder.constant(node, 1, "pads"), builder.graph
    pads = list(node.attributes.get("pads", ())) if stored is None else stored.ravel().tolist()
    rank = 1 + len(value.dims)
    axes = builder.constant(node, 3, "axes")
    chosen = list(range(rank)) if axes is None else [axis % rank for axis in axes.ravel().tolist()]
    before, after = [0] * rank, [0] * rank
    if len(pads) != 2 * len(chosen):
        raise graph.refuse(node, "pads", pads, f"must be {2 * len(chosen)} numbers")
    for index, axis in enumerate(chosen):
        before[axis], after[axis] = pads[index], pads[len(chosen) + index]
    if any(before[:2]) or any(after[:2]) or min(pads) < 0:
        raise graph.refuse(node, "pads", pads, "must add to height and width alone")
    top, left = (0, *before[2:])[-2:]
    bottom, right = (0, *after[2:])[-2:]
    return top, left, bottom, right


def _readers(builder: Builder, node: Node) -> list[Node | None]:
    """Nodes that read the padded tensor, and None for an output of the graph."""
    output = node.outputs[0]
    is_last: list[Node | None] = [None] if output in builder.graph.outputs else []
    return [*builder.graph.readers_of(output), *is_last]


def _takes_border(builder: Builder, value: Value, border: Sides, reader: Node | None) -> bool:
    """Whether zeros around what a node reads may be its padding."""
    if reader is None or reader.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return False
    if reader.op == "Conv":
        return True
    draft = builder.drafts.get(value.layer)
    kernel = reader.attributes.get("kernel_shape", ())
    return (
        reader.op == "MaxPool"
        and value.affine is None
        and draft is not None
        and bool(draft.settings.get("relu"))
        # each window has a pixel inside, which is at least 0
        and all(before < size for before, size in zip(border[-len(kernel) :], kernel, strict=True))
    )
