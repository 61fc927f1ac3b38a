"""Compressed sparse columns, interleaved over PEs (EIE, ISCA 2016, section III.B).

Row m of the matrix lies on PE m mod P as its local row m div P. A PE stores, column after column,
its non-zeros as entries: the value, and a relative index of ``index_bits``, the zeros since the
previous entry of that column on that PE (since local row 0 for the first). A run longer than the
index can tell is broken by padding zeros: entries of value 0, each of which stands for
``2**index_bits`` zeros. ``K + 1`` column pointers a PE say where each column begins and ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, CSCConfig
from hwsim.formats.base import Bits, index_width

__all__ = ["CSCMatrix", "bits", "decode", "encode", "measure"]


@dataclass(frozen=True)
class CSCMatrix:
    """A weight matrix as the PEs hold it.

    ``pointers`` is ``(P, K + 1)``: entries of column k on PE p are ``pointers[p, k]`` to
    ``pointers[p, k + 1]``, exclusive, of that PE's memory. ``values`` and ``rel_idx`` hold the
    memories of all PEs one after the other.
    """

    shape: tuple[int, int]
    index_bits: int
    pointers: NDArray[np.int64]
    values: NDArray[np.int64]
    rel_idx: NDArray[np.int64]

    @property
    def pes(self) -> int:
        """PEs that share the matrix."""
        return len(self.pointers)

    @property
    def entries(self) -> NDArray[np.int64]:
        """Entries of each PE, padding zeros included, ``(P,)``."""
        return self.pointers[:, -1]

    @property
    def padding(self) -> int:
        """Padding zeros on all PEs."""
        return int(np.count_nonzero(self.values == 0))

    def memory(self, pe: int) -> slice:
        """Where the entries of one PE lie in ``values`` and ``rel_idx``."""
        start = int(self.entries[:pe].sum())
        return slice(start, start + int(self.entries[pe]))


def encode(weight: NDArray[np.integer], pes: int, index_bits: int) -> CSCMatrix:
    """Encode ``weight[M, K]`` for ``pes`` PEs.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    """
    if weight.ndim != 2 or weight.size == 0:
        raise ValueError(f"weight must be a matrix with elements, not of shape {weight.shape}")
    num_rows, num_cols = weight.shape
    depth = -(-num_rows // pes)
    by_pe = np.zeros((pes, num_cols, depth), dtype=weight.dtype)
    for pe in range(min(pes, num_rows)):
        rows = weight[pe::pes]
        by_pe[pe, :, : len(rows)] = rows.T
    pe_of, col_of, row_of = np.nonzero(by_pe)

    column = pe_of * num_cols + col_of
    is_first = np.diff(column, prepend=-1) != 0
    gap = row_of - np.where(is_first, 0, np.roll(row_of, 1) + 1)
    pads = gap >> index_bits
    place = np.cumsum(pads + 1) - 1

    total = int(place[-1]) + 1 if len(place) else 0
    values = np.zeros(total, dtype=np.int64)
    rel_idx = np.full(total, (1 << index_bits) - 1, dtype=np.int64)
    values[place] = by_pe[pe_of, col_of, row_of]
    rel_idx[place] = gap & ((1 << index_bits) - 1)

    sizes = np.bincount(column, pads + 1, pes * num_cols).astype(np.int64).reshape(pes, num_cols)
    pointers = np.zeros((pes, num_cols + 1), dtype=np.int64)
    np.cumsum(sizes, axis=1, out=pointers[:, 1:])
    return CSCMatrix((num_rows, num_cols), index_bits, pointers, values, rel_idx)


def decode(matrix: CSCMatrix) -> NDArray[np.int64]:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    (num_rows, num_cols), pes = matrix.shape, matrix.pes
    sizes = np.diff(matrix.pointers, axis=1).reshape(-1)
    column = np.repeat(np.arange(pes * num_cols), sizes)
    # positions passed since the start of the first memory, less those passed before the column
    passed = np.cumsum(matrix.rel_idx + 1)
    before = np.concatenate(([0], passed))[np.cumsum(sizes) - sizes]
    local_row = passed - 1 - before[column]
    weight = np.zeros((num_rows, num_cols), dtype=np.int64)
    used = matrix.values != 0
    weight[(local_row * pes + column // num_cols)[used], (column % num_cols)[used]] = matrix.values[
        used
    ]
    return weight


def bits(matrix: CSCMatrix, weight_width: int, pointer_width: int | None = None) -> Bits:
    """Size by kind: values and indices of the non-zeros, pointers, and both words of the padding.

    Parameters
    ----------
    pointer_width
        Bits of a column pointer; by default what the largest pointer needs.
    """
    if pointer_width is None:
        pointer_width = index_width(int(matrix.entries.max()) + 1)
    nonzeros = len(matrix.values) - matrix.padding
    return Bits(
        values=nonzeros * weight_width,
        indices=nonzeros * matrix.index_bits,
        pointers=matrix.pointers.size * pointer_width,
        padding=matrix.padding * (weight_width + matrix.index_bits),
    )


def measure(arch: ArchConfig, weight: NDArray[np.integer] | None, shape: tuple[int, int]) -> Bits:
    """Size of a weight matrix for a design's PEs; needs the weights, for their places count.

    Raises
    ------
    ValueError
        No weights.
    """
    assert isinstance(arch.array, CSCConfig)
    if weight is None:
        raise ValueError(f"csc needs the weights of a {shape[0]} x {shape[1]} matrix to size it")
    return bits(encode(weight, arch.array.pes, arch.array.index_bits), arch.numbers.weight_width)
