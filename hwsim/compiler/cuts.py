"""Ways to cut a layer's output into parts: what each reads and writes, and what all read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hwsim.compiler.grid import Cut
from hwsim.compiler.layout import Map, Unrolled
from hwsim.config import LayerShape

__all__ = ["Way", "needed", "ways"]

#: Words that would take about as long as what a part costs by itself: descriptor and latencies.
_PART = 64


@dataclass(frozen=True, order=True)
class Way:
    """One way to cut: the less is loaded, the better; of equals the one with the fewest parts.

    Attributes
    ----------
    total, count
        Words that all parts load, about; and parts.
    reads, writes
        Words of the largest part.
    rows, columns, blocks
        Extent of a part.
    """

    total: int
    count: int
    reads: int
    writes: int
    rows: int
    columns: int
    blocks: int

    def parts(self, inner: Cut) -> Iterator[Cut]:
        """Parts of a map, row after row."""
        for rows in _pieces(inner.rows, self.rows):
            for columns in _pieces(inner.columns, self.columns):
                for blocks in _pieces(inner.blocks, self.blocks):
                    yield Cut(rows, columns, blocks)


def needed(grid: Map | Unrolled, shape: LayerShape, part: Cut) -> Cut:
    """What a layer reads of a map for a part of its output."""
    return grid.needs(shape, part) if isinstance(grid, Map) else grid.needs(part)


def ways(
    shape: LayerShape, inner: Cut, grids: Sequence[Map | Unrolled], again: int = 0
) -> list[Way]:
    """Ways to cut a layer, the best first.

    Parameters
    ----------
    inner
        Its output.
    grids
        What of its inputs must be loaded.
    again
        Words of weights, counted as those of maps, that each part loads.
    """
    # what is read of rows does not depend on columns: a few numbers for each
    rows = [_along(shape, inner, grids, "rows", size) for size in _extents(len(inner.rows))]
    columns = [
        _along(shape, inner, grids, "columns", size) for size in _extents(len(inner.columns))
    ]
    every = len(inner.blocks)
    blocks = [every]
    if len(inner.rows) == len(inner.columns) == 1 and not shape.has_weights:
        blocks = _extents(every) if shape.layer.type != "concat" else blocks
    found = []
    for block in blocks:
        # of a part, how much of each cell
        lengths = [
            len(needed(grid, shape, Cut(inner.rows, inner.columns, range(block))).blocks)
            for grid in grids
        ]
        times = -(-every // block)
        for height, tall, tall_sum in rows:
            for width, wide, wide_sum in columns:
                reads = sum(t * w * n for t, w, n in zip(tall, wide, lengths, strict=True))
                total = sum(t * w * n for t, w, n in zip(tall_sum, wide_sum, lengths, strict=True))
                count = -(-len(inner.rows) // height) * -(-len(inner.columns) // width) * times
                writes = height * width * block
                total = total * times + count * (again + _PART)
                found.append(Way(total, count, reads, writes, height, width, block))
    return sorted(found)


def _along(
    shape: LayerShape, inner: Cut, grids: Sequence[Map | Unrolled], axis: str, size: int
) -> tuple[int, list[int], list[int]]:
    """Extent of parts along an axis; of each grid the most that one reads there, and the sum."""
    most, total = [0] * len(grids), [0] * len(grids)
    for piece in _pieces(getattr(inner, axis), size):
        rows, columns = (piece, inner.columns) if axis == "rows" else (inner.rows, piece)
        for index, grid in enumerate(grids):
            length = len(getattr(needed(grid, shape, Cut(rows, columns, inner.blocks)), axis))
            most[index] = max(most[index], length)
            total[index] += length
    return size, most, total


def _pieces(whole: range, size: int) -> Iterator[range]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


def _extents(size: int) -> list[int]:
    """Lengths of equal pieces of something, the longest first."""
    return sorted({-(-size // pieces) for pieces in range(1, size + 1)}, reverse=True)
