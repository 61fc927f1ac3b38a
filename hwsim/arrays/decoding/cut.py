"""K of a product cut over commands, whose sums stay in the accumulators between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.config import DecodingConfig

__all__ = ["Piece", "commands", "cut_k", "parts_of_k", "pieces"]

T = TypeVar("T")


class Piece(NamedTuple, Generic[T]):
    """What one command computes: the filters of a tile, a part of K, some groups of pixels."""

    tile: T
    k: range
    groups: range
    #: Its sums begin with those of the command before; they stay for the next one.
    carry: bool = False
    keep: bool = False


def cut_k(k: int, unit: int, fits: Callable[[range], bool]) -> list[range]:
    """Parts of K, each of whole units, as few as fit; single units where those do not."""
    units = -(-k // unit)
    for count in range(1, units + 1):
        each = -(-units // count) * unit
        parts = [range(first, min(first + each, k)) for first in range(0, k, each)]
        if all(map(fits, parts)):
            break
    return parts


def parts_of_k(
    array: DecodingConfig, k: int, weight: NDArray[np.integer] | None, unit: int, limit: int
) -> list[range]:
    """Parts of K, of whole units, as few as the PEs hold; K whole where no sums can stay.

    A part has at most ``limit`` positions, and of each filter as many non-zeros as a PE holds:
    without weights all are.
    """

    def fits(part: range) -> bool:
        most = len(part)
        if weight is not None:
            most = int(np.count_nonzero(weight[:, part.start : part.stop], axis=1).max())
        return len(part) <= limit and most <= array.entry_depth

    return cut_k(k, unit, fits) if array.carries else [range(k)]


def commands(
    tiles: Iterable[Sequence[T]], parts: Sequence[range], groups: int, kept: Callable[[T], int]
) -> Iterator[Piece[T]]:
    """Commands of a product: of the filters of each of ``tiles`` all parts of K.

    ``kept`` is how many groups of pixels the accumulators hold of a tile.
    """
    for of_parts in tiles:
        most = kept(of_parts[0]) if len(parts) > 1 else groups
        yield from pieces(of_parts, parts, groups, most)


def pieces(
    tiles: Sequence[T], parts: Sequence[range], groups: int, most: int
) -> Iterator[Piece[T]]:
    """Commands of the same filters: all parts of K for ``most`` groups, then for the next ones.

    ``tiles`` has what each part of K holds of them.
    """
    for first in range(0, groups, most):
        some = range(first, min(first + most, groups))
        for index, (tile, part) in enumerate(zip(tiles, parts, strict=True)):
            yield Piece(tile, part, some, index > 0, index < len(parts) - 1)
