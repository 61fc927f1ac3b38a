"""Convolution as matrix product: tensors in PyTorch's order to an array's GEMMs, and back.

``ofmap[M, N] = weight[M, K] @ act[K, N]``, one GEMM per group. K is ordered (kernel row, kernel
column, input channel), the channel fastest, so that consecutive K are channels of one tap. N is
image-major, then pixel: ``n = image * P * Q + p * Q + q``. A fully connected layer is a filter as
large as its ifmap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from hwsim.config import LayerShape

__all__ = [
    "inside",
    "lower_act",
    "lower_weight",
    "raise_ofmap",
    "raise_weight",
    "weight_shape",
    "windows",
]

T = TypeVar("T", bound=np.generic)


def weight_shape(shape: LayerShape) -> tuple[int, ...]:
    """Shape of a layer's weight tensor: ``(M, C / G, R, S)``, or ``(M, C * H * W)`` for ``fc``."""
    if shape.layer.type == "fc":
        return (shape.ofmap.channels, shape.ifmap.size)
    return (shape.ofmap.channels, shape.C, shape.R, shape.S)


def lower_weight(shape: LayerShape, weight: NDArray[T]) -> list[NDArray[T]]:
    """Arrange a weight tensor as matrices.

    Parameters
    ----------
    shape
        A ``conv`` or ``fc`` layer.
    weight
        Tensor of :func:`weight_shape`, PyTorch's order.

    Returns
    -------
    list of (M, K) arrays
        One a group, same dtype.
    """
    _must_be("weight", weight.shape, weight_shape(shape))
    groups = weight.reshape(shape.layer.G, shape.M, shape.C, shape.R, shape.S)
    rsc = groups.transpose(0, 1, 3, 4, 2).reshape(shape.layer.G, shape.M, shape.K)
    return [np.ascontiguousarray(group) for group in rsc]


def raise_weight(shape: LayerShape, matrices: Sequence[NDArray[T]]) -> NDArray[T]:
    """Arrange ``(M, K)`` matrices, one a group, as a weight tensor: undo :func:`lower_weight`."""
    for matrix in matrices:
        _must_be("weight", matrix.shape, (shape.M, shape.K))
    rsc = np.stack(matrices).reshape(shape.layer.G, shape.M, shape.R, shape.S, shape.C)
    return rsc.transpose(0, 1, 4, 2, 3).reshape(weight_shape(shape))


def lower_act(shape: LayerShape, ifmap: NDArray[T]) -> list[NDArray[T]]:
    """Unroll activations into matrices (im2col).

    Parameters
    ----------
    shape
        A ``conv`` or ``fc`` layer.
    ifmap
        ``(images, C * G, H, W)``, not yet padded.

    Returns
    -------
    list of (K, N) arrays
        One a group, same dtype; padding is 0.
    """
    taps = windows(shape, ifmap, fill=0)
    images, _, height, width = taps.shape[:4]
    groups = taps.reshape(
        images, shape.layer.G, shape.C, height, width, shape.R, shape.S
    ).transpose(1, 5, 6, 2, 0, 3, 4)
    return [group.reshape(shape.K, images * height * width) for group in groups]


def raise_ofmap(shape: LayerShape, matrices: Sequence[NDArray[T]], images: int) -> NDArray[T]:
    """Arrange ``(M, N)`` results, one a group, as ``(images, M * G, P, Q)``."""
    for matrix in matrices:
        _must_be("ofmap", matrix.shape, (shape.M, images * shape.pixels))
    height, width = shape.ofmap.height, shape.ofmap.width
    groups = np.stack(matrices).reshape(len(matrices), shape.M, images, height, width)
    return groups.transpose(2, 0, 1, 3, 4).reshape(images, shape.ofmap.channels, height, width)


def windows(shape: LayerShape, ifmap: NDArray[T], fill: float) -> NDArray[T]:
    """View each output pixel's window of a ``conv``, ``fc`` or pool layer.

    Parameters
    ----------
    shape
        The layer; its stride, padding and dilation count.
    ifmap
        ``(images, channels, H, W)``.
    fill
        Value of the padding, and of what a window that starts inside may reach outside (``ceil``).

    Returns
    -------
    (images, channels, P, Q, R, S) array
        Read-only view of a padded copy.
    """
    _must_be("ifmap", ifmap.shape[1:], _chw(shape))
    layer = shape.layer
    if layer.type == "fc":
        return ifmap[:, :, None, None, :, :]
    height, width = shape.ofmap.height, shape.ofmap.width
    margins = [(0, 0), (0, 0)]
    (down, right), (row_dilation, col_dilation) = layer.strides, layer.dilations
    top, left, bottom, beyond = layer.pads
    for size, pixels, taps, stride, dilation, before, after in (
        (ifmap.shape[2], height, shape.R, down, row_dilation, top, bottom),
        (ifmap.shape[3], width, shape.S, right, col_dilation, left, beyond),
    ):
        reach = (pixels - 1) * stride + dilation * (taps - 1) + 1
        margins.append((before, max(after, reach - size - before)))
    padded = np.pad(ifmap, margins, constant_values=fill)
    image, channel, row, col = padded.strides
    return as_strided(
        padded,
        (*ifmap.shape[:2], height, width, shape.R, shape.S),
        (
            image,
            channel,
            row * down,
            col * right,
            row * row_dilation,
            col * col_dilation,
        ),
        writeable=False,
    )


def inside(shape: LayerShape) -> NDArray[np.int64]:
    """Count the pixels of each window that are no padding: ``(P, Q)``, of a conv or a pool."""
    pixels = np.ones((1, *_chw(shape)), dtype=np.int64)
    counts: NDArray[np.int64] = windows(shape, pixels, fill=0)[0, 0].sum(axis=(2, 3))
    return counts


def _chw(shape: LayerShape) -> tuple[int, int, int]:
    return (shape.ifmap.channels, shape.ifmap.height, shape.ifmap.width)


def _must_be(what: str, got: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if got != expected:
        raise ValueError(f"{what} has shape {got}, the layer needs {expected}")
