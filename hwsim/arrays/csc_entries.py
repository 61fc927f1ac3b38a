"""Entries of each column on each PE, padding zeros included, without encoding the matrix."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["count_entries", "flags", "row_entries"]


def flags(values: NDArray[np.integer]) -> NDArray[np.int8]:
    """Bytes that are zero where the value is; no copy where the values are bytes in C order."""
    is_byte = values.dtype.itemsize == 1
    return np.ascontiguousarray(values if is_byte else values != 0).view(np.int8)


def count_entries(
    weight: NDArray[np.integer], pes: int, index_bits: int
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int64]]:
    """Entries of each column on each PE, ``(P, K)``, and padding zeros of each column, ``(K,)``.

    A PE has no more entries in a column than local rows, which bounds every count and gap.
    """
    num_rows, num_cols = weight.shape
    kind = np.min_scalar_type(-(-num_rows // pes))
    entries = np.zeros((pes, num_cols), dtype=kind)
    padding = np.zeros(num_cols, dtype=np.int64)
    _count_entries(flags(weight), pes, np.uint8(index_bits), entries, padding)
    return entries, padding


@njit(cache=True, nogil=True)
def _count_entries(weight, pes, index_bits, entries, padding):  # type: ignore[no-untyped-def]
    num_rows, num_cols = weight.shape
    gap = np.empty(num_cols, dtype=entries.dtype)
    pads = np.empty(num_cols, dtype=entries.dtype)
    for pe in range(min(pes, num_rows)):
        gap[:] = 0
        pads[:] = 0
        sums = entries[pe]
        for m in range(pe, num_rows, pes):
            row = weight[m]
            # no branch, narrow types: the loop runs on vectors
            for k in range(num_cols):
                zeros = gap[k]
                is_entry = row[k] != 0
                runs = zeros >> index_bits if is_entry else 0
                pads[k] += runs
                sums[k] += runs + is_entry
                gap[k] = 0 if is_entry else zeros + 1
        for k in range(num_cols):
            padding[k] += pads[k]


def row_entries(weight: NDArray[np.integer], pes: int, index_bits: int) -> NDArray[np.int64]:
    """Entries that each local row adds to each PE's memory, ``(rows, P)``."""
    added = np.zeros((-(-len(weight) // pes), pes), dtype=np.int64)
    _row_entries(flags(weight), pes, index_bits, added)
    return added


@njit(cache=True, nogil=True)
def _row_entries(weight, pes, index_bits, added):  # type: ignore[no-untyped-def]
    num_rows, num_cols = weight.shape
    gap = np.empty(num_cols, dtype=np.int64)
    for pe in range(min(pes, num_rows)):
        gap[:] = 0
        for m in range(pe, num_rows, pes):
            for k in range(num_cols):
                if weight[m, k] != 0:
                    added[m // pes, pe] += 1 + (gap[k] >> index_bits)
                    gap[k] = 0
                else:
                    gap[k] += 1
