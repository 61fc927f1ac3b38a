"""Non-zeros of the blocks of activations, from which the array's cycles follow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.systolic.model import Ints, split
from hwsim.config import DBBConfig
from hwsim.formats.nm import blocks
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM

__all__ = ["sub_beats"]

Counts = NDArray[np.uint8]


def sub_beats(array: DBBConfig, gemm: GEMM, kept: Ints) -> Ints:
    """Cycles in which activations of a pixel fold enter the array, for all its blocks together.

    Parameters
    ----------
    kept
        K indices that are streamed, ascending: the blocks are cut from these.

    Returns
    -------
    ndarray
        ``(pixel folds,)``. Where activations are absent, none is zero.
    """
    folds, _ = split(gemm.N, array.cols)
    total = np.zeros(folds, dtype=np.int64)
    for nonzeros in _nonzeros(array.m, gemm, kept):
        room = [(0, 0), (0, folds * array.cols - nonzeros.shape[1])]
        most = np.pad(nonzeros, room).reshape(len(nonzeros), folds, array.cols).max(axis=2)
        total += np.maximum(1, (most + (array.n - 1)) // array.n).sum(axis=0, dtype=np.int64)
    return total


def _nonzeros(m: int, gemm: GEMM, kept: Ints) -> Iterator[Counts]:
    """Non-zero activations of each block and pixel, ``(some blocks, N)``."""
    if gemm.ifmap is not None and gemm.conv is not None:
        yield from _of_ifmap(m, gemm.conv, gemm.ifmap, kept)
        return
    if gemm.matrix is not None:
        nonzero = blocks((gemm.matrix[kept] != 0).T, m)
        yield nonzero.sum(axis=2, dtype=np.uint8).T
        return
    sizes = blocks(np.ones((1, len(kept)), dtype=np.uint8), m).sum(axis=2, dtype=np.uint8)
    yield np.broadcast_to(sizes.T, (sizes.size, gemm.N))


def _of_ifmap(m: int, conv: Conv, ifmap: NDArray[np.integer], kept: Ints) -> Iterator[Counts]:
    """Count the non-zeros of some channels at each pixel of the ifmap once, for all taps."""
    nonzero = ifmap != 0
    planes: dict[tuple[int, ...], list[NDArray[np.uint8]]] = {}

    def taps(channels: tuple[int, ...]) -> list[NDArray[np.uint8]]:
        if channels not in planes:
            plane = nonzero[:, channels].sum(axis=1, keepdims=True, dtype=np.uint8)
            planes[channels] = list(conv.taps(plane))
        return planes[channels]

    for first in range(0, len(kept), m):
        total: Counts = np.zeros((conv.images, 1, conv.P, conv.Q), dtype=np.uint8)
        positions = (divmod(k, conv.C) for k in kept[first : first + m].tolist())
        for tap, piece in groupby(positions, key=lambda position: position[0]):
            total += taps(tuple(channel for _, channel in piece))[tap]
        yield total.reshape(1, -1)
