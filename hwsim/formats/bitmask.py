"""Bit masks with packed non-zeros (SparTen, MICRO 2019).

A row of the matrix is cut into chunks of ``chunk`` positions. Each chunk is a mask, one bit per
position that says whether the weight there is stored, and its non-zeros packed in the order of the
bits. The array walks the chunks of its filters in one order, so the start of a chunk's values is
the sum of the masks before it: there are no pointers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.formats.base import Bits, check_matrix

__all__ = [
    "PIECE",
    "BitmaskMatrix",
    "bits",
    "decode",
    "encode",
    "mask_words",
    "measure",
    "nonzeros",
]

#: Bits of a mask that one write of the weight stream carries.
PIECE = BitmaskConfig.PIECE


@dataclass(frozen=True)
class BitmaskMatrix:
    """A weight matrix as masks and values.

    ``mask`` is ``(M, chunks, chunk)``, positions beyond K clear. ``values`` are the non-zeros of
    all rows one after the other, ascending K.
    """

    shape: tuple[int, int]
    mask: NDArray[np.bool_]
    values: NDArray[np.int64]

    @property
    def chunk(self) -> int:
        """Positions that one mask covers."""
        return int(self.mask.shape[2])

    @property
    def starts(self) -> NDArray[np.int64]:
        """Index in ``values`` of each chunk's first non-zero, ``(M, chunks)``."""
        sizes = self.mask.sum(axis=2, dtype=np.int64).reshape(-1)
        starts: NDArray[np.int64] = (np.cumsum(sizes) - sizes).reshape(self.mask.shape[:2])
        return starts


def encode(weight: NDArray[np.integer], chunk: int) -> BitmaskMatrix:
    """Encode ``weight[M, K]`` in chunks of ``chunk`` positions.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    """
    check_matrix(weight)
    num_rows, num_cols = weight.shape
    is_nonzero = weight != 0
    padded = np.pad(is_nonzero, ((0, 0), (0, -num_cols % chunk)))
    return BitmaskMatrix(
        (num_rows, num_cols),
        padded.reshape(num_rows, -1, chunk),
        weight[is_nonzero].astype(np.int64),
    )


def decode(matrix: BitmaskMatrix) -> NDArray[np.int64]:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    num_rows, num_cols = matrix.shape
    weight = np.zeros(matrix.shape, dtype=np.int64)
    weight[matrix.mask.reshape(num_rows, -1)[:, :num_cols]] = matrix.values
    return weight


def mask_words(mask: NDArray[np.bool_], width: int) -> NDArray[np.int64]:
    """Masks ``(..., chunk)`` as words ``(..., words)`` of ``width`` bits, lowest first."""
    split = mask.reshape(*mask.shape[:-1], -1, width)
    words: NDArray[np.int64] = split @ (np.int64(1) << np.arange(width))
    return words


def bits(matrix: BitmaskMatrix, weight_width: int, pointer_width: int = 0) -> Bits:
    """Size by kind: values, a mask bit per weight; mask bits beyond K are padding.

    Parameters
    ----------
    pointer_width
        Bits of a pointer to each chunk's values, for a reader that does not walk them in order;
        0 where, as in the array, there is none.
    """
    return _bits(matrix.shape, matrix.chunk, len(matrix.values), (weight_width, pointer_width))


def _bits(shape: tuple[int, int], chunk: int, nonzeros: int, widths: tuple[int, int]) -> Bits:
    """Size of a matrix with ``nonzeros`` non-zeros, of the bits of a value and of a pointer."""
    (num_rows, num_cols), (weight_width, pointer_width) = shape, widths
    chunks = -(-num_cols // chunk)
    return Bits(
        values=nonzeros * weight_width,
        indices=num_rows * num_cols,
        pointers=num_rows * chunks * pointer_width,
        padding=num_rows * (chunks * chunk - num_cols),
    )


def measure(
    arch: ArchConfig,
    weight: NDArray[np.integer] | None,
    shape: tuple[int, int],
    channels: int = 0,
    name: str = "bitmask format",
) -> Bits:
    """Size of a weight matrix in a design's chunks, counted without encoding the matrix.

    Without weights none is zero.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    """
    if weight is None:
        stored = nonzeros(arch, shape)
    else:
        check_matrix(weight)
        shape, stored = (len(weight), weight.shape[1]), int(np.count_nonzero(weight))
    return _bits(shape, arch.array_as(BitmaskConfig).chunk, stored, (arch.numbers.weight_width, 0))


def nonzeros(arch: ArchConfig, shape: tuple[int, int], channels: int = 0) -> int:
    """Weights that the format keeps of a matrix without a zero: all."""
    return shape[0] * shape[1]
