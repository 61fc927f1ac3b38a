"""n of every m weights along K: n codes and n positions for each block of m neighbouring K.

K is padded to whole blocks. Every block stores exactly n weights, in ascending position: a block
with fewer non-zeros stores zeros at positions that it has left, the last ones first. Where the code
has no zero (``levels``), only positions beyond K may be left: their activations are 0. With n = m
the order of the weights gives their positions, and none is stored. A filter or a column of blocks
that is all zero is not stored at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, NMConfig, NumberConfig
from hwsim.errors import InputError
from hwsim.formats.base import Bits, check_matrix, gather_bits
from hwsim.formats.codes import decode as values_of
from hwsim.formats.codes import encode as codes_of
from hwsim.formats.codes import levels
from hwsim.formats.lists import Lists, lists_of
from hwsim.formats.operands import weight_codes

__all__ = [
    "NMMatrix",
    "bits",
    "blocks",
    "decode",
    "encode",
    "explicit_zeros",
    "lists",
    "measure",
    "nonzeros",
    "occupancy",
    "passes",
    "project",
    "project_for",
    "select",
    "spread",
]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class NMMatrix:
    """A weight matrix as n of every m.

    Attributes
    ----------
    shape
        ``(M, K)`` of the whole matrix.
    n, m
        Weights that a block of ``m`` positions holds.
    codes, positions
        ``(M', B', n)``: code, and position 0 .. m - 1 in the block, ascending, of each weight.
    kept_rows, kept_blocks
        Row (filter) and block of K of the whole matrix that each row and block of ``codes`` is,
        ascending; both are empty when every weight is zero.
    nonzeros
        Weights stored that are not zero; the others are padding.
    """

    shape: tuple[int, int]
    n: int
    m: int
    codes: Ints
    positions: Ints
    kept_rows: Ints
    kept_blocks: Ints
    nonzeros: int


def encode(
    weight: NDArray[np.integer], array: NMConfig, numbers: NumberConfig, name: str = "nm format"
) -> NMMatrix:
    """Store n weights of every block of ``weight[M, K]``.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    InputError
        A block has more than n non-zeros, or fewer where the code has no zero; or a weight has no
        code. Names ``name`` (the layer), the position and the rule.
    """
    filler = levels(numbers)[0]
    rows, cols, nonzeros = occupancy(weight, array, numbers, name)
    weight_codes(name, np.where(weight == 0, filler, weight), numbers)
    block = blocks(weight.astype(np.int64), array.m)[np.ix_(rows, cols)]
    positions, values = select(block, array.n)
    if not numbers.has_zero:
        values = np.where(values == 0, filler, values)  # beyond K
    return NMMatrix(
        (weight.shape[0], weight.shape[1]),
        array.n,
        array.m,
        codes_of(values, numbers),
        positions,
        rows,
        cols,
        int(nonzeros.sum()),
    )


def select(block: Ints, n: int) -> tuple[Ints, Ints]:
    """Positions ``(M, B, n)`` of the weights that blocks ``(M, B, m)`` store, and those weights.

    The non-zeros, then the last positions, n of them in ascending order.
    """
    position = np.where(block != 0, 0, np.arange(block.shape[2], 0, -1))
    order = np.argsort(position, axis=2, kind="stable")[:, :, :n]
    positions = np.sort(order, axis=2).astype(np.int64)
    return positions, np.take_along_axis(block, positions, axis=2)


def passes(weight: NDArray[np.integer], array: NMConfig) -> int:
    """Matrices that :func:`spread` needs: 1 where ``weight[M, K]`` obeys the constraint."""
    fullest = int(np.count_nonzero(blocks(weight, array.m), axis=2).max())
    return max(1, -(-fullest // array.n))


def spread(weight: NDArray[np.integer], array: NMConfig) -> NDArray[np.integer]:
    """Matrices ``(copies, M, K)`` that obey the constraint and whose sum is ``weight``.

    As few as the fullest block needs: its first n non-zeros, the next n, and so on.
    """
    block = blocks(weight, array.m)
    rank = np.cumsum(block != 0, axis=2) - 1
    copies = passes(weight, array)
    parts = np.where(rank // array.n == np.arange(copies)[:, None, None, None], block, 0)
    found: NDArray[np.integer] = parts.reshape(copies, len(weight), -1)[:, :, : weight.shape[1]]
    return found


def decode(matrix: NMMatrix, numbers: NumberConfig) -> Ints:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    rows, k = matrix.shape
    weight = np.zeros((rows, -(-k // matrix.m), matrix.m), dtype=np.int64)
    block = np.zeros((*matrix.codes.shape[:2], matrix.m), dtype=np.int64)
    np.put_along_axis(block, matrix.positions, values_of(matrix.codes, numbers), axis=2)
    weight[np.ix_(matrix.kept_rows, matrix.kept_blocks)] = block
    return weight.reshape(rows, -1)[:, :k]


def bits(matrix: NMMatrix, array: NMConfig, numbers: NumberConfig) -> Bits:
    """Size by kind; a zero that fills up a block is padding, its code and its position."""
    kept = (len(matrix.kept_rows), len(matrix.kept_blocks))
    return _bits(matrix.shape, kept, matrix.nonzeros, array, numbers)


def _bits(
    shape: tuple[int, int],
    kept: tuple[int, int],
    nonzeros: int,
    array: NMConfig,
    numbers: NumberConfig,
) -> Bits:
    """Size of ``kept`` rows and columns of blocks that hold ``nonzeros`` weights."""
    padding = kept[0] * kept[1] * array.n - nonzeros
    gather = gather_bits(kept[0], shape[0]) + gather_bits(kept[1], -(-shape[1] // array.m))
    return Bits(
        values=nonzeros * numbers.weight_width,
        indices=nonzeros * array.position_width + gather,
        padding=padding * (numbers.weight_width + array.position_width),
    )


def explicit_zeros(arch: ArchConfig, size: Bits) -> int:
    """Zeros that are stored to fill up blocks, from the size of a matrix in a design's format."""
    return size.padding // (arch.numbers.weight_width + arch.array_as(NMConfig).position_width)


