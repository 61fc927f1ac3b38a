"""Arguments of the functions: wrong ones are refused in one line, whatever their type."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hwsim.errors import InputError

__all__ = ["fractions", "image_count", "image_source", "named", "several", "whole"]


def whole(key: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """Integer of at least ``least``; NumPy's are integers too, booleans are not.

    With ``most`` it is at most that.
    """
    try:
        number = value.__index__()
    except AttributeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise InputError("arguments", key, value, f"must be an integer of at least {least}")
    if most is not None and number > most:
        raise InputError("arguments", key, value, f"must be at most {most:,}")
    return int(number)


def image_count(images: Any) -> int:
    """Images of a batch."""
    from hwsim.config.limits import MAX_IMAGES

    return whole("images", images, 1, MAX_IMAGES)


def fractions(key: str, values: Iterable[Any]) -> list[float]:
    """Numbers between 0 and 1."""
    found = list(values) if isinstance(values, Iterable) else [values]
    for value in found:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError("arguments", key, value, "must be a fraction between 0 and 1")
    return [float(value) for value in found]


def several(key: str, value: Any, kinds: tuple[type, ...] = (str, Path)) -> list[Any]:
    """List of one or several values of some kinds; one alone need not be in a list."""
    values = [value] if isinstance(value, kinds) else value
    if not isinstance(values, list | tuple):
        raise InputError("arguments", key, value, f"must be {_names(kinds)}, or a list of these")
    for each in values:
        named(key, each, kinds)
    return list(values)


def named(key: str, value: Any, kinds: tuple[type, ...] = (str, Path)) -> Any:
    """Value of one of some kinds."""
    if not isinstance(value, kinds):
        raise InputError("arguments", key, value, f"must be {_names(kinds)}")
    return value


def _names(kinds: tuple[type, ...]) -> str:
    *others, last = (kind.__name__ for kind in kinds)
    return f"{', '.join(others)} or {last}" if others else last


def image_source(inputs: Any) -> Any:
    """Images: an array, or the path of a file; ``None`` for those that ship."""
    if inputs is None:
        return None
    import numpy as np

    if isinstance(inputs, str | Path | np.ndarray):
        return Path(inputs) if isinstance(inputs, str) else inputs
    rule = "must be an array, or the path of a .npy or .npz file"
    raise InputError("arguments", "inputs", type(inputs).__name__, rule)
