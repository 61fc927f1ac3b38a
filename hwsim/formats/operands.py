"""Operands of a layer as the codes that streams and memories carry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NumberConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import check_range
from hwsim.formats import codes

__all__ = ["act_codes", "act_values", "weight_codes"]

Ints = NDArray[np.int64]


def weight_codes(name: str, weight: NDArray[np.integer], numbers: NumberConfig) -> Ints:
    """Codes of weights, any shape: unsigned patterns of ``weight_width`` bits.

    Raises
    ------
    InputError
        A weight has no code, naming ``name`` (the layer), the position and the rule.
    """
    if numbers.weight_code == "int":
        check_range(name, "weight", weight, numbers.weight_width)
    try:
        return codes.encode(weight, numbers)
    except ValueError as error:
        position, _, rule = str(error).partition(": ")
        key, _, value = position.partition(" = ")
        raise InputError(name, key, int(value), rule) from error


def act_codes(name: str, act: NDArray[np.integer], numbers: NumberConfig) -> Ints:
    """Codes of activations, any shape: the integers themselves; of one bit, 0 for +1, 1 for -1.

    Raises
    ------
    InputError
        An activation does not fit, naming ``name`` (the layer), the position and the rule.
    """
    values = act.astype(np.int64)
    if numbers.act_width > 1:
        check_range(name, "act", values, numbers.act_width)
        return values
    wrong = np.argwhere(np.abs(values) != 1)
    if len(wrong):
        position = tuple(wrong[0].tolist())
        rule = "must be +1 or -1 (act_width 1 is binary)"
        raise InputError(name, f"act{list(position)}", int(values[position]), rule)
    return (values < 0).astype(np.int64)


def act_values(act: Ints, numbers: NumberConfig) -> Ints:
    """Integers that activation codes stand for; the inverse of :func:`act_codes`."""
    return act if numbers.act_width > 1 else 1 - 2 * act
