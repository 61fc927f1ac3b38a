"""Inputs of an ONNX graph as one image: its channels, and where each of an input's values is.

Inputs of one height and width are channels of one image. Where sizes differ, each value is a
channel of one pixel: of a map pixel after pixel, its channels fastest, as ``depth_to_space`` takes
them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from hwsim.config import TensorShape
from hwsim.errors import InputError
from hwsim.models.importers.onnx_node import Node

__all__ = ["Source", "read_inputs"]

#: Axes that an input may have, its batch among them.
_RANKS = (2, 3, 4, 5)
#: Operations that read lines, with their channels first.
_CHANNELS_FIRST = frozenset(
    {"AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "MaxPool"}
)
#: Values of an input, at most: 4096 x 4096.
LARGEST = 1 << 24
#: Types that an input may have, by ONNX's numbers: real numbers, or bytes that are pixels.
_TYPES = {1: "float", 2: "uint8", 10: "float16", 11: "double"}


@dataclass(frozen=True)
class Source:
    """An input of the file.

    ``type`` is ONNX's number of its type, ``dims`` its shape behind the batch axis, ``order`` the
    index of each of its values in the image ``(C, H, W)``, of shape ``dims``. ``is_whole``: it has
    no batch axis, and ``dims`` are all axes.
    """

    name: str
    type: int
    dims: tuple[int, ...]
    order: NDArray[np.int64]
    is_whole: bool = False

    def axes(self, batch: int) -> tuple[int, ...]:
        """Shape in the file, of a batch."""
        return self.dims if self.is_whole else (batch, *self.dims)


def read_inputs(
    path: Path,
    inputs: Sequence[onnx.ValueInfoProto],
    readers: Mapping[str, Sequence[Node]],
    size: Sequence[int] | None,
    *,
    outside: bool = False,
) -> tuple[int, TensorShape, tuple[Source, ...]]:
    """Read the inputs: the channels, or values, of several lie one behind the other in the image.

    Parameters
    ----------
    path
        The file, for messages.
    inputs
        What the file says of them.
    readers
        Nodes that read each.
    size
        Axes of each behind the batch, where the file leaves some open.
    outside
        Operations may run beside the array: the batch is 1, and a first axis of another fixed size
        is no batch; there may be any number of axes.

    Returns
    -------
    batch, shape, sources
        The batch is 1 where it is not fixed.

    Raises
    ------
    InputError
        There is none; a size is not known, or too large; one has another type; or several differ
        in batch.
    """
    if not inputs:
        raise InputError(path, "graph", None, "must compute its output from its input")
    batches, shapes, sources = set(), [], []
    for value in inputs:
        batch, dims = _dims(path, value, size, outside=outside)
        if math.prod(dims) > LARGEST:
            rule = f"must have at most {LARGEST:,} values: the file is run as it is read"
            raise InputError(path, f"input {value.name}.shape", dims, rule)
        is_whole = outside and batch > 1
        if is_whole:
            batch, dims = 1, (batch, *dims)
        may_be_rows = outside and (is_whole or len(dims) == 2)
        shape, order = _image(path, value, dims, readers[value.name], may_be_rows=may_be_rows)
        kind = value.type.tensor_type.elem_type
        if kind not in _TYPES:
            rule = f"must be one of {', '.join(_TYPES.values())}"
            raise InputError(path, f"input {value.name}.type", kind, rule)
        sources.append(Source(value.name, kind, dims, order, is_whole))
        batches.add(batch)
        shapes.append(shape)
    if len(batches) > 1:
        listed = ", ".join(f"{source.name} {source.dims}" for source in sources)
        raise InputError(path, "graph", None, f"inputs must have the same batch: {listed}")
    whole, orders = _joined(path, shapes, [source.order for source in sources])
    placed = (replace(each, order=order) for each, order in zip(sources, orders, strict=True))
    return batches.pop(), whole, tuple(placed)


def _joined(
    path: Path, shapes: Sequence[TensorShape], orders: Sequence[NDArray[np.int64]]
) -> tuple[TensorShape, list[NDArray[np.int64]]]:
    """Shape of the image that holds several, and the order of the values of each in there."""
    firsts = np.cumsum([0, *(shape.size for shape in shapes)])
    if len({(shape.height, shape.width) for shape in shapes}) == 1:
        channels = sum(shape.channels for shape in shapes)
        whole = shapes[0].model_copy(update={"channels": channels})
    else:
        try:
            whole = TensorShape(channels=int(firsts[-1]))
        except ValueError as error:
            rule = f"inputs of several sizes must have fewer values than {firsts[-1]:,} together"
            raise InputError(path, "graph", None, rule) from error
        orders = [_by_pixel(*each) for each in zip(shapes, orders, strict=True)]
    return whole, [order + first for order, first in zip(orders, firsts, strict=False)]


def _by_pixel(shape: TensorShape, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices into ``(C, H, W)`` as indices into ``(H, W, C)``."""
    places = np.arange(shape.size).reshape(shape.height, shape.width, shape.channels)
    found: NDArray[np.int64] = places.transpose(2, 0, 1).reshape(-1)[order]
    return found


