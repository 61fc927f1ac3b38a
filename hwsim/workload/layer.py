"""A layer with its tensors: what travels from a network to an array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerShape
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM
from hwsim.workload.lowering import lower_act, lower_weight

__all__ = ["Layer", "conv_of"]

Matrix = NDArray[np.integer]


def conv_of(shape: LayerShape, images: int) -> Conv | None:
    """Geometry of one group of a convolution; ``None`` for any other layer.

    A layer whose ofmap is rounded up to another size is no such convolution either.
    """
    layer = shape.layer
    if layer.type != "conv":
        return None
    conv = Conv(
        images, shape.C, shape.ifmap.height, shape.ifmap.width, shape.R, shape.S,
        layer.stride, layer.padding, layer.dilation,
    )  # fmt: skip
    return conv if (shape.ofmap.height, shape.ofmap.width) == (conv.P, conv.Q) else None


@dataclass(frozen=True)
class Layer:
    """A layer with weights, as an array gets it: its matrices are views (:meth:`gemms`).

    Where weights are absent, every weight that the format keeps is non-zero; where activations are
    absent, every activation is: then a count depends on the shape alone.

    Attributes
    ----------
    M, K, N
        Output channels, depth and pixels x images of the product of one group.
    groups
        Number of groups.
    weights
        ``(M, K)`` of each group.
    ifmap
        ``(images, C * groups, H, W)``: activations of a convolution, not yet padded.
    matrices
        ``(K, N)`` of each group: activations that are no ifmap of ``conv``.
    conv
        Geometry of one group, where the layer is a convolution.
    taps
        Pixels of the filter: K is ordered (tap, channel).
    """

    name: str
    M: int
    K: int
    N: int
    groups: int = 1
    weights: tuple[Matrix, ...] | None = None
    ifmap: NDArray[np.integer] | None = None
    matrices: tuple[Matrix, ...] | None = None
    conv: Conv | None = None
    taps: int = 1

    @classmethod
    def of_shape(cls, shape: LayerShape, images: int) -> Layer:
        """Shape of a network's layer, without tensors."""
        return cls(
            shape.layer.name, shape.M, shape.K, shape.pixels * images, shape.layer.G,
            conv=conv_of(shape, images),
        )  # fmt: skip

    @classmethod
    def of_tensors(
        cls, shape: LayerShape, weight: NDArray[np.integer], ifmap: NDArray[np.integer]
    ) -> Layer:
        """Layer of a network with its tensors.

        Parameters
        ----------
        weight
            In PyTorch's order (:func:`~hwsim.workload.lowering.weight_shape`).
        ifmap
            ``(images, channels, H, W)``, not yet padded.

        Raises
        ------
        ValueError
            A tensor has not the shape of the layer.
        """
        conv = conv_of(shape, len(ifmap))
        weights = tuple(lower_weight(shape, weight))
        size = (shape.M, shape.K, shape.pixels * len(ifmap), shape.layer.G)
        if conv is None:
            matrices = tuple(lower_act(shape, ifmap))
            taps = shape.R * shape.S
            return cls(shape.layer.name, *size, weights, matrices=matrices, taps=taps)
        expected = (shape.ifmap.channels, shape.ifmap.height, shape.ifmap.width)
        if ifmap.shape[1:] != expected:
            raise ValueError(f"ifmap has shape {ifmap.shape[1:]}, the layer needs {expected}")
        return cls(shape.layer.name, *size, weights, ifmap, conv=conv, taps=shape.R * shape.S)

    @classmethod
    def of_gemms(cls, name: str, gemms: Sequence[GEMM]) -> Layer:
        """Layer of matrices with operands, one GEMM per group."""
        first = gemms[0]
        weights = tuple(gemm.weight for gemm in gemms if gemm.weight is not None)
        acts = tuple(act for gemm in gemms if (act := gemm.act) is not None)
        size = (first.M, first.K, first.N, len(gemms))
        return cls(name, *size, weights or None, matrices=acts or None, conv=first.conv)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense layer, all groups."""
        return self.groups * self.M * self.K * self.N

    @property
    def is_shape(self) -> bool:
        """Whether there are no tensors: all groups are alike."""
        return self.weights is None and self.ifmap is None and self.matrices is None

    def acts(self) -> tuple[Matrix, ...] | None:
        """Activations ``(K, N)`` of each group, unrolled."""
        found = [act for gemm in self.gemms() if (act := gemm.act) is not None]
        return tuple(found) or None

    def gemms(self) -> list[GEMM]:
        """Views of the layer, one GEMM per group; nothing is copied or unrolled."""
        return [self._gemm(group) for group in range(self.groups)]

    def _gemm(self, group: int) -> GEMM:
        ifmap = None
        if self.ifmap is not None and self.conv is not None:
            ifmap = self.ifmap[:, group * self.conv.C : (group + 1) * self.conv.C]
        return GEMM(
            self.M,
            self.K,
            self.N,
            self.weights[group] if self.weights is not None else None,
            self.matrices[group] if self.matrices is not None else None,
            self.name,
            self.conv,
            ifmap,
        )
