"""Words of memories as bytes: fields side by side, the first in the lowest bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["to_bytes"]


def to_bytes(fields: Sequence[tuple[NDArray[np.integer], int]], word: int) -> NDArray[np.uint8]:
    """Pack words, two's complement.

    Parameters
    ----------
    fields
        Values ``(words, elements)``, and the bits of each element.
    word
        Bits of a word: whole bytes, at least those of the fields.

    Returns
    -------
    (words, word / 8) uint8
    """
    planes = []
    for values, width in fields:
        shifts = np.arange(width, dtype=np.int64)
        planes.append(((values[..., None].astype(np.int64) >> shifts) & 1).reshape(len(values), -1))
    bits = np.concatenate(planes, axis=1).astype(np.uint8)
    if bits.shape[1] > word or word % 8:
        raise ValueError(f"{bits.shape[1]} bits must fit a word of whole bytes, not {word} bits")
    padded = np.zeros((len(bits), word), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little")
