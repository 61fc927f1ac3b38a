"""Weight codes: the bits that are stored for a weight, and the integer they stand for.

``int``
    Two's complement of n bits.
``levels``
    ADMM-NN's quantizer (ASPLOS 2019, section 4.2): +-1 .. +-2**(n-1), no zero. The top bit is the
    sign, the others the magnitude less 1; one bit is binary, 0 for +1 and 1 for -1.
``ternary``
    -1, 0, +1 as two's complement of two bits.
``pow2``
    The top bit is the sign, the others 0 for zero or e + 1 for 2**e; a multiplication is a shift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NumberConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import check_range

__all__ = ["check", "decode", "encode", "levels"]


def levels(numbers: NumberConfig) -> NDArray[np.int64]:
    """Every integer that a weight may be, ascending."""
    n = numbers.weight_width
    half = 1 << (n - 1)
    if numbers.weight_code == "int":
        return np.arange(-half, half)
    if numbers.weight_code == "levels":
        return np.concatenate([np.arange(-half, 0), np.arange(1, half + 1)])
    if numbers.weight_code == "ternary":
        return np.arange(-1, 2)
    powers = 1 << np.arange(half - 1)
    return np.concatenate([-powers[::-1], [0], powers])


def encode(values: NDArray[np.integer], numbers: NumberConfig) -> NDArray[np.int64]:
    """Codes of integer weights: unsigned bit patterns below ``2**weight_width``, any shape.

    Raises
    ------
    ValueError
        A value has no code; the message has its position and the rule.
    """
    allowed = levels(numbers)
    position = np.searchsorted(allowed, values)
    wrong = allowed[np.minimum(position, len(allowed) - 1)] != values
    if wrong.any():
        first = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(
            f"weight{list(first)} = {values[first]}: must be a level of "
            f"{numbers.weight_width}-bit {numbers.weight_code}"
        )
    patterns: NDArray[np.int64] = _patterns(allowed, numbers)[position]
    return patterns


def check(source: str, weight: NDArray[np.integer], numbers: NumberConfig) -> None:
    """Make sure that every weight that is not zero has a code.

    Whether a zero needs one is the format's question, not the code's.

    Raises
    ------
    InputError
        Naming ``source``, the first position without a code, its value, and the rule.
    """
    if numbers.weight_code == "int":
        check_range(source, "weight", weight, numbers.weight_width)
        return
    allowed = levels(numbers)
    low, high = int(allowed[0]), int(allowed[-1])
    is_level = np.zeros(high - low + 1, dtype=np.bool_)
    is_level[allowed - low] = is_level[-low] = True
    fine = (weight >= low) & (weight <= high)
    fine[fine] = is_level[weight[fine].astype(np.int64) - low]
    if not fine.all():
        position = tuple(np.argwhere(~fine)[0].tolist())
        rule = f"must be zero or a level of {numbers.weight_width}-bit {numbers.weight_code}"
        raise InputError(source, f"weight{list(position)}", int(weight[position]), rule)


def decode(codes: NDArray[np.integer], numbers: NumberConfig) -> NDArray[np.int64]:
    """Integers that codes stand for; the inverse of :func:`encode`."""
    table = np.zeros(1 << numbers.weight_width, dtype=np.int64)
    allowed = levels(numbers)
    table[_patterns(allowed, numbers)] = allowed
    values: NDArray[np.int64] = table[codes]
    return values


def _patterns(values: NDArray[np.integer], numbers: NumberConfig) -> NDArray[np.int64]:
    n = numbers.weight_width
    values = values.astype(np.int64)
    if numbers.weight_code in ("int", "ternary"):
        return values & ((1 << n) - 1)
    sign = (values < 0).astype(np.int64) << (n - 1)
    if numbers.weight_code == "levels":
        patterns: NDArray[np.int64] = sign | (np.abs(values) - 1)
        return patterns
    magnitude = np.abs(values)
    exponent = np.log2(np.maximum(magnitude, 1)).astype(np.int64)
    return np.where(magnitude == 0, np.int64(0), sign | (exponent + 1))
