"""Geometry of a convolution, and its activations without unrolling them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.config.window import Sides, pair, sides

__all__ = ["Conv"]

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Conv:
    """The convolution that a GEMM is: ``images`` ifmaps of ``C x H x W``, filters of ``R x S``.

    K is ordered (kernel row, kernel column, input channel), N (image, row, column). Stride,
    padding and dilation are as of :mod:`hwsim.config.window`: one number, or by direction and side.
    """

    images: int
    C: int
    H: int
    W: int
    R: int
    S: int
    stride: int | tuple[int, int] = 1
    padding: int | tuple[int, ...] = 0
    dilation: int | tuple[int, int] = 1

    @property
    def strides(self) -> tuple[int, int]:
        """Stride along height and width."""
        return pair(self.stride)

    @property
    def dilations(self) -> tuple[int, int]:
        """Dilation along height and width."""
        return pair(self.dilation)

    @property
    def pads(self) -> Sides:
        """Padding at the top, left, bottom and right."""
        return sides(self.padding)

    @property
    def P(self) -> int:
        """Height of the ofmap."""
        return (self._padded[0] - self.dilations[0] * (self.R - 1) - 1) // self.strides[0] + 1

    @property
    def Q(self) -> int:
        """Width of the ofmap."""
        return (self._padded[1] - self.dilations[1] * (self.S - 1) - 1) // self.strides[1] + 1

    @property
    def _padded(self) -> tuple[int, int]:
        """Height and width of the ifmap with its border."""
        top, left, bottom, right = self.pads
        return top + self.H + bottom, left + self.W + right

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the ifmap, ``(images, C, H, W)``."""
        return self.images, self.C, self.H, self.W

    def padded(self, ifmap: NDArray[T]) -> NDArray[T]:
        """Ifmap ``(images, C, H, W)`` with its border of zeros."""
        top, left, bottom, right = self.pads
        if not any(self.pads):
            return ifmap
        return np.pad(ifmap, [(0, 0), (0, 0), (top, bottom), (left, right)])

    def taps(self, ifmap: NDArray[T]) -> Iterator[NDArray[T]]:
        """Activations that each tap of the filter meets, in the order of K: ``(images, C, P, Q)``.

        Each is a view of one padded copy of ``ifmap``, ``(images, C, H, W)``.
        """
        padded = self.padded(ifmap)
        (down, right), (row, col) = self.strides, self.dilations
        rows, cols = down * (self.P - 1) + 1, right * (self.Q - 1) + 1
        for r in range(0, self.R * row, row):
            for s in range(0, self.S * col, col):
                yield padded[:, :, r : r + rows : down, s : s + cols : right]

    def unroll(self, ifmap: NDArray[T]) -> NDArray[T]:
        """Activations as a matrix ``(K, N)`` (im2col), from ``(images, C, H, W)``."""
        act: NDArray[Any] = np.empty(
            (self.R * self.S, self.C, self.images, self.P, self.Q), dtype=ifmap.dtype
        )
        for rows, tap in zip(act, self.taps(ifmap), strict=True):
            rows[:] = tap.swapaxes(0, 1)
        return act.reshape(self.R * self.S * self.C, self.images * self.P * self.Q)

    def offsets(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the matrix lies in the padded ifmap in C order: ``flat[k_offset + n_offset]``.

        Returns
        -------
        k_offset, n_offset
            ``(K,)`` and ``(N,)``: element (k, n) of :meth:`unroll` is that of the flat padded ifmap
            at the sum of the two.
        """
        height, width = self._padded
        (down, right), (row, col) = self.strides, self.dilations
        plane = height * width
        r, s, c = np.ogrid[: self.R, : self.S, : self.C]
        k = r * row * width + s * col + c * plane
        image, p, q = np.ogrid[: self.images, : self.P, : self.Q]
        n = image * self.C * plane + p * down * width + q * right
        return k.reshape(-1).astype(np.int64), n.reshape(-1).astype(np.int64)
