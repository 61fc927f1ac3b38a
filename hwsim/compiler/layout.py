"""Feature maps in act banks: channels in blocks of a word, pixel after pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerShape, TensorShape

__all__ = ["Map", "Unrolled"]


@dataclass(frozen=True)
class Map:
    """Feature map of one image in a bank.

    The word of a block of channels of a pixel is at ``start + (y * width + x) * blocks + block``.
    """

    shape: TensorShape
    lanes: int
    bank: int
    start: int = 0

    @property
    def blocks(self) -> int:
        """Words of a pixel."""
        return -(-self.shape.channels // self.lanes)

    @property
    def row(self) -> int:
        """Words of a row of pixels."""
        return self.shape.width * self.blocks

    @property
    def words(self) -> int:
        """Words of the map."""
        return self.shape.height * self.row

    def taps(self, shape: LayerShape) -> NDArray[np.int64]:
        """K index of each lane of the words that one output pixel of a layer needs, or -1.

        In the order of the feeder: kernel row, kernel column, block, lane.
        """
        lane = np.arange(self.blocks * self.lanes)
        first = np.arange(shape.R * shape.S)[:, None] * shape.C
        return np.where(lane < shape.C, first + lane, -1).reshape(-1)

    def image(self, act: NDArray[np.integer]) -> NDArray[np.int64]:
        """Words ``(words, lanes)`` of a map ``(C, H, W)``."""
        padded = np.zeros((self.blocks * self.lanes, *act.shape[1:]), np.int64)
        padded[: len(act)] = act
        return padded.transpose(1, 2, 0).reshape(-1, self.lanes)


@dataclass(frozen=True)
class Unrolled:
    """Input of a network whose channels do not fill a word, as the host writes it.

    Taps of a kernel row lie beside each other. The word of a group of taps of an output column is
    at ``start + (y * columns + q) * groups + group``.
    """

    shape: LayerShape
    lanes: int
    bank: int
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
    def rows(self) -> int:
        """Rows of the padded input."""
        return self.shape.ifmap.height + 2 * self.shape.layer.padding

    @property
    def words(self) -> int:
        """Words of the map."""
        return self.rows * self.columns * self.groups

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
