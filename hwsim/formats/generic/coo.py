"""Coordinates: every non-zero with its row and its column, row after row.

The plainest sparse format: no pointers, no padding, any order would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NumberConfig
from hwsim.formats.base import Bits, check_matrix, index_width

__all__ = ["COOMatrix", "bits", "decode", "encode", "size"]


@dataclass(frozen=True)
class COOMatrix:
    """A weight matrix of ``shape`` ``(M, K)``; the three arrays have one element a non-zero."""

    shape: tuple[int, int]
    values: NDArray[np.int64]
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]


def encode(weight: NDArray[np.integer]) -> COOMatrix:
    """Encode ``weight[M, K]``.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    """
    check_matrix(weight)
    num_rows, num_cols = weight.shape
    rows, cols = np.nonzero(weight)
    return COOMatrix((num_rows, num_cols), weight[rows, cols].astype(np.int64), rows, cols)


def decode(matrix: COOMatrix) -> NDArray[np.int64]:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    weight = np.zeros(matrix.shape, dtype=np.int64)
    weight[matrix.rows, matrix.cols] = matrix.values
    return weight


def bits(matrix: COOMatrix, weight_width: int) -> Bits:
    """Size by kind: a value, a row and a column for each non-zero."""
    num_rows, num_cols = matrix.shape
    count = len(matrix.values)
    return Bits(
        values=count * weight_width,
        indices=count * (index_width(num_rows) + index_width(num_cols)),
    )


def size(matrices: Sequence[NDArray[np.integer]], numbers: NumberConfig) -> tuple[Bits, None]:
    """Size of a layer, one matrix a group; there is no width to choose."""
    return sum((bits(encode(m), numbers.weight_width) for m in matrices), Bits()), None
