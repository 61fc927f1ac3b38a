"""Geometry of windows: stride, dilation and padding, alike all around or by direction and side.

A stride or a dilation is one number, or ``(height, width)``. Padding is one number, ``(height,
width)``, or ``(top, left, bottom, right)``, the order of ONNX.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

__all__ = ["Padding", "Sides", "Steps", "pair", "plain", "sides"]

#: Largest stride or dilation, and most pixels of padding at a side.
_STEP, _PAD = 1 << 20, 64


def pair(steps: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of a stride or a dilation."""
    return (steps, steps) if isinstance(steps, int) else steps


def sides(padding: int | tuple[int, ...]) -> Sides:
    """Top, left, bottom and right of padding."""
    if isinstance(padding, int):
        return (padding,) * 4
    top, left, bottom, right = padding if len(padding) == 4 else padding * 2
    return top, left, bottom, right


def plain(size: object) -> object:
    """Write a size in the shortest form: one number where all are alike, a list as a tuple."""
    if not isinstance(size, list | tuple):
        return size
    numbers = tuple(size)
    if len(numbers) == 4 and numbers[:2] == numbers[2:]:
        numbers = numbers[:2]
    is_alike = len(numbers) in (2, 4) and all(number == numbers[0] for number in numbers)
    return numbers[0] if is_alike else numbers


def _steps(size: object) -> object:
    if not _are_numbers(size, (2,), 1, _STEP):
        raise ValueError(f"must be a number from 1 to {_STEP}, or two: [height, width]")
    return plain(size)


def _padding(size: object) -> object:
    if not _are_numbers(size, (2, 4), 0, _PAD):
        rule = "two: [height, width], or four: [top, left, bottom, right]"
        raise ValueError(f"must be a number from 0 to {_PAD}, {rule}")
    return plain(size)


def _are_numbers(size: object, lengths: tuple[int, ...], least: int, most: int) -> bool:
    """Whether a size is one number within limits, or a list of so many."""
    is_list = isinstance(size, list | tuple)
    numbers = list(size) if isinstance(size, list | tuple) else [size]
    return (not is_list or len(numbers) in lengths) and all(
        isinstance(number, int) and not isinstance(number, bool) and least <= number <= most
        for number in numbers
    )


Sides = tuple[int, int, int, int]
#: A stride or a dilation.
Steps = Annotated[int | tuple[int, int], BeforeValidator(_steps)]
#: Pixels of padding.
Padding = Annotated[int | tuple[int, int] | Sides, BeforeValidator(_padding)]
