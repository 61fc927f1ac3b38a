"""Convert windows of ONNX convolutions and pools; stride, dilation and padding are uniform here."""

from __future__ import annotations

from typing import Any

from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_graph import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["rounded_up", "window"]

Pair = tuple[int, int]


def window(builder: Builder, node: Node, value: Value, kernel: Pair) -> dict[str, Any]:
    """Convert the window of a Conv or a pool to settings of a layer.

    Parameters
    ----------
    builder, node
        The graph's builder, and the node.
    value
        Activations that the node reads.
    kernel
        Rows and columns of the window.

    Raises
    ------
    InputError
        Stride, dilation or padding differ by side.
    """
    attributes = node.attributes
    steps: dict[str, int] = {}
    for key, attribute in (("stride", "strides"), ("dilation", "dilations")):
        sizes = list(attributes.get(attribute, (1, 1)))
        if len(sizes) != 2 or sizes[0] != sizes[1] or sizes[0] < 1:
            rule = "must be the same for height and width, and at least 1"
            raise builder.graph.refuse(node, attribute, sizes, rule)
        steps[key] = sizes[0]
    pads = _pads(node, value, kernel, steps["stride"], steps["dilation"])
    if len(set(pads)) != 1 or pads[0] < 0:
        rule = "must be the same on all four sides"
        raise builder.graph.refuse(node, "pads", pads, rule)
    settings = {"R": kernel[0]} | ({"S": kernel[1]} if kernel[1] != kernel[0] else {})
    uniform = {"stride": steps["stride"], "padding": pads[0], "dilation": steps["dilation"]}
    defaults = {"stride": 1, "padding": 0, "dilation": 1}
    return settings | {key: size for key, size in uniform.items() if size != defaults[key]}


def _pads(node: Node, value: Value, kernel: Pair, stride: int, dilation: int) -> list[int]:
    """Return the padding before height and width, then after: explicit, or by ``auto_pad``."""
    mode = node.attributes.get("auto_pad", b"NOTSET").decode()
    if mode == "NOTSET":
        return list(node.attributes.get("pads", (0, 0, 0, 0)))
    if mode == "VALID":
        return [0, 0, 0, 0]
    before, after = [], []
    for size, taps in zip((value.shape.height, value.shape.width), kernel, strict=True):
        reach = (-(-size // stride) - 1) * stride + dilation * (taps - 1) + 1
        total = max(0, reach - size)
        small, large = total // 2, total - total // 2
        before.append(large if mode == "SAME_LOWER" else small)
        after.append(small if mode == "SAME_LOWER" else large)
    return [*before, *after]


def rounded_up(
    builder: Builder, node: Node, value: Value, settings: dict[str, Any], kind: str
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
    kind
        ``maxpool`` or ``avgpool``.

    Raises
    ------
    InputError
        A window would average positions outside, or begin outside.
    """
    stride, padding = settings.get("stride", 1), settings.get("padding", 0)
    rounding: dict[str, Any] = {}
    sizes = (value.shape.height, value.shape.width)
    for size, taps in zip(sizes, (settings["R"], settings.get("S", settings["R"])), strict=True):
        room = size + 2 * padding - settings.get("dilation", 1) * (taps - 1) - 1
        if room % stride:
            begins_outside = (room // stride + 1) * stride >= size + padding
            if kind == "avgpool" or begins_outside:
                rule = "must be 0 where windows would reach outside"
                raise builder.graph.refuse(node, "ceil_mode", 1, rule)
            rounding = {"ceil": True}
    return rounding
