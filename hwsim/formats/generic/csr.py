"""Compressed sparse rows: the non-zeros of each row with their columns, and where each row begins.

``M + 1`` row pointers; entries of row m are ``pointers[m]`` to ``pointers[m + 1]``, exclusive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NumberConfig
from hwsim.formats.base import Bits, check_matrix, index_width

__all__ = ["CSRMatrix", "bits", "decode", "encode", "size"]


@dataclass(frozen=True)
class CSRMatrix:
    """A weight matrix of ``shape`` ``(M, K)``; one value and one column for each entry."""

    shape: tuple[int, int]
    pointers: NDArray[np.int64]
    values: NDArray[np.int64]
    cols: NDArray[np.int64]


def encode(weight: NDArray[np.integer]) -> CSRMatrix:
    """Encode ``weight[M, K]``.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    """
    check_matrix(weight)
    num_rows, num_cols = weight.shape
    rows, cols = np.nonzero(weight)
    pointers = np.zeros(num_rows + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=num_rows), out=pointers[1:])
    return CSRMatrix((num_rows, num_cols), pointers, weight[rows, cols].astype(np.int64), cols)


def decode(matrix: CSRMatrix) -> NDArray[np.int64]:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    weight = np.zeros(matrix.shape, dtype=np.int64)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.pointers))
    weight[rows, matrix.cols] = matrix.values
    return weight


def bits(matrix: CSRMatrix, weight_width: int) -> Bits:
    """Size by kind: a value and a column for each non-zero; pointers as wide as the last needs."""
    count = len(matrix.values)
    return Bits(
        values=count * weight_width,
        indices=count * index_width(matrix.shape[1]),
        pointers=len(matrix.pointers) * index_width(count + 1),
    )


def size(matrices: Sequence[NDArray[np.integer]], numbers: NumberConfig) -> tuple[Bits, None]:
    """Size of a layer, one matrix a group; there is no width to choose."""
    return sum((bits(encode(m), numbers.weight_width) for m in matrices), Bits()), None
