"""Entries of each column on each PE, padding zeros included, without encoding the matrix."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["count_entries", "row_entries"]


def _flags(weight: NDArray[np.integer]) -> NDArray[np.int8]:
    """Weights as bytes that are zero where the weight is; no copy where they are bytes."""
    flags = weight.view(np.int8) if weight.dtype.itemsize == 1 else (weight != 0).view(np.int8)
    return np.ascontiguousarray(flags)


def _unsigned(limit: int) -> type[np.unsignedinteger]:
    """Narrowest unsigned type that holds ``limit``."""
    for kind in (np.uint8, np.uint16):
        if limit <= np.iinfo(kind).max:
            return kind
    return np.uint32


def count_entries(
    weight: NDArray[np.integer], pes: int, index_bits: int
) -> NDArray[np.unsignedinteger]:
    """Entries of each column on each PE, ``(P, K)``.

    A PE has no more entries in a column than local rows, which bounds every count.
    """
    depth = -(-len(weight) // pes)
    entries = np.zeros((pes, weight.shape[1]), dtype=_unsigned(depth))
    gap = np.empty(weight.shape[1], dtype=entries.dtype)
    _count_entries(_flags(weight), pes, entries.dtype.type(index_bits), gap, entries)
    return entries


@njit(cache=True, nogil=True)
def _count_entries(flags, pes, index_bits, gap, entries):  # type: ignore[no-untyped-def]
    num_rows, num_cols = flags.shape
    for pe in range(min(pes, num_rows)):
        gap[:] = 0
        row_entries = entries[pe]
        for m in range(pe, num_rows, pes):
            row = flags[m]
            for k in range(num_cols):
                # without a branch, so that it runs on vectors
                zeros = gap[k]
                is_entry = row[k] != 0
                row_entries[k] += (1 + (zeros >> index_bits)) if is_entry else 0
                gap[k] = 0 if is_entry else zeros + 1


def row_entries(weight: NDArray[np.integer], pes: int, index_bits: int) -> NDArray[np.int64]:
    """Entries that each local row adds to each PE's memory, ``(rows, P)``."""
    added = np.zeros((-(-len(weight) // pes), pes), dtype=np.int64)
    _row_entries(_flags(weight), pes, index_bits, added)
    return added


@njit(cache=True, nogil=True)
def _row_entries(flags, pes, index_bits, added):  # type: ignore[no-untyped-def]
    num_rows, num_cols = flags.shape
    gap = np.empty(num_cols, dtype=np.int64)
    for pe in range(min(pes, num_rows)):
        gap[:] = 0
        for m in range(pe, num_rows, pes):
            for k in range(num_cols):
                if flags[m, k] != 0:
                    added[m // pes, pe] += 1 + (gap[k] >> index_bits)
                    gap[k] = 0
                else:
                    gap[k] += 1