def _dims(
    path: Path, value: onnx.ValueInfoProto, size: Sequence[int] | None, *, outside: bool
) -> tuple[int, tuple[int, ...]]:
    """Return batch, which is 1 where it is not fixed, and the other axes of the input."""
    stored = [
        dim.dim_value if dim.HasField("dim_value") else None
        for dim in value.type.tensor_type.shape.dim
    ]
    key, dims = f"input {value.name}.shape", stored
    if size is not None:
        fits = len(size) == len(stored) - 1 and all(
            fixed in (None, given) for fixed, given in zip(stored[1:], size, strict=True)
        )
        if not fits:
            given = "x".join(map(str, size))
            raise InputError(path, key, stored, f"must fit --size {given}, behind the batch")
        dims = [stored[0] if stored else None, *size]
    if len(dims) not in _RANKS and not (outside and len(dims) > max(_RANKS)):
        rule = "must be (N, C, H, W), (N, C, D, H, W), (N, C, W) or (N, values)"
        raise InputError(path, key, dims, rule)
    if not all(dims[1:]):
        rule = "must be fixed but for the batch: give them by hwsim import --size 3x224x224"
        raise InputError(path, key, dims, rule)
    return dims[0] or 1, tuple(dim for dim in dims[1:] if dim)


def _image(
    path: Path,
    value: onnx.ValueInfoProto,
    dims: tuple[int, ...],
    readers: Sequence[Node],
    *,
    may_be_rows: bool,
) -> tuple[TensorShape, NDArray[np.int64]]:
    """Shape of the image that the input holds, and the order of its values there.

    An input that is only transposed to ``(N, C, H, W)`` or ``(N, C, W)`` holds its channels last.
    So does one of rows, which products read, and what may run beside the array.
    """
    last = [0, len(dims), *range(1, len(dims))]
    are_rows = (len(dims) == 2 and all(node.op == "MatMul" for node in readers)) or (
        may_be_rows and not any(node.op in _CHANNELS_FIRST for node in readers)
    )
    is_last = bool(readers) and all(
        are_rows or (node.op == "Transpose" and list(node.attributes.get("perm", ())) == last)
        for node in readers
    )
    sizes = (dims[-1], *dims[:-1]) if is_last else dims
    if len(sizes) > len(TensorShape.model_fields):
        # planes lie under each other
        sizes = (sizes[0], math.prod(sizes[1:-1]), sizes[-1])
    axes = ("channels", "width") if len(dims) == 2 else ("channels", "height", "width")
    try:
        shape = TensorShape.model_validate(dict(zip(axes, sizes, strict=False)))
    except ValueError as error:
        rule = "must be sizes that a layer may have"
        raise InputError(path, f"input {value.name}.shape", dims, rule) from error
    order = np.arange(shape.size).reshape(sizes)
    return shape, (np.moveaxis(order, 0, -1) if is_last else order).reshape(dims)
