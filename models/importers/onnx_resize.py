"""Convert a Resize that repeats pixels: each value is that of the nearest pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["resize"]

_ROUNDINGS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda real: np.ceil(real - 0.5),
    "round_prefer_ceil": lambda real: np.floor(real + 0.5),
}


def resize(builder: Builder, node: Node) -> Value:
    """Convert a Resize or Upsample that repeats pixels, or leaves some out."""
    value, attributes = builder.raw(node), node.attributes
    mode = attributes.get("mode", b"nearest").decode()
    if mode != "nearest":
        raise builder.graph.refuse(node, "mode", mode, "must be nearest")
    scales, sizes = _scales(builder, node, value)
    if scales is None or len(scales) != 1 + len(value.dims) or scales[0] != 1:
        rule = f"must be {1 + len(value.dims)} numbers, the first of them 1"
        raise builder.graph.refuse(node, "scales", scales, rule)
    order = value.indices
    for axis, scale in enumerate(scales[1:]):
        size = sizes[1 + axis] if sizes else int(np.floor(value.dims[axis] * scale))
        places = _nearest(builder, node, value.dims[axis], size, scale)
        order = order.take(places, axis=axis)
    return builder.view(node, value, order)


def _scales(
    builder: Builder, node: Node, value: Value
) -> tuple[list[float] | None, list[int] | None]:
    """Scales along each axis, batch first; and output sizes where the node has them."""
    attributes = node.attributes
    if "scales" in attributes:
        return list(attributes["scales"]), None
    index = 1 if node.op == "Upsample" or builder.graph.opset < 11 else 2
    scales = builder.constant(node, index, "scales")
    if scales is not None and scales.size:
        return [float(scale) for scale in scales.ravel()], None
    stored = builder.constant(node, 3, "sizes")
    if stored is None or stored.size != 1 + len(value.dims):
        return None, None
    sizes = [int(size) for size in stored.ravel()]
    before = (builder.graph.batch, *value.dims)
    return [size / own for size, own in zip(sizes, before, strict=True)], sizes


def _nearest(
    builder: Builder, node: Node, before: int, after: int, scale: float
) -> NDArray[np.int64]:
    """Index of the pixel that each of ``after`` pixels repeats: ONNX's formulas."""
    attributes = node.attributes
    # Upsample, and Resize before there was a choice
    old = node.op == "Upsample" or builder.graph.opset < 11
    mode = (
        "asymmetric" if old else _text(attributes, "coordinate_transformation_mode", "half_pixel")
    )
    rounding = "floor" if old else _text(attributes, "nearest_mode", "round_prefer_floor")
    places = np.arange(after, dtype=np.float64)
    if mode == "asymmetric":
        real = places / scale
    elif mode in ("half_pixel", "pytorch_half_pixel"):
        is_one = mode == "pytorch_half_pixel" and after == 1
        real = np.zeros(after) if is_one else (places + 0.5) / scale - 0.5
    elif mode == "align_corners":
        real = places * (before - 1) / max(1, after - 1)
    else:
        rule = "must be asymmetric, half_pixel, pytorch_half_pixel or align_corners"
        raise builder.graph.refuse(node, "coordinate_transformation_mode", mode, rule)
    whole = _ROUNDINGS[rounding](real)
    return np.clip(whole, 0, before - 1).astype(np.int64)


def _text(attributes: Mapping[str, Any], key: str, default: str) -> str:
    found: bytes = attributes.get(key, default.encode())
    return found.decode()
