"""Entries of each column on each PE, padding included, without encoding the matrix."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.formats.base import flags

__all__ = ["count_entries", "row_entries"]


def count_entries(
    weight: NDArray[np.integer], pes: int, run: int
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int64]]:
    """Entries of each column on each PE, ``(P, K)``, and padding of each column, ``(K,)``.

    ``run`` is the zeros that one padding entry stands for. A PE has no more entries in a column
    than local rows, which bounds every count and gap.
    """
    num_rows, num_cols = weight.shape
    depth = -(-num_rows // pes)
    kind = np.min_scalar_type(depth + 1)
    entries = np.zeros((pes, num_cols), dtype=kind)
    padding = np.zeros(num_cols, dtype=np.int64)
    _count_entries(flags(weight), pes, kind.type(min(run, depth + 1)), entries, padding)
    return entries, padding


@njit(cache=True, nogil=True)
def _count_entries(weight, pes, run, entries, padding):  # type: ignore[no-untyped-def]
    num_rows, num_cols = weight.shape
    one, none = entries.dtype.type(1), entries.dtype.type(0)
    gap = np.empty(num_cols, dtype=entries.dtype)  # zeros since an entry or a whole run
    due = np.empty(num_cols, dtype=entries.dtype)  # padding of the gap, if an entry ends it
    pads = np.empty(num_cols, dtype=entries.dtype)
    for pe in range(min(pes, num_rows)):
        gap[:] = due[:] = pads[:] = 0
        sums = entries[pe]
        for m in range(pe, num_rows, pes):
            row = weight[m]
            # no branch, narrow types: the loop runs on vectors
            for k in range(num_cols):
                is_entry = row[k] != 0
                zeros = gap[k] + one
                is_run = zeros == run
                runs = due[k] if is_entry else none
                pads[k] += runs
                sums[k] += runs + is_entry
                due[k] = none if is_entry else due[k] + is_run
                gap[k] = none if is_entry | is_run else zeros
        for k in range(num_cols):
            padding[k] += pads[k]


def row_entries(weight: NDArray[np.integer], pes: int, run: int) -> NDArray[np.int64]:
    """Entries that each local row adds to each PE's memory, ``(rows, P)``."""
    added = np.zeros((-(-len(weight) // pes), pes), dtype=np.int64)
    _row_entries(flags(weight), pes, run, added)
    return added


@njit(cache=True, nogil=True)
def _row_entries(weight, pes, run, added):  # type: ignore[no-untyped-def]
    num_rows, num_cols = weight.shape
    gap = np.empty(num_cols, dtype=np.int64)
    for pe in range(min(pes, num_rows)):
        gap[:] = 0
        for m in range(pe, num_rows, pes):
            for k in range(num_cols):
                if weight[m, k] != 0:
                    added[m // pes, pe] += 1 + gap[k] // run
                    gap[k] = 0
                else:
                    gap[k] += 1
