"""Gathers from banked activations: which row of an array takes which K in which fold.

Structured pruning leaves K' of the K columns of ``weight[M, K]``. Where activations lie in one bank
per row of the array, and row r reads bank r through an address of its own, the gather is a
list of addresses and nothing is moved: but a K fold takes at most one entry of each bank. A K lies
in bank ``channel mod rows``; without channels, a K is its own channel.

The fullest bank sets the number of folds, and :func:`pack` needs no more: fold f takes the f-th
entry of every bank. Only columns that are spread evenly over the banks reach the ideal
``ceil(K' / rows)``; :func:`project` prunes to such columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError

__all__ = ["Gather", "banks", "pack", "project"]

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

    def to_dict(self) -> dict[str, Any]:
        """Plain data: sizes, and how much longer than the ideal."""
        return {
            "kept": self.kept,
            "folds": self.folds,
            "ideal": self.ideal,
            "conflicts": self.folds - self.ideal,
        }


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


def project(
    weight: NDArray[np.integer] | NDArray[np.floating],
    keep: int,
    rows: int,
    channels: int | None = None,
) -> NDArray[Any]:
    """Nearest weights (Euclidean) with at most ``keep`` columns that reach the ideal folds.

    No bank keeps more than ``ceil(keep / rows)`` columns. Of those that a bank may keep the largest
    norms stay, and of all these the ``keep`` largest; equal norms in the order of K. That is the
    greedy choice on a matroid, so no other columns hold more of the weights' norm.
    """
    if not 0 <= keep <= weight.shape[1]:
        raise ValueError(f"keep must be within 0..{weight.shape[1]}, not {keep}")
    norms = np.square(weight.astype(np.float64)).sum(axis=0)
    bank = banks(np.arange(weight.shape[1]), rows, channels)
    best = np.lexsort((np.arange(len(norms)), -norms, bank))
    counts = np.bincount(bank, minlength=rows)
    nth = np.arange(len(norms)) - np.repeat(np.cumsum(counts) - counts, counts)
    allowed = np.sort(best[nth < -(-keep // rows)])
    stays = allowed[np.argsort(-norms[allowed], kind="stable")[:keep]]
    projected = np.zeros_like(weight)
    projected[:, stays] = weight[:, stays]
    return projected
