"""Filter-kernel reorder (PatDNN): filters that share surviving channels go into one group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Groups", "cut", "group_filters"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Filters in the order in which the array takes them, and each group's channels.

    Attributes
    ----------
    cols
        Filters of a group; the last group may have fewer.
    order
        ``(M',)``: filters in order; the p-th is column p mod ``cols`` of group p div ``cols``. A
        filter without a kernel is left out.
    starts
        ``(groups + 1,)``: where each group's list begins in ``channels``.
    channels
        The lists one after the other, each ascending.
    """

    cols: int
    order: Ints
    starts: Ints
    channels: Ints

    def folds(self, rows: int) -> int:
        """Channel folds of all groups on an array of ``rows`` rows."""
        return int(_ceil(np.diff(self.starts), rows).sum())

    def table(self) -> Ints:
        """Filter of each column of each group, ``(groups, cols)``; -1 for none."""
        table = np.full((len(self.starts) - 1) * self.cols, -1, dtype=np.int64)
        table[: len(self.order)] = self.order
        return table.reshape(-1, self.cols)

    def filters(self) -> Ints:
        """Filter of each column for each channel of each list, ``(entries, cols)``; -1 for none."""
        return np.repeat(self.table(), np.diff(self.starts), axis=0)


def group_filters(present: NDArray[np.bool_], rows: int, cols: int) -> Groups:
    """Group filters by the channels on which they have a kernel, ``present[M, channels]``.

    Greedy: a group starts with the filter of most channels and takes, one after the other, the
    filter that adds the fewest channels to its list. The layer's own order is kept where that takes
    no more folds. Groups are sorted by length, so that equal ones are neighbours.
    """
    filters = np.flatnonzero(present.any(axis=1))
    own = cut(present, filters, cols)
    if own.folds(rows) == _least(present, filters, rows, cols):
        return own
    greedy = cut(present, _greedy(present, filters, cols), cols)
    return greedy if greedy.folds(rows) < own.folds(rows) else own


def _least(present: NDArray[np.bool_], filters: Ints, rows: int, cols: int) -> int:
    """Folds that no grouping can go below: the longest list of every ``cols`` filters."""
    lengths = np.sort(present[filters].sum(axis=1))[::-1]
    return int(_ceil(lengths[::cols], rows).sum())


def _greedy(present: NDArray[np.bool_], filters: Ints, cols: int) -> Ints:
    by_channel = np.ascontiguousarray(present[filters].T)  # channels, filters
    size = by_channel.sum(axis=0, dtype=np.int64)
    taken = np.zeros(len(filters), dtype=np.bool_)
    big = np.int64(len(by_channel) + 1)
    indices: list[int] = []
    union = np.zeros(len(by_channel), dtype=np.bool_)
    shared = np.zeros(len(filters), dtype=np.int64)
    for position in range(len(filters)):
        if position % cols == 0:
            union[:] = False
            shared[:] = 0
            cost = -size
        else:
            cost = (size - shared) * big - size
        chosen = int(np.where(taken, big * big, cost).argmin())
        taken[chosen] = True
        indices.append(chosen)
        new = by_channel[:, chosen] & ~union
        shared += by_channel[new].sum(axis=0, dtype=np.int64)
        union |= new
    return filters[indices]


def cut(present: NDArray[np.bool_], order: Ints, cols: int) -> Groups:
    """Cut an order of filters into groups, sort them by the length of their lists."""
    starts = range(0, len(order), cols)
    unions = [present[order[start : start + cols]].any(axis=0) for start in starts]
    lengths = np.array([int(union.sum()) for union in unions], dtype=np.int64)
    # the last group may be short, and stays the last
    indices = np.argsort(-lengths[:-1], kind="stable").tolist() + [len(unions) - 1][: len(unions)]
    lists = [np.flatnonzero(unions[position]) for position in indices]
    return Groups(
        cols,
        np.concatenate([order[p * cols : (p + 1) * cols] for p in indices] or [order]),
        np.concatenate(([0], np.cumsum(lengths[indices]))).astype(np.int64),
        np.concatenate(lists or [order]).astype(np.int64),
    )


def _ceil(lengths: Ints, rows: int) -> Ints:
    return -(-lengths // rows)
