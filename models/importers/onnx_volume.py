"""Reduce convolutions of three spatial dimensions to two, where one of the three does nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.models.importers.onnx_builder import Builder
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["flat"]

Floats = NDArray[np.float32]


def flat(
    builder: Builder, node: Node, value: Value, weight: Floats
) -> tuple[Node, Value, Floats, int]:
    """Reduce a Conv of volumes ``(N, C, D, H, W)`` to one of images.

    Planes lie under each other in the layer's activations, ``(C, D * H, W)``. An input of one plane
    meets one plane of the kernel; a kernel of one plane and one row does not join them.

    Parameters
    ----------
    builder, node
        The graph's builder, and the Conv.
    value
        What it reads.
    weight
        ``(M, C / G, depth, R, S)``.

    Returns
    -------
    node, value, weight, planes
        Those of a Conv of images, and the number of planes of its output.

    Raises
    ------
    InputError
        The kernel joins planes.
    """
    graph, attributes = builder.graph, node.attributes
    if not value.is_volume:
        rule = "must be (N, C, D, H, W), in the order of a layer"
        raise graph.refuse(node, f"input {node.inputs[0]}", value.dims, rule)
    depth, *kernel = weight.shape[2:]
    planes = value.dims[1]
    strides = list(attributes.get("strides", [1] * 3))
    dilations = list(attributes.get("dilations", [1] * 3))
    pads = list(attributes.get("pads", [0] * 6))
    is_explicit = attributes.get("auto_pad", b"NOTSET") == b"NOTSET" and len(pads) == 6
    front, top, _, back, bottom, _ = pads if is_explicit else [0] * 6
    # the plane of the kernel that meets the only one of the input, and planes that it gives
    tap, rest = divmod(front, dilations[0])
    gives = (planes + front + back - dilations[0] * (depth - 1) - 1) // strides[0] + 1
    meets_one = planes == 1 and gives == 1 and rest == 0 and tap < depth
    is_row = depth == kernel[0] == 1 and strides[:2] == [1, 1] and not (front or back)
    is_row = is_row and not (top or bottom)
    if not is_explicit or not (meets_one or is_row):
        rule = (
            "must not join planes: of an input of one plane, or 1 x 1 x S with stride 1 and no "
            "padding but along the width (hwsim import --outside float runs it)"
        )
        raise graph.refuse(node, "kernel of three dimensions", weight.shape[2:], rule)
    reduced: dict[str, Any] = attributes | {
        "kernel_shape": kernel,
        "strides": strides[1:],
        "dilations": dilations[1:],
        "pads": pads[1:3] + pads[4:],
    }
    shape = value.shape
    image = replace(value, dims=(shape.channels, shape.height, shape.width))
    plane = weight[:, :, tap if meets_one else 0]
    return replace(node, attributes=reduced), image, plane, planes
