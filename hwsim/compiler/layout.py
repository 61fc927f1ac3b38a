"""Feature maps in act banks: channels in blocks of a word, pixel after pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.compiler.grid import Cut, Grid
from hwsim.config import LayerShape, TensorShape
from hwsim.config.shape import MachineShape
from hwsim.workload.lowering import lower_act

__all__ = ["Lowered", "Map", "Sums", "Unrolled", "Window"]

T = TypeVar("T", bound=np.integer)


class Window(NamedTuple):
    """How a layer walks what it reads, in words: from output pixel 0, 0 to others, along K."""

    origin: int
    #: From an output pixel to the next, in its row and in its column.
    column: int
    row: int
    #: Loops over K, ``(bound, stride)``: words that lie together, kernel columns, kernel rows.
    loops: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Map(Grid):
    """Feature map of one image, with a border around it: pixels with their blocks of channels.

    Rows and columns of the border are those before 0 and beyond the last.
    """

    shape: TensorShape
    lanes: int
    bank: int = 0
    start: int = 0
    #: Pixels around the map that hold what padding stands for.
    border: int = 0
    cut: Cut | None = None

    @property
    def whole(self) -> Cut:
        """All of it, the border included."""
        edge = self.border
        rows = range(-edge, self.shape.height + edge)
        columns = range(-edge, self.shape.width + edge)
        return Cut(rows, columns, range(-(-self.shape.channels // self.lanes)))

    @property
    def inner(self) -> Cut:
        """All of it but the border."""
        size = self.shape
        return Cut(range(size.height), range(size.width), self.whole.blocks)

    def needs(self, shape: LayerShape, part: Cut) -> Cut:
        """What a layer must read for a part of its output."""
        layer = shape.layer
        if layer.type in ("fc", "globalavgpool"):
            rows, columns = range(self.shape.height), range(self.shape.width)
        else:
            rows, columns = (
                range(
                    each.start * stride - before,
                    (each.stop - 1) * stride - before + dilation * (size - 1) + 1,
                )
                for each, size, stride, before, dilation in zip(
                    (part.rows, part.columns), (shape.R, shape.S),
                    layer.strides, layer.pads[:2], layer.dilations, strict=True,
                )
            )  # fmt: skip
        whole = self.whole
        if shape.has_weights or layer.type == "concat" or part.blocks == whole.blocks:
            return Cut(rows, columns, whole.blocks)
        # some blocks of each pixel are a block of one stride where no pixel is left out
        return Cut(rows, whole.columns, part.blocks)

    @property
    def origin(self) -> int:
        """First word of pixel 0, 0."""
        return self.pixel(0, 0)

    def pixel(self, y: int, x: int) -> int:
        """First word of a pixel; of the border where it lies outside."""
        return self.cell(y, x)

    def window(self, shape: LayerShape) -> Window:
        """How a layer walks the map."""
        layer, blocks = shape.layer, self.blocks
        (top, left, _, _), (down, right), (row, col) = layer.pads, layer.strides, layer.dilations
        return Window(
            self.pixel(-top, -left),
            right * blocks,
            down * self.row,
            ((blocks, 1), (shape.S, col * blocks), (shape.R, row * self.row)),
        )

    def taps(self, shape: LayerShape) -> NDArray[np.int64]:
        """K index of each lane of the words that one output pixel of a layer needs, or -1.

        In the order of the feeder: kernel row, kernel column, block, lane. Of all channels of the
        map: K counts those of one group.
        """
        lane = np.arange(self.blocks * self.lanes)
        first = np.arange(shape.R * shape.S)[:, None] * self.shape.channels
        return np.where(lane < self.shape.channels, first + lane, -1).reshape(-1)

    def image(self, act: NDArray[T]) -> NDArray[T]:
        """Words ``(words, lanes)`` of a map ``(C, H, W)``; 0 in its border.

        Of a part nothing else is laid out: there are many of a large map.
        """
        part, (channels, *sizes) = self.part, act.shape
        places, values = [], []
        for wanted, size in zip((part.rows, part.columns), sizes, strict=True):
            first = max(wanted.start, 0)
            last = max(first, min(wanted.stop, size))
            values.append(slice(first, last))
            places.append(slice(first - wanted.start, last - wanted.start))
        blocks = len(self.whole.blocks)
        words = np.zeros((len(part.rows), len(part.columns), blocks, self.lanes), act.dtype)
        lanes = words.reshape(*words.shape[:2], -1)
        lanes[(*places, slice(channels))] = act[(slice(None), *values)].transpose(1, 2, 0)
        chosen = slice(part.blocks.start, part.blocks.stop)
        return words[:, :, chosen].reshape(-1, self.lanes)

    def edges(self) -> list[tuple[int, int, int, int]]:
        """Border as blocks: first word, words of each row, rows, words from one to the next."""
        if not self.border:
            return []
        side = self.border * self.blocks
        top = self.border * self.row + side
        # right border of a row and left border of the next lie side by side
        sides = (self.start + top + self.shape.width * self.blocks, 2 * side)
        blocks = [(self.start, top, 1, 0)]
        if self.shape.height > 1:
            blocks.append((*sides, self.shape.height - 1, self.row))
        return [*blocks, (self.start + self.words - top, top, 1, 0)]


@dataclass(frozen=True)
class Sums(Map):
    """Whole sums of a last layer: in the place of a pixel's blocks the words of its sums."""

    #: Words of the sums of a pixel.
    sums: int = 1

    @classmethod
    def of(cls, shape: TensorShape, words: MachineShape) -> Sums:
        """Sums of a layer's output."""
        beats = -(-shape.channels // words.ofmap_lanes) * words.raw_beats
        return cls(shape, words.word_lanes, sums=-(-beats // words.post_beats))

    @property
    def whole(self) -> Cut:
        """All of it."""
        return Cut(range(self.shape.height), range(self.shape.width), range(self.sums))


@dataclass(frozen=True)
class Unrolled(Grid):
    """Input of a network whose channels do not fill a word, as the host writes it.

    Taps of a kernel row lie beside each other: a cell has the groups of taps of an output column,
    a row is one of the padded input.
    """

    shape: LayerShape
    lanes: int
    bank: int = 0
    start: int = 0
    cut: Cut | None = None

    @property
    def taps_per_word(self) -> int:
        """Taps whose channels lie in one word."""
        return min(self.shape.S, self.lanes // self.shape.C)

    @property
    def groups(self) -> int:
        """Words of a kernel row."""
        return -(-self.shape.S // self.taps_per_word)

    @property
    def rows(self) -> int:
        """Rows of the padded input."""
        top, _, bottom, _ = self.shape.layer.pads
        return top + self.shape.ifmap.height + bottom

    @property
    def whole(self) -> Cut:
        """All of it."""
        columns = range(self.shape.ofmap.width)
        return Cut(range(self.rows), columns, range(self.groups))

    def needs(self, part: Cut) -> Cut:
        """What its layer must read for a part of its output."""
        (stride, _), (dilation, _) = self.shape.layer.strides, self.shape.layer.dilations
        last = (part.rows.stop - 1) * stride + dilation * (self.shape.R - 1)
        rows = range(part.rows.start * stride, last + 1)
        return Cut(rows, part.columns, self.whole.blocks)

    def window(self) -> Window:
        """How its layer walks it."""
        (stride, _), (dilation, _) = self.shape.layer.strides, self.shape.layer.dilations
        loops = ((self.groups, 1), (self.shape.R, dilation * self.row))
        return Window(self.cell(0, 0), self.groups, stride * self.row, loops)

    def taps(self) -> NDArray[np.int64]:
        """K index of each lane of the words that one output pixel needs, or -1."""
        shape, per_word = self.shape, self.taps_per_word
        found = np.full((shape.R, self.groups, self.lanes), -1)
        for column in range(shape.S):
            group, tap = divmod(column, per_word)
            lane = tap * shape.C + np.arange(shape.C)
            for row in range(shape.R):
                found[row, group, lane] = (row * shape.S + column) * shape.C + np.arange(shape.C)
        return found.reshape(-1)

    def image(self, act: NDArray[T]) -> NDArray[T]:
        """Words ``(words, lanes)`` of an input ``(C, H, W)``."""
        layer, shape, per_word = self.shape.layer, self.shape, self.taps_per_word
        (top, left, bottom, right), stride = layer.pads, layer.strides[1]
        padded = np.pad(act, ((0, 0), (top, bottom), (left, right)))
        columns = len(self.whole.columns)
        words = np.zeros((self.rows, columns, self.groups, self.lanes), act.dtype)
        for column in range(shape.S):
            group, tap = divmod(column, per_word)
            lane = tap * shape.C
            first = column * layer.dilations[1]
            pixels = padded[:, :, first : first + stride * (columns - 1) + 1 : stride]
            words[:, :, group, lane : lane + shape.C] = pixels.transpose(1, 2, 0)
        return self.taken(words.reshape(-1, self.lanes))


@dataclass(frozen=True)
class Lowered(Unrolled):
    """The same with all taps of an output pixel side by side, in the order of K.

    For arrays whose blocks of K would cross the rows of the kernel. A cell has the groups of K of
    an output pixel.
    """

    @property
    def groups(self) -> int:
        """Words of an output pixel."""
        return -(-self.shape.K // self.lanes)

    @property
    def rows(self) -> int:
        """Output rows."""
        return self.shape.ofmap.height

    def needs(self, part: Cut) -> Cut:
        """What its layer must read for a part of its output."""
        return Cut(part.rows, part.columns, self.whole.blocks)

    def window(self) -> Window:
        """How its layer walks it: straight on."""
        return Window(self.cell(0, 0), self.groups, self.row, ((self.groups, 1),))

    def taps(self) -> NDArray[np.int64]:
        """K index of each lane of the words of an output pixel, or -1."""
        lane = np.arange(self.groups * self.lanes)
        return np.where(lane < self.shape.K, lane, -1)

    def image(self, act: NDArray[T]) -> NDArray[T]:
        """Words ``(words, lanes)`` of an input ``(C, H, W)``."""
        (columns,) = lower_act(self.shape, act[None])
        pad = self.groups * self.lanes - self.shape.K
        return self.taken(np.pad(columns.T, ((0, 0), (0, pad))).reshape(-1, self.lanes))
