"""Compressed sparse columns, interleaved over PEs (EIE, ISCA 2016, section III.B).

Row m of the matrix lies on PE m mod P as its local row m div P. A PE stores, column after column,
its non-zeros as entries: the value, and a relative index of ``index_bits``, the zeros since the
previous entry of that column on that PE (since local row 0 for the first). A run longer than the
index can tell is broken by padding: entries that stand for zeros alone. ``K + 1`` column
pointers per PE say where each column begins and ends.

A padding entry has the value 0 and stands for ``2**index_bits`` zeros. Where the code of a weight
has no zero, the largest relative index marks padding instead and stands for ``2**index_bits - 1``
zeros, and the relative index of a weight is less than that.

With a codebook an entry's code is the position of its value, from 1, in a table of the layer's
distinct non-zero weights; code 0 is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, CSCConfig, NumberConfig
from hwsim.errors import InputError
from hwsim.formats import codes
from hwsim.formats.base import Bits, check_matrix
from hwsim.formats.csc_entries import count_entries

__all__ = [
    "CSCMatrix",
    "bits",
    "codebook",
    "decode",
    "encode",
    "entry_codes",
    "entry_has_zero",
    "entry_width",
    "full_table",
    "measure",
    "nonzeros",
    "project",
    "project_for",
    "zero_run",
]

#: Rounds of k-means after which a projection onto a codebook stops at the latest.
ROUNDS = 50


def entry_width(arch: ArchConfig) -> int:
    """Bits of the code in an entry."""
    return arch.array_as(CSCConfig).codebook_bits or arch.numbers.weight_width


def entry_has_zero(arch: ArchConfig) -> bool:
    """Whether an entry's code has a zero, which then marks padding; else the index does."""
    return arch.array_as(CSCConfig).codebook_bits is not None or arch.numbers.has_zero


def zero_run(index_bits: int, has_zero: bool) -> int:
    """Zeros that one padding entry stands for; a weight's relative index is less."""
    return (1 << index_bits) - (not has_zero)


@dataclass(frozen=True)
class CSCMatrix:
    """A weight matrix as the PEs hold it.

    ``pointers`` is ``(P, K + 1)``: entries of column k on PE p are ``pointers[p, k]`` to
    ``pointers[p, k + 1]``, exclusive, of that PE's memory. ``values`` and ``rel_idx`` hold the
    memories of all PEs one after the other; padding has the value 0. ``has_zero`` tells which of
    the two kinds of padding it is.
    """

    shape: tuple[int, int]
    index_bits: int
    has_zero: bool
    pointers: NDArray[np.int64]
    values: NDArray[np.int64]
    rel_idx: NDArray[np.int64]

    @property
    def pes(self) -> int:
        """PEs that share the matrix."""
        return len(self.pointers)

    @property
    def entries(self) -> NDArray[np.int64]:
        """Entries of each PE, padding included, ``(P,)``."""
        return self.pointers[:, -1]

    @property
    def padding(self) -> int:
        """Padding entries on all PEs."""
        return int(np.count_nonzero(self.values == 0))

    def memory(self, pe: int) -> slice:
        """Where the entries of one PE lie in ``values`` and ``rel_idx``."""
        start = int(self.entries[:pe].sum())
        return slice(start, start + int(self.entries[pe]))


def encode(
    weight: NDArray[np.integer], pes: int, index_bits: int, has_zero: bool = True
) -> CSCMatrix:
    """Encode ``weight[M, K]`` for ``pes`` PEs.

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
    depth = -(-num_rows // pes)
    by_pe = np.zeros((pes, num_cols, depth), dtype=weight.dtype)
    for pe in range(min(pes, num_rows)):
        rows = weight[pe::pes]
        by_pe[pe, :, : len(rows)] = rows.T
    pe_of, col_of, row_of = np.nonzero(by_pe)

    column = pe_of * num_cols + col_of
    is_first = np.diff(column, prepend=-1) != 0
    gap = row_of - np.where(is_first, 0, np.roll(row_of, 1) + 1)
    run = zero_run(index_bits, has_zero)
    pads = gap // run
    position = np.cumsum(pads + 1) - 1

    total = int(position[-1]) + 1 if len(position) else 0
    values = np.zeros(total, dtype=np.int64)
    rel_idx = np.full(total, (1 << index_bits) - 1, dtype=np.int64)
    values[position] = by_pe[pe_of, col_of, row_of]
    rel_idx[position] = gap % run

    sizes = np.bincount(column, pads + 1, pes * num_cols).astype(np.int64).reshape(pes, num_cols)
    pointers = np.zeros((pes, num_cols + 1), dtype=np.int64)
    np.cumsum(sizes, axis=1, out=pointers[:, 1:])
    return CSCMatrix((num_rows, num_cols), index_bits, has_zero, pointers, values, rel_idx)


def decode(matrix: CSCMatrix) -> NDArray[np.int64]:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    (num_rows, num_cols), pes = matrix.shape, matrix.pes
    sizes = np.diff(matrix.pointers, axis=1).reshape(-1)
    column = np.repeat(np.arange(pes * num_cols), sizes)
    # positions passed since the start of the first memory, less those passed before the column
    passed = np.cumsum(matrix.rel_idx + ((matrix.values != 0) | matrix.has_zero))
    before = np.concatenate(([0], passed))[np.cumsum(sizes) - sizes]
    local_row = passed - 1 - before[column]
    weight = np.zeros((num_rows, num_cols), dtype=np.int64)
    used = matrix.values != 0
    weight[(local_row * pes + column // num_cols)[used], (column % num_cols)[used]] = matrix.values[
        used
    ]
    return weight


def codebook(
    weight: NDArray[np.integer], codebook_bits: int, name: str = "csc format"
) -> NDArray[np.int64]:
    """Distinct non-zero weights of a layer, ascending: the table that its entries' codes select.

    Raises
    ------
    InputError
        There are more than codes of ``codebook_bits``, less the one for zero: names ``name`` (the
        layer), how many, and the rule.
    """
    low, high = min(0, int(weight.min())), max(0, int(weight.max()))
    occurs = np.zeros(high - low + 1, dtype=np.bool_)
    for row in weight:  # a layer's rows together would need eight times the memory
        occurs[row.astype(np.int64) - low] = True
    occurs[-low] = False
    table = np.flatnonzero(occurs) + low
    limit = (1 << codebook_bits) - 1
    if len(table) > limit:
        rule = f"must be at most {limit} for a codebook of {codebook_bits} bits"
        raise InputError(name, "distinct non-zero values of weight", len(table), rule)
    return table


def full_table(arch: ArchConfig, weights: int) -> int:
    """Words of the codebook of ``weights`` weights, none of them zero: the most that can differ."""
    nonzero_levels = np.count_nonzero(codes.levels(arch.numbers))
    bits = arch.array_as(CSCConfig).codebook_bits or 0
    return min((1 << bits) - 1, int(nonzero_levels), weights)


def entry_codes(
    matrix: CSCMatrix, numbers: NumberConfig, table: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Codes of all entries, unsigned; 0 in padding. ``table`` is the layer's codebook, if any."""
    patterns = np.zeros(len(matrix.values), dtype=np.int64)
    used = matrix.values != 0
    if table is None:
        patterns[used] = codes.encode(matrix.values[used], numbers)
    else:
        patterns[used] = np.searchsorted(table, matrix.values[used]) + 1
    return patterns


