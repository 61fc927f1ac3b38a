"""One matrix product: what an array computes at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.workload.conv import Conv

__all__ = ["GEMM"]


@dataclass(frozen=True)
class GEMM:
    """``ofmap[M, N] = weight[M, K] @ act[K, N]``: a view of one group of a layer.

    Where weights are absent, every weight that the format keeps is non-zero; where activations are
    absent, every activation is. The activations of a convolution stay an ifmap until :attr:`act`
    unrolls them.

    Attributes
    ----------
    weight
        ``(M, K)``.
    matrix
        ``(K, N)``: the activations, where they are given as a matrix.
    ifmap
        ``(images, C, H, W)``: the activations, where they are given as the ifmap of ``conv``.
    conv
        Geometry, where the product is a convolution.
    """

    M: int
    K: int
    N: int
    weight: NDArray[np.integer] | None = None
    matrix: NDArray[np.integer] | None = None
    name: str = "gemm"
    conv: Conv | None = None
    ifmap: NDArray[np.integer] | None = None

    @classmethod
    def of(
        cls,
        weight: NDArray[np.integer],
        act: NDArray[np.integer],
        name: str = "gemm",
        conv: Conv | None = None,
    ) -> GEMM:
        """GEMM of two matrices that agree in K."""
        (m, k), (k_act, n) = weight.shape, act.shape
        if k != k_act:
            raise ValueError(f"weight has K = {k}, act has K = {k_act}")
        return cls(m, k, n, weight, act, name, conv)

    @property
    def has_act(self) -> bool:
        """Whether activations are given."""
        return self.matrix is not None or self.ifmap is not None

    @property
    def act(self) -> NDArray[np.integer] | None:
        """Activations ``(K, N)``; unrolled anew at each call where they are an ifmap."""
        if self.ifmap is None or self.conv is None:
            return self.matrix
        return self.conv.unroll(self.ifmap)

    @property
    def channels(self) -> int:
        """Input channels of a layer that a 3x3 window unit takes; 0 for any other.

        That is a 3x3 convolution without dilation, of stride 1 or 2, with at most one pixel of
        padding, each alike in all directions.
        """
        conv = self.conv
        if conv is None or (conv.R, conv.S, *conv.dilations) != (3, 3, 1, 1):
            return 0
        is_even = conv.strides in ((1, 1), (2, 2)) and conv.pads in ((0,) * 4, (1,) * 4)
        return conv.C if is_even else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense product."""
        return self.M * self.K * self.N

    def nonzero_acts(self) -> NDArray[np.int64]:
        """Number of non-zero activations of each K, ``(K,)``, without unrolling an ifmap."""
        if self.ifmap is not None and self.conv is not None:
            taps = self.conv.taps(self.ifmap != 0)
            return np.concatenate([tap.sum(axis=(0, 2, 3), dtype=np.int64) for tap in taps])
        if self.matrix is None:
            return np.full(self.K, self.N, dtype=np.int64)
        per_k: NDArray[np.int64] = np.count_nonzero(self.matrix, axis=1).astype(np.int64)
        return per_k
