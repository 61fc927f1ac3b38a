"""Geometry of a convolution, and its activations without unrolling them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Conv"]

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Conv:
    """The convolution that a GEMM is: ``images`` ifmaps of ``C x H x W``, filters of ``R x S``.

    K is ordered (kernel row, kernel column, input channel), N (image, row, column).
    """

    images: int
    C: int
    H: int
    W: int
    R: int
    S: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @property
    def P(self) -> int:
        """Height of the ofmap."""
        return (self.H + 2 * self.padding - self.dilation * (self.R - 1) - 1) // self.stride + 1

    @property
    def Q(self) -> int:
        """Width of the ofmap."""
        return (self.W + 2 * self.padding - self.dilation * (self.S - 1) - 1) // self.stride + 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the ifmap, ``(images, C, H, W)``."""
        return self.images, self.C, self.H, self.W

    def padded(self, ifmap: NDArray[T]) -> NDArray[T]:
        """Ifmap ``(images, C, H, W)`` with its border of zeros."""
        border = (self.padding, self.padding)
        return np.pad(ifmap, [(0, 0), (0, 0), border, border]) if self.padding else ifmap

    def taps(self, ifmap: NDArray[T]) -> Iterator[NDArray[T]]:
        """Activations that each tap of the filter meets, in the order of K: ``(images, C, P, Q)``.

        Each is a view of one padded copy of ``ifmap``, ``(images, C, H, W)``.
        """
        padded = self.padded(ifmap)
        rows, cols = self.stride * (self.P - 1) + 1, self.stride * (self.Q - 1) + 1
        for r in range(0, self.R * self.dilation, self.dilation):
            for s in range(0, self.S * self.dilation, self.dilation):
                yield padded[:, :, r : r + rows : self.stride, s : s + cols : self.stride]

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
        height, width = self.H + 2 * self.padding, self.W + 2 * self.padding
        plane = height * width
        r, s, c = np.ogrid[: self.R, : self.S, : self.C]
        k = (r * width + s) * self.dilation + c * plane
        image, p, q = np.ogrid[: self.images, : self.P, : self.Q]
        n = image * self.C * plane + (p * width + q) * self.stride
        return k.reshape(-1).astype(np.int64), n.reshape(-1).astype(np.int64)