def project(weight: NDArray[np.integer], array: CSCConfig) -> NDArray[np.integer]:
    """Weights with few enough distinct values for the design's codebook; zeros stay zero.

    One-dimensional k-means (Han et al., Deep Compression, ICLR 2016, section 3) from clusters of
    equal size; every centre is a value that occurs, so it has a code where the weights have one.
    """
    if array.codebook_bits is None:
        return weight
    values, counts = np.unique(weight[weight != 0], return_counts=True)
    values = values.astype(np.int64)
    size = (1 << array.codebook_bits) - 1
    if len(values) <= size:
        return weight
    quantiles = (np.arange(size) + 0.5) / size * counts.sum()
    centres = np.unique(values[np.searchsorted(np.cumsum(counts), quantiles)])
    for _ in range(ROUNDS):
        label = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
        means = np.bincount(label, counts * values) / np.bincount(label, counts)
        nearest = np.abs(values[None] - means[:, None]).argmin(axis=1)
        moved = np.unique(values[nearest])
        if np.array_equal(moved, centres):
            break
        centres = moved
    label = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
    level = np.minimum(np.searchsorted(values, weight), len(values) - 1)
    shared: NDArray[np.integer] = np.where(weight != 0, centres[label][level], 0)
    return shared.astype(weight.dtype)


def bits(matrix: CSCMatrix, code_width: int, pointer_width: int) -> Bits:
    """Size by kind: values and indices of the non-zeros, pointers, and both words of the padding.

    Parameters
    ----------
    code_width
        Bits of the code in an entry.
    pointer_width
        Bits of a column pointer.
    """
    return _bits(
        (len(matrix.values) - matrix.padding, matrix.padding, matrix.pointers.size),
        (code_width, matrix.index_bits, pointer_width),
    )


def _bits(words: tuple[int, int, int], widths: tuple[int, int, int]) -> Bits:
    """Size of non-zeros, padding and pointers, of the bits of a code, an index and a pointer."""
    (nonzeros, padding, pointers), (code_width, index_bits, pointer_width) = words, widths
    return Bits(
        values=nonzeros * code_width,
        indices=nonzeros * index_bits,
        pointers=pointers * pointer_width,
        padding=padding * (code_width + index_bits),
    )


def measure(
    arch: ArchConfig,
    weight: NDArray[np.integer] | None,
    shape: tuple[int, int],
    channels: int = 0,
    name: str = "csc format",
) -> Bits:
    """Size of a weight matrix for a design's PEs, counted without encoding the matrix.

    Pointers have the width of the design's pointer memories. A codebook counts under *values*,
    once, whatever the number of PEs that hold a copy. Without weights none is zero.

    Raises
    ------
    InputError
        Too many different weights for the codebook.
    """
    array, table = arch.array_as(CSCConfig), 0
    if weight is None:
        entries, padding = shape[0] * shape[1], 0
        if array.codebook_bits is not None:
            table = full_table(arch, entries)
    else:
        check_matrix(weight)
        run = zero_run(array.index_bits, entry_has_zero(arch))
        per_pe, per_column = count_entries(weight, array.pes, run)
        entries, padding = int(per_pe.sum(dtype=np.int64)), int(per_column.sum())
        if array.codebook_bits is not None:
            table = len(codebook(weight, array.codebook_bits, name))
    size = _bits(
        (entries - padding, padding, array.pes * (shape[1] + 1)),
        (entry_width(arch), array.index_bits, array.pointer_width),
    )
    return size + Bits(values=table * arch.numbers.weight_width)


def nonzeros(arch: ArchConfig, shape: tuple[int, int], channels: int = 0) -> int:
    """Weights that the format keeps of a matrix without a zero: all."""
    return shape[0] * shape[1]


def project_for(
    arch: ArchConfig, weight: NDArray[np.integer], channels: int = 0
) -> NDArray[np.integer]:
    """Nearest weights that a design holds (:func:`project`)."""
    return project(weight, arch.array_as(CSCConfig))
