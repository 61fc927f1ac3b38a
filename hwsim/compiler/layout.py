"""Feature maps in act banks: channels in blocks of a word, pixel after pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerShape, TensorShape

__all__ = ["Map", "Unrolled"]


@dataclass(frozen=True)
class Map:
    """Feature map of one image in a bank, with a border around it.

    The word of a block of channels of a pixel is at ``origin + y * row + x * blocks + block``.
    """

    shape: TensorShape
    lanes: int
    bank: int = 0
    start: int = 0
    #: Pixels around the map that hold what padding stands for.
    border: int = 0

    @property
    def blocks(self) -> int:
        """Words of a pixel."""
        return -(-self.shape.channels // self.lanes)

    @property
    def row(self) -> int:
        """Words of a row of pixels."""
        return (self.shape.width + 2 * self.border) * self.blocks

    @property
    def words(self) -> int:
        """Words of the map."""
        return (self.shape.height + 2 * self.border) * self.row

    @property
    def origin(self) -> int:
        """First word of pixel 0, 0."""
        return self.pixel(0, 0)

    def pixel(self, y: int, x: int) -> int:
        """First word of a pixel; of the border where it lies outside."""
        return self.start + (y + self.border) * self.row + (x + self.border) * self.blocks

    def taps(self, shape: LayerShape) -> NDArray[np.int64]:
        """K index of each lane of the words that one output pixel of a layer needs, or -1.

        In the order of the feeder: kernel row, kernel column, block, lane. Of all channels of the
        map: K counts those of one group.
        """
        lane = np.arange(self.blocks * self.lanes)
        first = np.arange(shape.R * shape.S)[:, None] * self.shape.channels
        return np.where(lane < self.shape.channels, first + lane, -1).reshape(-1)

    def image(self, act: NDArray[np.integer]) -> NDArray[np.int64]:
        """Words ``(words, lanes)`` of a map ``(C, H, W)``; 0 in its border."""
        edge = (self.border, self.border)
        padded = np.zeros((self.blocks * self.lanes, *act.shape[1:]), np.int64)
        padded[: len(act)] = act
        padded = np.pad(padded, ((0, 0), edge, edge))
        return padded.transpose(1, 2, 0).reshape(-1, self.lanes)

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
class Unrolled:
    """Input of a network whose channels do not fill a word, as the host writes it.

    Taps of a kernel row lie beside each other. The word of a group of taps of an output column is
    at ``start + (y * columns + q) * groups + group``.
    """

    shape: LayerShape
    lanes: int
    bank: int = 0
    start: int = 0

    @property
    def taps_per_word(self) -> int:
        """Taps whose channels lie in one word."""
        return min(self.shape.S, self.lanes // self.shape.C)

    @property
    def groups(self) -> int:
        """Words of a kernel row."""
        return -(-self.shape.S // self.taps_per_word)

    @property
    def columns(self) -> int:
        """Output columns."""
        return self.shape.ofmap.width

    @property
    def row(self) -> int:
        """Words of a row of the padded input."""
        return self.columns * self.groups

    @property
    def rows(self) -> int:
        """Rows of the padded input."""
        return self.shape.ifmap.height + 2 * self.shape.layer.padding

    @property
    def words(self) -> int:
        """Words of the map."""
        return self.rows * self.row

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

    def image(self, act: NDArray[np.integer]) -> NDArray[np.int64]:
        """Words ``(words, lanes)`` of an input ``(C, H, W)``."""
        layer, shape, per_word = self.shape.layer, self.shape, self.taps_per_word
        border = layer.padding
        padded = np.pad(act, ((0, 0), (border, border), (border, border)))
        words = np.zeros((self.rows, self.columns, self.groups, self.lanes), np.int64)
        for column in range(shape.S):
            group, tap = divmod(column, per_word)
            lane = tap * shape.C
            first = column * layer.dilation
            pixels = padded[:, :, first : first + layer.stride * (self.columns - 1) + 1]
            pixels = pixels[:, :, :: layer.stride]
            words[:, :, group, lane : lane + shape.C] = pixels.transpose(1, 2, 0)
        return words.reshape(-1, self.lanes)
