"""How the pattern family cuts a layer into tiles, and what the window unit makes of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hwsim.config import PatternConfig
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM

__all__ = ["Tile", "tiles"]


@dataclass(frozen=True)
class Tile:
    """A rectangle of the ofmaps of ``images`` neighbouring images, and the patch it needs of each.

    A tile of a layer that is not 3x3 is ``images`` pixels of N (``direct``).

    Attributes
    ----------
    image, images
        First image and number of images.
    p, q
        First row and column of the ofmap.
    height, width
        Of the rectangle.
    y, x
        First row and column of the patch in the ifmap.
    patch_height, patch_width
        Of the patch.
    top, bottom, left, right
        Whether the padding is next to that edge of the patch.
    """

    image: int
    images: int
    direct: bool = True
    p: int = 0
    q: int = 0
    height: int = 1
    width: int = 1
    y: int = 0
    x: int = 0
    patch_height: int = 1
    patch_width: int = 1
    top: bool = True
    bottom: bool = True
    left: bool = True
    right: bool = True
    stride: int = 1

    @property
    def pixels(self) -> int:
        """Windows of a fold: output pixels."""
        return self.images * self.height * self.width

    @property
    def reads(self) -> int:
        """Beats of activations of a fold: pixels of the patches."""
        return self.images * self.patch_height * self.patch_width

    @property
    def first(self) -> int:
        """Position (cycles in which the window unit steps, from 0) that makes the first window."""
        if self.direct:
            return 0
        row, col = int(not self.top), int(not self.left)
        return (row + 1) * self.patch_width + col + 1

    @property
    def span(self) -> int:
        """Positions from a fold's first window to its last."""
        inside = (self.height - 1) * self.patch_width + self.width - 1
        return (self.images - 1) * self.patch_height * self.patch_width + self.stride * inside

    def timing(self) -> tuple[int, int, int, int]:
        """All that the cycles of a tile depend on."""
        return self.pixels, self.reads, self.first, self.span


def tiles(
    array: PatternConfig, gemm: GEMM, rows: range | None = None, columns: range | None = None
) -> list[Tile]:
    """Tiles of a layer, each of at most ``acc_depth`` pixels; the cut that reads the least.

    Several whole images go into one tile where they fit.

    Parameters
    ----------
    rows, columns
        Of the ofmap, where tiles of a part of it are wanted.
    """
    depth = array.acc_depth
    assert depth is not None
    conv = gemm.conv
    if conv is None or not gemm.channels:
        return [Tile(n, min(depth, gemm.N - n)) for n in range(0, gemm.N, depth)]
    rows, columns = rows or range(conv.P), columns or range(conv.Q)
    height, width = _size(array, conv, depth, rows, columns)
    at_once = depth // (conv.P * conv.Q) if (height, width) == (conv.P, conv.Q) else 1
    return [
        Tile(
            image, min(at_once, conv.images - image), False,
            *(p, q, high, wide, y, x, patch_height, patch_width),
            *(top, bottom, left, right, conv.strides[0]),
        )
        for image in range(0, conv.images, at_once)
        for p, high, y, patch_height, top, bottom in _parts(conv, conv.H, rows, height)
        for q, wide, x, patch_width, left, right in _parts(conv, conv.W, columns, width)
    ]  # fmt: skip


def _size(
    array: PatternConfig, conv: Conv, depth: int, rows: range, columns: range
) -> tuple[int, int]:
    """Height and width of a tile: the fewest pixels read, then the fewest tiles."""
    best = (0, 0, 0, 0)
    for width in range(1, min(len(columns), depth) + 1):
        across = list(_parts(conv, conv.W, columns, width))
        if max(part[3] for part in across) > array.line_depth:
            break
        height = min(len(rows), depth // width)
        down = list(_parts(conv, conv.H, rows, height))
        reads = sum(part[3] for part in down) * sum(part[3] for part in across)
        cut = (reads, len(down) * len(across), height, width)
        if best == (0, 0, 0, 0) or cut < best:
            best = cut
    return best[2], best[3]


def _parts(
    conv: Conv, size: int, outputs: range, part: int
) -> Iterator[tuple[int, int, int, int, bool, bool]]:
    """Cut one dimension into parts of ``part`` outputs.

    Yields first output, outputs, first input, inputs, and whether the padding is before and behind.
    """
    for first in range(outputs.start, outputs.stop, part):
        count = min(part, outputs.stop - first)
        begin = first * conv.strides[0] - conv.pads[0]
        end = begin + (count - 1) * conv.strides[0] + 3
        start, stop = max(begin, 0), min(end, size)
        yield first, count, start, stop - start, begin < 0, end > size
