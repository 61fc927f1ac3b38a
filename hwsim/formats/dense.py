"""Dense codes with no index, of the filters and columns that are left after structured pruning.

A filter (row of ``weight[M, K]``) or a column (one K of every filter) that is all zero is not
stored and not computed. What is left is a smaller dense matrix and at most two gather lists, one
for the filters and one for the columns, shared by the whole array. A zero that is left is stored
like any other weight, so its code must have one; a design that decompresses its weights
(:mod:`hwsim.formats.weight_stream`) stores a mask bit in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, DenseConfig, NumberConfig
from hwsim.errors import InputError
from hwsim.formats import codes, dense_folds, weight_stream
from hwsim.formats.base import Bits, gather_bits
from hwsim.formats.lists import NONE, Lists, lists_of

__all__ = [
    "DenseMatrix", "bits", "decode", "encode", "kept", "lists", "measure", "nonzeros", "size",
    "stored_folds",
]  # fmt: skip

#: A gather list that says nothing: everything is kept.
ALL: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class DenseMatrix:
    """A weight matrix without its all-zero rows and columns.

    Attributes
    ----------
    shape
        ``(M, K)`` of the whole matrix.
    numbers
        What a code means.
    codes
        ``(M', K')``; neither is 0 unless both are, when every weight is zero.
    kept_rows, kept_cols
        Row (filter) and column (K) of the whole matrix that each row and column of ``codes`` is,
        ascending; empty where nothing is removed.
    """

    shape: tuple[int, int]
    numbers: NumberConfig
    codes: NDArray[np.int64]
    kept_rows: NDArray[np.int64]
    kept_cols: NDArray[np.int64]

    def row_list(self) -> NDArray[np.int64]:
        """Row of the whole matrix for each row of ``codes``, ``(M',)``."""
        return self.kept_rows if len(self.kept_rows) else np.arange(len(self.codes))

    def col_list(self) -> NDArray[np.int64]:
        """Column of the whole matrix for each column of ``codes``, ``(K',)``."""
        return self.kept_cols if len(self.kept_cols) else np.arange(self.codes.shape[1])


def encode(
    weight: NDArray[np.integer], numbers: NumberConfig, name: str = "dense format"
) -> DenseMatrix:
    """Remove the all-zero rows and columns of ``weight[M, K]`` and encode what is left.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    InputError
        A weight has no code, naming ``name`` (the layer), the position and the rule.
    """
    rows, cols = _stored(weight, numbers, name)
    num_rows, num_cols = weight.shape
    return DenseMatrix(
        (num_rows, num_cols),
        numbers,
        codes.encode(weight[np.ix_(rows, cols)], numbers),
        rows if 0 < len(rows) < num_rows else ALL,
        cols if 0 < len(cols) < num_cols else ALL,
    )


def _stored(
    weight: NDArray[np.integer], numbers: NumberConfig, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns to be stored, every weight at their crossings known to have a code."""
    if weight.ndim != 2 or weight.size == 0:
        raise ValueError(f"weight must be a matrix with elements, not of shape {weight.shape}")
    codes.check(name, weight, numbers)
    rows, cols = kept(weight)
    _check_zeros(weight, rows, cols, numbers, name)
    return rows, cols


def stored_folds(
    weight: NDArray[np.integer], lanes: int, numbers: NumberConfig, name: str
) -> list[dense_folds.Fold]:
    """Folds to be stored for an array of ``lanes`` filters, every weight known to have a code.

    Raises
    ------
    InputError
        A weight has no code.
    """
    codes.check(name, weight, numbers)
    folds = dense_folds.cut(weight, lanes)
    for fold in folds:
        _check_zeros(weight, fold.rows, fold.cols, numbers, name)
    return folds


def _check_zeros(
    weight: NDArray[np.integer],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    numbers: NumberConfig,
    name: str,
) -> None:
    """Refuse a zero at a crossing of rows and columns that are kept, where none has a code."""
    if not numbers.has_zero:
        zeros = np.argwhere(weight[np.ix_(rows, cols)] == 0)
        if len(zeros):
            position = [int(rows[zeros[0, 0]]), int(cols[zeros[0, 1]])]
            rule = (
                f"must not be zero in a row and a column that are kept: "
                f"{numbers.weight_width}-bit {numbers.weight_code} has no zero"
            )
            raise InputError(name, f"weight{position}", 0, rule)


def kept(weight: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of ``weight`` that are not all zero; both are empty when all is zero."""
    nonzero = weight != 0
    return np.flatnonzero(nonzero.any(axis=1)), np.flatnonzero(nonzero.any(axis=0))


def decode(matrix: DenseMatrix) -> NDArray[np.int64]:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    weight = np.zeros(matrix.shape, dtype=np.int64)
    values = codes.decode(matrix.codes, matrix.numbers)
    weight[np.ix_(matrix.row_list(), matrix.col_list())] = values
    return weight


def bits(matrix: DenseMatrix) -> Bits:
    """Size by kind: the codes, and each gather list as a list or a bitmap, whichever is smaller.

    M' and K' themselves belong to the layer's description and are not counted.
    """
    kept_rows, kept_cols = matrix.codes.shape
    return _size(matrix.shape, (kept_rows, kept_cols), matrix.numbers.weight_width)


def _size(shape: tuple[int, int], kept: tuple[int, int], width: int) -> Bits:
    return Bits(
        values=kept[0] * kept[1] * width,
        indices=gather_bits(kept[0], shape[0]) + gather_bits(kept[1], shape[1]),
    )


def size(matrices: Sequence[NDArray[np.integer]], numbers: NumberConfig) -> tuple[Bits, None]:
    """Size of a layer in its own bits, one matrix a group; there is no width to choose.

    Raises
    ------
    InputError
        A weight has no code.
    """
    return sum((bits(encode(matrix, numbers)) for matrix in matrices), Bits()), None


def measure(
    arch: ArchConfig,
    weight: NDArray[np.integer] | None,
    shape: tuple[int, int],
    channels: int = 0,
    name: str = "dense format",
) -> Bits:
    """Size of a weight matrix for a design; where only the shape is known, nothing is removed."""
    numbers, left = arch.numbers, shape
    array = arch.array
    if weight is not None and isinstance(array, DenseConfig) and array.fold_lists:
        folds = stored_folds(weight, array.cols, numbers, name)
        return dense_folds.size(folds, shape, numbers.weight_width)
    if weight is not None:
        rows, cols = _stored(weight, numbers, name)
        left = (len(rows), len(cols))
    plain = _size(shape, left, numbers.weight_width)
    if not (isinstance(array, DenseConfig) and array.decompresses):
        return plain
    lists = Bits(indices=plain.indices)
    stored = left[0] * left[1] if weight is None else int(np.count_nonzero(weight))
    return lists + weight_stream.bits(weight_stream.Packing.of(arch), left, stored)


def lists(
    arch: ArchConfig,
    weight: NDArray[np.integer],
    taps: int = 1,
    channels: int = 0,
    name: str = "dense format",
) -> Lists:
    """Gather lists of a matrix for a design; none of one that has a scratchpad for them.

    Where K has no taps the filters of the layer before may be in any order, and so the columns; not
    where several folds share them.
    """
    array, (m, k) = arch.array, weight.shape
    if isinstance(array, DenseConfig) and array.gather_depth is not None:
        return NONE
    if not (isinstance(array, DenseConfig) and array.fold_lists):
        return lists_of(*kept(weight), (m, k), array.list_lanes, in_order=taps > 1)
    folds = stored_folds(weight, array.cols, arch.numbers, name)
    # the list of filters is one, of which each fold has its part
    every = np.arange(m) if sum(len(fold.rows) for fold in folds) == m else None
    in_order = taps > 1 or len(folds) > 1
    parts = (
        lists_of(
            fold.rows if every is None else every, fold.cols, (m, k), array.list_lanes,
            in_order=in_order,
        )
        for fold in folds
    )  # fmt: skip
    return sum(parts, NONE)


def nonzeros(arch: ArchConfig, shape: tuple[int, int], channels: int = 0) -> int:
    """Weights that the format keeps of a matrix without a zero: all."""
    return shape[0] * shape[1]
