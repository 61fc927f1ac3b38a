"""Gathers from banked activations: which row of an array takes which K index in which fold.

Structured pruning leaves K' of the K columns of ``weight[M, K]``. Where activations lie in one bank
per row of the array, and row r reads bank r through an address of its own, the gather is a
list of addresses and nothing is moved: but a K fold takes at most one entry of each bank. A K index
lies in bank ``channel mod rows``; without channels, a K index is its own channel.

The fullest bank sets the number of folds, and :func:`pack` needs no more: fold f takes the f-th
entry of every bank. Only columns that are spread evenly over the banks reach the ideal
``ceil(K' / rows)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError

__all__ = ["Gather", "banks", "pack"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Gather:
    """One gather list for the whole array.

    Attributes
    ----------
    entries
        ``(folds, rows)``: the K that each row takes in each fold; -1 where its bank has no more.
    """

    entries: Ints

    @property
    def folds(self) -> int:
        """K folds that the array runs."""
        return len(self.entries)

    @property
    def columns(self) -> int:
        """Columns up to the last row that has an entry in the last fold."""
        return int(np.flatnonzero(self.entries.reshape(-1) >= 0).max(initial=-1)) + 1

    @property
    def kept(self) -> int:
        """Columns that are gathered, K'."""
        return int(np.count_nonzero(self.entries >= 0))

    @property
    def ideal(self) -> int:
        """K folds that these columns would take without banks, ``ceil(K' / rows)``."""
        rows: int = self.entries.shape[1]
        return -(-self.kept // rows)


def banks(k: NDArray[np.integer], rows: int, channels: int | None = None) -> Ints:
    """Bank of each K.

    Parameters
    ----------
    channels
        Input channels of a convolution, whose K is ordered (tap, channel): a channel lies in one
        bank whatever the tap.
    """
    channel: Ints = k.astype(np.int64)
    if channels is not None:
        channel = channel % channels
    return channel % rows


def pack(kept: NDArray[np.integer], depth: int, rows: int, channels: int | None = None) -> Gather:
    """Pack the columns ``kept`` of ``weight[M, depth]`` into the fewest folds without a conflict.

    Raises
    ------
    InputError
        A column that is not there, or is given twice: position, value and rule.
    """
    columns = np.asarray(kept, dtype=np.int64)
    wrong = np.flatnonzero((columns < 0) | (columns >= depth))
    if len(wrong):
        position = int(wrong[0])
        raise InputError(
            "gather", f"kept[{position}]", int(columns[position]), f"must be within 0..{depth - 1}"
        )
    columns = np.sort(columns)
    twice = columns[:-1][np.diff(columns) == 0]
    if len(twice):
        raise InputError("gather", "kept", int(twice[0]), "must be given once")
    bank = banks(columns, rows, channels)
    order = np.argsort(bank, kind="stable")
    counts = np.bincount(bank, minlength=rows)
    nth = np.arange(len(columns)) - np.repeat(np.cumsum(counts) - counts, counts)
    entries: Ints = np.full((int(counts.max(initial=0)), rows), -1, dtype=np.int64)
    entries[nth, bank[order]] = columns[order]
    return Gather(entries)
