"""Relative index: every non-zero with the number of zeros before it (Deep Compression, ICLR 2016).

The matrix is read row after row as one line, so there are no pointers. A gap that ``index_bits``
cannot tell is broken by padding: entries of value 0, each of which stands for ``2**index_bits``
zeros. Where the code of a weight has no zero, the largest index marks padding instead and stands
for ``2**index_bits - 1`` zeros. Zeros behind the last non-zero are not stored. A narrow index is
cheap for every entry and pads often; :func:`best_width` finds the width with the smallest total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NumberConfig
from hwsim.formats.base import Bits, check_matrix, index_width
from hwsim.formats.csc import zero_run

__all__ = [
    "RelativeMatrix",
    "best_width",
    "bits",
    "decode",
    "encode",
    "gaps",
    "size",
    "size_of_gaps",
]


@dataclass(frozen=True)
class RelativeMatrix:
    """A weight matrix of ``shape`` ``(M, K)``; entries of value 0 are padding.

    ``has_zero`` tells which of the two kinds of padding it is.
    """

    shape: tuple[int, int]
    index_bits: int
    has_zero: bool
    values: NDArray[np.int64]
    rel_idx: NDArray[np.int64]

    @property
    def padding(self) -> int:
        """Padding zeros."""
        return int(np.count_nonzero(self.values == 0))


def gaps(positions: NDArray[np.integer]) -> NDArray[np.int64]:
    """Zeros before each non-zero, from the ascending flat positions of the non-zeros."""
    between: NDArray[np.int64] = np.diff(positions, prepend=-1).astype(np.int64) - 1
    return between


def encode(weight: NDArray[np.integer], index_bits: int, has_zero: bool = True) -> RelativeMatrix:
    """Encode ``weight[M, K]`` with indices of ``index_bits``.

    Parameters
    ----------
    has_zero
        Whether the code of a weight has a zero for padding.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    """
    check_matrix(weight)
    num_rows, num_cols = weight.shape
    flat = weight.reshape(-1)
    positions = np.flatnonzero(flat)
    gap = gaps(positions)
    run = zero_run(index_bits, has_zero)
    position = np.cumsum(gap // run + 1) - 1
    total = int(position[-1]) + 1 if len(position) else 0
    values = np.zeros(total, dtype=np.int64)
    rel_idx = np.full(total, (1 << index_bits) - 1, dtype=np.int64)
    values[position] = flat[positions]
    rel_idx[position] = gap % run
    return RelativeMatrix((num_rows, num_cols), index_bits, has_zero, values, rel_idx)


def decode(matrix: RelativeMatrix) -> NDArray[np.int64]:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    weight = np.zeros(matrix.shape[0] * matrix.shape[1], dtype=np.int64)
    used = matrix.values != 0
    passed = np.cumsum(matrix.rel_idx + (used | matrix.has_zero))
    weight[passed[used] - 1] = matrix.values[used]
    return weight.reshape(matrix.shape)


def bits(matrix: RelativeMatrix, weight_width: int) -> Bits:
    """Size by kind: value and index of each non-zero, and both words of each padding zero."""
    nonzeros = len(matrix.values) - matrix.padding
    return _bits(nonzeros, matrix.padding, matrix.index_bits, weight_width)


def size_of_gaps(
    gap: NDArray[np.integer], index_bits: int, weight_width: int, has_zero: bool = True
) -> Bits:
    """Size of a matrix known by the zeros before each of its non-zeros, without encoding it."""
    padding = int((gap // zero_run(index_bits, has_zero)).sum())
    return _bits(len(gap), padding, index_bits, weight_width)


def best_width(gap: NDArray[np.integer], weight_width: int, has_zero: bool = True) -> int:
    """Index width with the smallest total, the narrowest of equals."""
    times = np.bincount(gap)
    zeros = np.arange(len(times))

    def total(width: int) -> int:
        padding = int(times @ (zeros // zero_run(width, has_zero)))
        return _bits(len(gap), padding, width, weight_width).total

    return min(range(1, index_width(len(times) + 1) + 1), key=total)


def size(matrices: Sequence[NDArray[np.integer]], numbers: NumberConfig) -> tuple[Bits, int]:
    """Size of a layer, one matrix a group, at the one index width that suits it best."""
    weight_width, has_zero = numbers.weight_width, numbers.has_zero
    lines = [gaps(np.flatnonzero(m)) for m in matrices]
    width = best_width(np.concatenate(lines), weight_width, has_zero)
    sizes = (size_of_gaps(gap, width, weight_width, has_zero) for gap in lines)
    return sum(sizes, Bits()), width


def _bits(nonzeros: int, padding: int, index_bits: int, weight_width: int) -> Bits:
    return Bits(
        values=nonzeros * weight_width,
        indices=nonzeros * index_bits,
        padding=padding * (weight_width + index_bits),
    )
