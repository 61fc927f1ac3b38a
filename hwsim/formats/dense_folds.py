"""Dense codes of the columns that each fold of filters keeps: block-punched pruning.

Filters are cut into folds of as many as the array takes side by side. A column that is zero in all
filters of a fold is not stored there, though others may have it, so each fold has a gather list of
its own. Where this leaves out no more than one list for the layer, there is one
(:mod:`hwsim.formats.dense`). Pruning so: YOLObile (AAAI 2021), RT3D (AAAI 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.formats.base import Bits, gather_bits

__all__ = ["Fold", "cut", "size"]

Ints = NDArray[np.int64]


class Fold(NamedTuple):
    """Filters that share a gather list: rows and columns of the whole matrix, ascending."""

    rows: Ints
    cols: Ints


def cut(weight: NDArray[np.integer], lanes: int) -> list[Fold]:
    """Folds of ``weight[M, K]`` on an array that takes ``lanes`` filters; none if all is zero.

    Filters that are left follow each other, or stay in blocks as they are numbered: whichever has
    fewer columns in all folds together. One fold of all filters where neither has fewer than one
    list for the layer.
    """
    nonzero = weight != 0
    rows = np.flatnonzero(nonzero.any(axis=1))
    if not len(rows):
        return []
    whole = Fold(rows, np.flatnonzero(nonzero.any(axis=0)))
    packed = np.arange(len(rows)) // lanes
    found = min((list(_folds(nonzero, rows, each)) for each in (packed, rows // lanes)), key=_words)
    return found if _words(found) < len(whole.cols) * (int(packed[-1]) + 1) else [whole]


def size(folds: list[Fold], shape: tuple[int, int], width: int) -> Bits:
    """Size of the folds of a matrix ``(M, K)`` in codes of ``width`` bits, with their lists."""
    kept = sum(len(fold.rows) for fold in folds)
    return Bits(
        values=sum(len(fold.rows) * len(fold.cols) for fold in folds) * width,
        indices=gather_bits(kept, shape[0])
        + sum(gather_bits(len(fold.cols), shape[1]) for fold in folds),
    )


def _folds(nonzero: NDArray[np.bool_], rows: Ints, fold: Ints) -> Iterator[Fold]:
    for index in np.unique(fold):
        own = rows[fold == index]
        yield Fold(own, np.flatnonzero(nonzero[own].any(axis=0)))


def _words(folds: list[Fold]) -> int:
    return sum(len(fold.cols) for fold in folds)
