"""Size of an encoded weight matrix, by what the bits are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bits", "check_matrix", "flags", "gather_bits", "index_width"]


@dataclass(frozen=True)
class Bits:
    """Storage in bits. ``padding`` is whatever is stored only to keep the format regular."""

    values: int = 0
    indices: int = 0
    pointers: int = 0
    padding: int = 0

    @property
    def total(self) -> int:
        """All bits."""
        return self.values + self.indices + self.pointers + self.padding

    def __add__(self, other: Bits) -> Bits:
        """Bits of both."""
        return Bits(
            self.values + other.values,
            self.indices + other.indices,
            self.pointers + other.pointers,
            self.padding + other.padding,
        )

    def scaled(self, times: int) -> Bits:
        """Bits of ``times`` such matrices."""
        return Bits(
            self.values * times, self.indices * times, self.pointers * times, self.padding * times
        )

    def to_dict(self) -> dict[str, int]:
        """Bits by kind and in total."""
        return asdict(self) | {"total": self.total}

    @classmethod
    def from_dict(cls, raw: Mapping[str, int]) -> Bits:
        """Bits by kind, as :meth:`to_dict` gives them."""
        return cls(**{kind.name: raw[kind.name] for kind in fields(cls)})


def index_width(choices: int) -> int:
    """Bits that tell ``choices`` things apart; at least one."""
    return max(1, (choices - 1).bit_length())


def gather_bits(kept: int, count: int) -> int:
    """Size of the list that says which of ``count`` things stay; none where all do.

    A list of indices or a bitmap, whichever is smaller.
    """
    return 0 if kept == count else min(kept * index_width(count), count)


def flags(values: NDArray[np.integer]) -> NDArray[np.int8]:
    """Bytes that are zero where the value is; no copy where the values are bytes in C order."""
    is_byte = values.dtype.itemsize == 1
    return np.ascontiguousarray(values if is_byte else values != 0).view(np.int8)


def check_matrix(weight: NDArray[np.integer]) -> None:
    """Refuse, with ``ValueError``, what is no matrix with elements."""
    if weight.ndim != 2 or weight.size == 0:
        raise ValueError(f"weight must be a matrix with elements, not of shape {weight.shape}")
