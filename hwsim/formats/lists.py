"""Gather lists that lie beside the weights of a layer: which of K, and which filters, are left.

An array whose words hold no indices learns from lists what was left out: what is before it reads
the activations that a list names, and what is behind it places the sums. Nothing of this is in its
weight stream, and so not in its traffic or its cycles; :mod:`hwsim.cost.system` pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.formats.base import index_width

__all__ = ["NONE", "Lists", "lists_of"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Lists:
    """Lists of a layer, all its groups and folds of filters together.

    Without any, because nothing is left out or because the weight stream has the indices, all is 0.
    """

    #: Entries that name what is left of K, and filters that are left.
    columns: int = 0
    filters: int = 0
    #: Bits of both, each entry an address.
    bits: int = 0
    #: Folds of K that the columns take, and that they take where each lane of the array has only
    #: columns of its own.
    folds: int = 0
    banked: int = 0

    def __add__(self, other: Lists) -> Lists:
        """Lists of both."""
        return Lists(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def scaled(self, times: int) -> Lists:
        """Lists of ``times`` such matrices."""
        return Lists(*(getattr(self, each.name) * times for each in fields(self)))

    def to_dict(self) -> dict[str, int]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Lists:
        """Lists, as :meth:`to_dict` gives them."""
        return cls(**{each.name: raw[each.name] for each in fields(cls)})


#: Of a layer without lists.
NONE = Lists()


def lists_of(
    rows: Ints, cols: Ints, shape: tuple[int, int], lanes: int, *, in_order: bool
) -> Lists:
    """Lists of a matrix, or of a fold of its filters, of which rows and columns are left.

    Parameters
    ----------
    shape
        ``(M, K)`` of the whole matrix.
    lanes
        Of K that the array takes at once.
    in_order
        Whether lane r has the columns that are congruent to r modulo the lanes. Else they lie in
        any order, which gives each lane as many.
    """
    columns = len(cols) if len(cols) < shape[1] else 0
    filters = len(rows) if len(rows) < shape[0] else 0
    folds = -(-len(cols) // lanes)
    fullest = int(np.bincount(cols % lanes).max(initial=0)) if in_order and columns else folds
    return Lists(
        columns=columns,
        filters=filters,
        bits=columns * index_width(shape[1]) + filters * index_width(shape[0]),
        folds=folds,
        banked=fullest,
    )
