"""IDX files, the format of MNIST: a magic number, big-endian sizes, unsigned bytes."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError

__all__ = ["parse", "serialize"]

_UNSIGNED_BYTE = 0x08


def parse(data: bytes, source: Path | str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an uncompressed IDX file that must hold exactly ``shape``.

    Raises
    ------
    InputError
        Wrong magic number, other sizes, or more or fewer bytes than the sizes say.
    """
    magic = _UNSIGNED_BYTE << 8 | len(shape)
    actual = int.from_bytes(data[:4], "big")
    if len(data) < 4 or actual != magic:
        shown = f"0x{actual:08x}" if len(data) >= 4 else None
        rule = f"must be 0x{magic:08x}: unsigned bytes in {len(shape)} dimension(s)"
        raise InputError(source, "magic", shown, rule)
    header = 4 + 4 * len(shape)
    if len(data) < header:
        raise InputError(source, "", None, f"is truncated: {len(data)} bytes, header has {header}")
    sizes = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, header, 4))
    if sizes != shape:
        raise InputError(source, "sizes", sizes, f"must be {shape}")
    if len(data) != header + prod(shape):
        rule = f"must be {header + prod(shape)} bytes, not {len(data)}"
        raise InputError(source, "", None, rule)
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(shape)


def serialize(values: NDArray[np.uint8]) -> bytes:
    """Write unsigned bytes of any number of dimensions as an IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, _UNSIGNED_BYTE, values.ndim]) + sizes + values.tobytes()