def measure(
    arch: ArchConfig,
    weight: NDArray[np.integer] | None,
    shape: tuple[int, int],
    channels: int = 0,
    name: str = "nm format",
) -> Bits:
    """Size of a weight matrix for a design; where only the shape is known, no weight is zero.

    Raises
    ------
    InputError
        The matrix breaks the constraint.
    """
    array, numbers = arch.array_as(NMConfig), arch.numbers
    if weight is None:
        whole = (shape[0], -(-shape[1] // array.m))
        return _bits(shape, whole, nonzeros(arch, shape), array, numbers)
    rows, cols, kept = occupancy(weight, array, numbers, name)
    return _bits(shape, (len(rows), len(cols)), int(kept.sum()), array, numbers)


def lists(
    arch: ArchConfig,
    weight: NDArray[np.integer],
    taps: int = 1,
    channels: int = 0,
    name: str = "nm format",
) -> Lists:
    """Gather lists of a matrix for a design: of the blocks of K, and the filters, that are left."""
    array = arch.array_as(NMConfig)
    rows, cols, _ = occupancy(weight, array, arch.numbers, name)
    shape = len(weight), -(-weight.shape[1] // array.m)
    # a block is of neighbours: no other order of K has the same blocks
    return lists_of(rows, cols, shape, array.list_lanes, in_order=True)


def project(weight: NDArray[np.integer], array: NMConfig) -> NDArray[np.integer]:
    """Nearest weights with at most n of every m: the largest magnitudes of each block stay.

    Of equal magnitudes the first stays.
    """
    block = blocks(weight, array.m)
    order = np.argsort(-np.abs(block.astype(np.int64)), axis=2, kind="stable")
    stays = np.zeros(block.shape, dtype=np.bool_)
    np.put_along_axis(stays, order[:, :, : array.n], True, axis=2)
    kept_weight: NDArray[np.integer] = np.where(stays, block, 0).astype(weight.dtype)
    return kept_weight.reshape(len(weight), -1)[:, : weight.shape[1]]


def nonzeros(arch: ArchConfig, shape: tuple[int, int], channels: int = 0) -> int:
    """Weights that the format keeps of a matrix without a zero: n of each whole block."""
    array = arch.array_as(NMConfig)
    whole, rest = divmod(shape[1], array.m)
    return shape[0] * (whole * array.n + min(array.n, rest))


def project_for(
    arch: ArchConfig, weight: NDArray[np.integer], channels: int = 0
) -> NDArray[np.integer]:
    """Nearest weights that a design holds (:func:`project`)."""
    return project(weight, arch.array_as(NMConfig))


def occupancy(
    weight: NDArray[np.integer], array: NMConfig, numbers: NumberConfig, name: str = "nm format"
) -> tuple[Ints, Ints, Ints]:
    """Rows and blocks of ``weight[M, K]`` that are not all zero, and their non-zeros ``(M', B')``.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    InputError
        A block has more than n non-zeros, or fewer where the code has no zero.
    """
    check_matrix(weight)
    nonzeros = blocks(weight != 0, array.m).sum(axis=2)
    rows, cols = np.flatnonzero(nonzeros.any(axis=1)), np.flatnonzero(nonzeros.any(axis=0))
    nonzeros = nonzeros[np.ix_(rows, cols)]
    rule = f"must be at most {array.n} of {array.m}"
    wrong = nonzeros > array.n
    if not numbers.has_zero and not wrong.any():
        rule = f"must be {array.n} of {array.m}: {numbers.weight_code} codes have no zero"
        wrong = nonzeros + np.maximum(0, (cols + 1) * array.m - weight.shape[1]) < array.n
    if wrong.any():
        row, col = (int(position) for position in np.argwhere(wrong)[0])
        first = int(cols[col]) * array.m
        key = f"non-zeros of weight[{rows[row]}, {first}:{first + array.m}]"
        raise InputError(name, key, int(nonzeros[row, col]), rule)
    return rows, cols, nonzeros


def blocks(weight: NDArray[Any], m: int) -> NDArray[Any]:
    """Matrix ``(M, K)`` as blocks ``(M, B, m)``, zeros behind K."""
    rows, k = weight.shape
    return np.pad(weight, [(0, 0), (0, -k % m)]).reshape(rows, -(-k // m), m)
