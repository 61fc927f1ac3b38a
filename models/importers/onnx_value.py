"""Tensors of an ONNX graph, each a view of the activations of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.config import TensorShape
from hwsim.config.window import Sides

__all__ = ["Affine", "Value"]

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Affine:
    """``scale * x + shift``: each ``(C, 1, 1)``, one value per channel, or ``(C, H, W)``."""

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]

    def then(self, after: Affine) -> Affine:
        """One that does this, and then another."""
        return Affine(self.scale * after.scale, self.shift * after.scale + after.shift)

    @property
    def is_per_channel(self) -> bool:
        """Whether all values of a channel are treated alike."""
        return all(each.shape[1:] == (1, 1) for each in (self.scale, self.shift))

    @property
    def is_nothing(self) -> bool:
        """Whether each value stays, but for the rounding of constants in single precision."""
        return not self.shift.any() and bool((np.abs(self.scale - 1) < 1e-6).all())

    def by_channel(self, channels: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``scale`` and ``shift`` as ``(channels,)``; of one that is per channel."""
        scale, shift = (
            np.broadcast_to(each.reshape(-1), channels) for each in (self.scale, self.shift)
        )
        return scale, shift


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: the activations of a layer, in some shape and order.

    Attributes
    ----------
    layer
        The layer, or ``input``.
    shape
        Shape of the layer's activations.
    alone
        Nothing else reads the activations: the next operation may become part of the layer.
    dims
        Shape of the tensor, without its batch axis.
    order
        Index of each of its elements in the activations ``(C, H, W)``, of shape ``dims``; ``None``
        where they are in order.
    affine
        What is still to be done to the activations, where that is not part of the layer.
    border
        Zeros around the activations behind that, at the top, left, bottom and right; ``dims`` are
        without them. Only for readers that take them as padding.
    """

    layer: str
    shape: TensorShape
    alone: bool
    dims: tuple[int, ...]
    order: Indices | None = None
    affine: Affine | None = None
    border: Sides = (0, 0, 0, 0)
    #: Whether the file has integers here, which a DequantizeLinear will scale.
    is_integer: bool = False

    @property
    def is_image(self) -> bool:
        """Whether the tensor is the activations as they are: ``(N, C, H, W)``, or ``(N, C, W)``.

        The latter of activations with one row.
        """
        size, rank = self.shape, len(self.dims)
        sizes = (size.channels, size.height, size.width)
        is_line = rank == 2 and size.height == 1 and self.dims == (size.channels, size.width)
        return self.order is None and (self.dims == sizes or is_line)

    @property
    def is_volume(self) -> bool:
        """Whether the tensor is ``(N, C, D, H, W)``: planes that lie under each other."""
        size = self.shape
        is_stack = len(self.dims) == 4 and self.dims[1] * self.dims[2] == size.height
        ends = (self.dims[0], self.dims[-1]) == (size.channels, size.width)
        return self.order is None and is_stack and ends

    @property
    def is_all(self) -> bool:
        """Whether the tensor has each of the activations once."""
        if self.order is None:
            return True
        is_met = np.zeros(self.shape.size, bool)
        is_met[self.order.reshape(-1)] = True
        return self.order.size == is_met.size and bool(is_met.all())

    @property
    def is_flat(self) -> bool:
        """Whether the tensor is ``(N, values)``."""
        return len(self.dims) == 1

    @property
    def indices(self) -> Indices:
        """``order``, also where the elements are in order."""
        if self.order is not None:
            return self.order
        return np.arange(self.shape.size).reshape(self.dims)

    def is_like(self, other: Value) -> bool:
        """Whether equal indices of both tensors are equal indices of both layers' activations."""
        if (self.shape, self.dims) != (other.shape, other.dims):
            return False
        if self.order is None and other.order is None:
            return True
        return np.array_equal(self.indices, other.indices)

    def seen(self, order: Indices) -> tuple[tuple[int, ...], Indices | None]:
        """``dims`` and ``order`` of a view of the same activations."""
        in_order = order.size == self.shape.size and np.array_equal(
            order.reshape(-1), np.arange(order.size)
        )
        return order.shape, None if in_order else order

    def spread(self, constant: NDArray[Any]) -> NDArray[np.float64] | None:
        """Arrange a constant that meets the tensor as ``(C, 1, 1)`` or ``(C, H, W)``.

        ``None`` where it does not broadcast to the tensor, or meets an activation with different
        values. What meets an activation that the tensor has not does not matter.
        """
        size, array = self.shape, constant.astype(np.float64)
        if array.size == 1 and array.ndim <= 1 + len(self.dims):
            return np.broadcast_to(array.reshape(1, 1, 1), (size.channels, 1, 1))
        try:
            full = np.broadcast_to(array, (1, *self.dims)).reshape(-1)
        except ValueError:
            return None
        met = np.full(size.size, np.nan)
        met[self.indices.reshape(-1)] = full
        if not np.array_equal(met[self.indices.reshape(-1)], full, equal_nan=True):
            return None
        by_channel, unmet = met.reshape(size.channels, -1), np.isnan(met)
        first = np.zeros(size.channels)
        channel, pixel = np.nonzero(~unmet.reshape(by_channel.shape))
        # of each channel one value: the last that is written
        first[channel] = by_channel[channel, pixel]
        if (by_channel == first[:, None])[~unmet.reshape(by_channel.shape)].all():
            return first[:, None, None]
        met[unmet] = 0
        return met.reshape(size.channels, size.height, size.width)
