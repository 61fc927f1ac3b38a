"""Two's-complement arithmetic, once: what the RTL does with a value that does not fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError

__all__ = ["check_range", "overflows", "requantize", "round_half_up_shift", "saturate", "wrap"]

Ints = NDArray[np.int64]


def wrap(value: Ints, width: int) -> Ints:
    """Reduce to ``width`` bits, two's complement."""
    half = np.int64(1) << np.int64(width - 1)
    return ((value + half) & ((half << 1) - 1)) - half


def saturate(value: Ints, width: int) -> Ints:
    """Limit to the range of ``width`` bits, two's complement."""
    half = 1 << (width - 1)
    return np.clip(value, -half, half - 1)


def check_range(source: str, key: str, value: NDArray[np.integer], width: int) -> None:
    """Make sure that ``width`` bits hold every value.

    Raises
    ------
    InputError
        Naming ``source``, the first index in ``key`` whose value does not fit, and the value.
    """
    if value.dtype.kind == "i" and value.dtype.itemsize * 8 <= width:
        return  # the type itself is narrow enough: no pass over the values
    half = 1 << (width - 1)
    if value.size and (int(value.min()) < -half or int(value.max()) >= half):
        index = tuple(np.argwhere((value < -half) | (value >= half))[0].tolist())
        rule = f"must be within {-half}..{half - 1} ({width} bits)"
        raise InputError(source, f"{key}{list(index)}", int(value[index]), rule)


def overflows(value: Ints, width: int) -> int:
    """Count the values that ``width`` bits cannot hold."""
    return int(np.count_nonzero(wrap(value, width) != value))


def round_half_up_shift(value: Ints, shift: int | Ints) -> Ints:
    """Divide by ``2**shift``, halves rounded towards plus infinity."""
    bits = np.asarray(shift, np.int64)
    half = np.where(bits > 0, np.int64(1) << np.maximum(bits - 1, 0), 0)
    result: Ints = (value + half) >> bits
    return result


def requantize(
    psum: Ints, multiplier: int | Ints, shift: int | Ints, width: int, relu: bool
) -> Ints:
    """Scale partial sums to activations: integer multiply, rounding shift, saturate, then ReLU.

    ``multiplier`` and ``shift`` are one for all, or arrays that broadcast to ``psum``. The product
    must fit 63 bits: ``|psum| < 2**47`` and ``multiplier < 2**16``.
    """
    product = psum * np.asarray(multiplier, np.int64)
    scaled = saturate(round_half_up_shift(product, shift), width)
    return np.maximum(scaled, 0) if relu else scaled
