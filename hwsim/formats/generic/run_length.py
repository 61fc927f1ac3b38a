"""Run lengths: how many zeros, how many non-zeros, how many zeros ...; the non-zeros packed.

The matrix is read row after row as one line. Runs alternate, the first is of zeros (it may be
empty), each a count of ``run_bits``. A run longer than a count can tell is broken by an empty run
of the other kind, which with the count before it is padding. Zeros behind the last non-zero are
not stored. Cheap where non-zeros stand together, as whole filters or kernels do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NumberConfig
from hwsim.formats.base import Bits, check_matrix, index_width

__all__ = ["RunLengthMatrix", "best_width", "bits", "decode", "encode", "size"]


@dataclass(frozen=True)
class RunLengthMatrix:
    """A weight matrix of ``shape`` ``(M, K)``: counts of zeros and others in turn, and values."""

    shape: tuple[int, int]
    run_bits: int
    counts: NDArray[np.int64]
    values: NDArray[np.int64]
    #: Counts that break a run too long for one.
    padding: int


def encode(weight: NDArray[np.integer], run_bits: int) -> RunLengthMatrix:
    """Encode ``weight[M, K]`` with counts of ``run_bits``.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    """
    check_matrix(weight)
    num_rows, num_cols = weight.shape
    flat = weight.reshape(-1)
    runs = _runs(flat != 0)
    longest = (1 << run_bits) - 1
    breaks = _breaks(runs, run_bits)
    # a run of three counts' length: longest, 0, longest, 0, rest
    counts = np.zeros(len(runs) + 2 * int(breaks.sum()), dtype=np.int64)
    last = np.cumsum(2 * breaks + 1) - 1
    counts[last] = runs - breaks * longest
    broken = np.repeat(last - 2 * breaks, breaks)
    nth = np.arange(len(broken)) - np.repeat(np.cumsum(breaks) - breaks, breaks)
    counts[broken + 2 * nth] = longest
    values = flat[flat != 0].astype(np.int64)
    return RunLengthMatrix((num_rows, num_cols), run_bits, counts, values, len(counts) - len(runs))


def decode(matrix: RunLengthMatrix) -> NDArray[np.int64]:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    flat = np.zeros(matrix.shape[0] * matrix.shape[1], dtype=np.int64)
    is_nonzero = np.repeat(np.arange(len(matrix.counts)) % 2 == 1, matrix.counts)
    flat[np.flatnonzero(is_nonzero)] = matrix.values
    return flat.reshape(matrix.shape)


def bits(matrix: RunLengthMatrix, weight_width: int) -> Bits:
    """Size by kind: values, counts, and the counts that are there only to break long runs."""
    return Bits(
        values=len(matrix.values) * weight_width,
        indices=(len(matrix.counts) - matrix.padding) * matrix.run_bits,
        padding=matrix.padding * matrix.run_bits,
    )


def best_width(runs: NDArray[np.integer]) -> int:
    """Width of a count with the smallest total, the narrowest of equals."""
    widest = index_width(int(runs.max(initial=0)) + 1)
    return min(
        range(1, widest + 1), key=lambda w: w * (len(runs) + 2 * int(_breaks(runs, w).sum()))
    )


def size(matrices: Sequence[NDArray[np.integer]], numbers: NumberConfig) -> tuple[Bits, int]:
    """Size of a layer, one matrix a group, at the one width of counts that suits it best."""
    lines = [_runs(m.reshape(-1) != 0) for m in matrices]
    width = best_width(np.concatenate(lines))
    total = Bits()
    for runs in lines:
        total += Bits(
            values=int(runs[1::2].sum()) * numbers.weight_width,
            indices=len(runs) * width,
            padding=2 * int(_breaks(runs, width).sum()) * width,
        )
    return total, width


def _runs(nonzero: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Lengths of the runs, zeros first, up to the last non-zero; an even number of them."""
    edges = np.flatnonzero(np.diff(nonzero, prepend=False, append=False))
    lengths: NDArray[np.int64] = np.diff(edges, prepend=0).astype(np.int64)
    return lengths


def _breaks(runs: NDArray[np.integer], run_bits: int) -> NDArray[np.int64]:
    """Times that each run has to be broken."""
    longest = (1 << run_bits) - 1
    times: NDArray[np.int64] = np.maximum(runs - 1, 0) // longest
    return times
