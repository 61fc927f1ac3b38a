"""What a machine needs of the bitmask array: one command's weights, and its counts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Words
from hwsim.arrays.bitmask.compile import Tile, check_operands, tiles, weight_writes
from hwsim.arrays.bitmask.count import count_command
from hwsim.arrays.bitmask.masks import column_masks
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.workload.gemm import GEMM

__all__ = ["count_fed", "held_words", "holds", "spread", "weight_words"]


def spread(arch: ArchConfig, weight: NDArray[np.integer]) -> NDArray[np.integer]:
    """The matrix alone: the format holds any."""
    return weight[None]


def weight_words(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> Words:
    """Words of the weight memory of filters that one command holds.

    They have what the writes of the weight stream have, but for their places: those follow from
    the order.
    """
    writes = weight_writes(arch, weight, _tile(arch, weight, name))
    begins = (writes["addr"] == 0).astype(np.int64)
    return {"kind": writes["kind"], "begins": begins, "data": writes["data"]}


def held_words(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> int:
    """Their number; more than any memory has where the PEs do not hold them.

    Raises
    ------
    InputError
        K or a single filter does not fit, or a weight has no code.
    """
    tile = _tile(arch, weight, name)
    if np.count_nonzero(tile.filters >= 0) < len(weight):
        return sys.maxsize
    array = arch.array_as(BitmaskConfig)
    return tile.weight_beats(array, -(-weight.shape[1] // array.chunk))


def count_fed(
    arch: ArchConfig,
    weight: NDArray[np.integer],
    pixels: int,
    act: NDArray[np.integer],
    *,
    keep: bool = False,
) -> Counts:
    """Counts of one command; ``act`` has the chunks of each pixel after those of the one before."""
    masks = column_masks(act.reshape(pixels, -1).T, arch.array_as(BitmaskConfig).chunk, 0)
    return count_command(arch, weight, _tile(arch, weight, "gemm"), masks, keep=keep)


def holds(
    arch: ArchConfig,
    weight: NDArray[np.integer],
    filters: int,
    parts: Sequence[range],
    limit: int,
) -> bool:
    """Whether PEs, and ``limit`` words, hold each so many filters of weights of each part of K."""
    array = arch.array_as(BitmaskConfig)
    rows = np.pad(weight, ((0, -len(weight) % filters), (0, 0))) != 0
    for part in parts:
        chunks = -(-len(part) // array.chunk)
        sizes = rows[:, part.start : part.stop].sum(axis=1).reshape(-1, filters)
        sizes = np.pad(sizes, ((0, 0), (0, array.cluster_pes - filters)))
        banks = sizes.reshape(len(sizes), -1, array.load_pes).max(axis=2)
        words = banks.sum(axis=1) + banks.shape[1] * chunks * (array.chunk // array.PIECE)
        most = int(words.max()), chunks, int(sizes.max())
        if any(np.greater(most, (limit, array.mask_depth, array.entry_depth))):
            return False
    return True


def _tile(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> Tile:
    filters, k = weight.shape
    check_operands(arch, GEMM(filters, k, 1, weight, name=name))
    return next(tiles(arch, weight, name))
