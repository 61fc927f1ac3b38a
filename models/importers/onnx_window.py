"""Convert windows of ONNX convolutions and pools, of one or two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwsim.config.window import Sides, pair, plain, sides
from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["rounded_up", "window"]


def window(builder: Builder, node: Node, value: Value, kernel: Sequence[int]) -> dict[str, Any]:
    """Convert the window of a Conv or a pool to settings of a layer.

    Parameters
    ----------
    builder, node
        The graph's builder, and the node.
    value
        Activations that the node reads; its ``border`` is part of the padding.
    kernel
        Rows and columns of the window; columns where the activations have one row.

    Raises
    ------
    InputError
        A stride or a dilation is not at least 1 for each dimension, or padding is negative.
    """
    rank = len(kernel)
    if rank != len(value.dims) - 1:
        rule = f"must have {len(value.dims) - 1} numbers, the dimensions of its input"
        raise builder.graph.refuse(node, "kernel_shape", tuple(kernel), rule)
    rows, columns = (1, *kernel)[-2:]
    settings: dict[str, Any] = {"R": rows} | ({"S": columns} if columns != rows else {})
    for key, attribute in (("stride", "strides"), ("dilation", "dilations")):
        sizes = list(node.attributes.get(attribute, [1] * rank))
        if len(sizes) != rank or min(sizes) < 1:
            rule = f"must be {rank} numbers of at least 1"
            raise builder.graph.refuse(node, attribute, sizes, rule)
        size = plain([sizes[0], sizes[-1]])
        if size != 1:
            settings[key] = size
    pads = _pads(builder, node, value, settings)
    if min(pads) < 0:
        raise builder.graph.refuse(node, "pads", list(pads), "must not be negative")
    padding = plain([own + border for own, border in zip(pads, value.border, strict=True)])
    return settings | ({"padding": padding} if padding else {})


def _pads(builder: Builder, node: Node, value: Value, settings: dict[str, Any]) -> Sides:
    """Return the node's own padding: explicit, or by ``auto_pad``."""
    mode = node.attributes.get("auto_pad", b"NOTSET").decode()
    rank = len(value.dims) - 1
    if mode == "VALID":
        return 0, 0, 0, 0
    if mode == "NOTSET":
        pads = list(node.attributes.get("pads", [0] * 2 * rank))
        if len(pads) != 2 * rank:
            rule = f"must be {2 * rank} numbers"
            raise builder.graph.refuse(node, "pads", pads, rule)
        return sides(tuple(pads)) if rank == 2 else (0, pads[0], 0, pads[1])
    before, after = [], []
    strides, dilations = pair(settings.get("stride", 1)), pair(settings.get("dilation", 1))
    kernel = (settings["R"], settings.get("S", settings["R"]))
    sizes = (value.shape.height, value.shape.width)
    for size, taps, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        reach = (-(-size // stride) - 1) * stride + dilation * (taps - 1) + 1
        total = max(0, reach - size)
        small, large = total // 2, total - total // 2
        before.append(large if mode == "SAME_LOWER" else small)
        after.append(small if mode == "SAME_LOWER" else large)
    return before[0], before[1], after[0], after[1]


def rounded_up(
    builder: Builder, node: Node, value: Value, settings: dict[str, Any], *, counts: bool
) -> dict[str, Any]:
    """Return the setting for an output size that is rounded up, empty where nothing changes.

    Parameters
    ----------
    builder, node
        The graph's builder, and the node.
    value
        Activations that the node reads.
    settings
        Window of the layer, from :func:`window`.
    counts
        Whether padding counts as pixels: then what lies beyond it must not be reached.

    Raises
    ------
    InputError
        A window would average pixels beyond the padding, or begin outside.
    """
    strides, dilations = pair(settings.get("stride", 1)), pair(settings.get("dilation", 1))
    top, left, bottom, right = sides(settings.get("padding", 0))
    kernel = (settings["R"], settings.get("S", settings["R"]))
    rounding: dict[str, Any] = {}
    for size, taps, stride, dilation, before, after in zip(
        (value.shape.height, value.shape.width), kernel, strides, dilations,
        (top, left), (bottom, right), strict=True,
    ):  # fmt: skip
        room = size + before + after - dilation * (taps - 1) - 1
        if room % stride:
            begins_outside = (room // stride + 1) * stride >= size + before
            if counts or begins_outside:
                rule = "must be 0 where windows would reach outside"
                raise builder.graph.refuse(node, "ceil_mode", 1, rule)
            rounding = {"ceil": True}
    return rounding
