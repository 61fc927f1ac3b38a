"""Compressed stream of dense weights: masks with packed non-zeros, as NVDLA has them in memory.

A *row* is what a dense array takes in one cycle: one code for each of its lanes. In the stream it
is a mask, one bit per lane, and behind it the codes that are not zero, both with the lowest lane
first. The stream is a sequence of *slots* as wide as a code. A mask fills whole slots, rows follow
each other without a gap, and a word of the array's port is ``port`` slots, the first one lowest.
The stream begins with a word; zeros fill the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, DenseConfig
from hwsim.formats.base import Bits

__all__ = ["Packing", "bits", "decode", "encode"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Packing:
    """Sizes of a stream.

    Attributes
    ----------
    lanes
        Weights of a row.
    width
        Bits of a code, and of a slot.
    port
        Slots of a word.
    """

    lanes: int
    width: int
    port: int

    @classmethod
    def of(cls, arch: ArchConfig) -> Self:
        """Sizes of the stream of a design."""
        array = arch.array_as(DenseConfig)
        return cls(array.weight_lanes, arch.numbers.weight_width, array.word_weights)

    @property
    def mask_slots(self) -> int:
        """Slots of a mask."""
        return -(-self.lanes // self.width)

    @property
    def longest(self) -> int:
        """Slots of a row without a zero."""
        return self.mask_slots + self.lanes

    def words(self, rows: int, nonzeros: int) -> int:
        """Words of a stream."""
        return -(-(rows * self.mask_slots + nonzeros) // self.port)


def encode(rows: Ints, packing: Packing) -> Ints:
    """Words ``(words, port)`` of the codes ``rows[rows, lanes]``."""
    count, slots = len(rows), packing.mask_slots
    mask = rows != 0
    padded = np.pad(mask, ((0, 0), (0, slots * packing.width - packing.lanes)))
    masks = padded.reshape(count, slots, packing.width) @ (np.int64(1) << np.arange(packing.width))
    sizes = slots + mask.sum(axis=1, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    stream = np.zeros(packing.words(count, int(mask.sum())) * packing.port, dtype=np.int64)
    stream[starts[:, None] + np.arange(slots)] = masks
    rank = np.cumsum(mask, axis=1) - 1
    stream[(starts[:, None] + slots + rank)[mask]] = rows[mask]
    return stream.reshape(-1, packing.port)


def decode(words: Ints, count: int, packing: Packing) -> Ints:
    """Codes of the first ``count`` rows of a stream; the inverse of :func:`encode`."""
    stream, start = words.reshape(-1), 0
    rows = np.zeros((count, packing.lanes), dtype=np.int64)
    for row in rows:
        slots = stream[start : start + packing.mask_slots]
        mask = (slots[:, None] >> np.arange(packing.width) & 1).reshape(-1)[: packing.lanes] != 0
        first = start + packing.mask_slots
        start = first + int(mask.sum())
        row[mask] = stream[first:start]
    return rows


def bits(packing: Packing, kept: tuple[int, int], nonzeros: int) -> Bits:
    """Size by kind of ``(M, K)`` weights, of which ``nonzeros`` are not zero.

    Values are the non-zeros and indices a mask bit per weight. Padding is the mask bits of lanes
    without a filter, what fills up the slots of a mask, and the end of the last word.
    """
    num_rows, num_cols = kept
    words = packing.words(-(-num_rows // packing.lanes) * num_cols, nonzeros)
    values, indices = nonzeros * packing.width, num_rows * num_cols
    total = words * packing.port * packing.width
    return Bits(values=values, indices=indices, padding=total - values - indices)
