"""K of a product cut over commands, whose sums stay in the accumulators between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Piece", "cut_k", "pieces"]

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
