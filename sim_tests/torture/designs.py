"""Random configurations of a family, drawn from nothing but the bounds of its fields."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from hwsim.config import ArchConfig
from hwsim.config.arrays import FAMILIES
from hwsim.config.base import parse
from hwsim.config.numbers import NumberConfig
from hwsim.errors import InputError

__all__ = ["MULTIPLIERS", "draw"]

#: Most multipliers of a design: building a simulation takes seconds to minutes by their number.
MULTIPLIERS = 32
#: Most that a number is drawn as; most numbers are small.
LARGEST = 4096
#: Draws until one keeps every rule of a family.
TRIES = 20_000


def draw(family: str, seed: int) -> ArchConfig:
    """Draw a design of a family: any that the rules accept, of at most ``MULTIPLIERS`` multipliers.

    Each field is drawn from its bounds, without knowledge of what it means, and what breaks a rule
    is drawn again. The same seed gives the same design.
    """
    rng = np.random.default_rng([seed, *family.encode()])
    # options exclude each other: designs of few are as likely as those of many
    left_out = (0.2, 0.4, 0.7)[int(rng.integers(3))]
    for _ in range(TRIES):
        array = _fields(rng, FAMILIES[family].model_fields, family, left_out)
        numbers = _fields(rng, NumberConfig.model_fields, family, left_out)
        raw = {"name": f"{family}_{seed}", "numbers": numbers, "array": array}
        try:
            design = parse(ArchConfig, raw, f"{family} {seed}")
        except InputError:
            continue
        # halves are filled by the load engine of a machine: such an array does not run alone
        if getattr(design.array, "double_buffered", False):
            continue
        if design.array.multipliers <= MULTIPLIERS:
            return design
    raise AssertionError(f"no design of {family} in {TRIES} draws from seed {seed}")


def _fields(
    rng: np.random.Generator, fields: dict[str, FieldInfo], family: str, left_out: float
) -> dict[str, Any]:
    """Value of each field, of which those that have a default are left out as often."""
    drawn = {}
    for name, field in fields.items():
        if name == "family":
            drawn[name] = family
        elif not field.is_required() and rng.random() < left_out:
            continue
        else:
            value = _value(rng, field.annotation, field.metadata)
            if value is not None:
                drawn[name] = value
    return drawn


def _value(rng: np.random.Generator, kind: Any, metadata: list[Any]) -> Any:
    """Value of a type: an integer, a flag, a choice, or nothing where that is allowed."""
    if hasattr(kind, "__metadata__"):
        found = [each for part in kind.__metadata__ for each in getattr(part, "metadata", [part])]
        return _value(rng, get_args(kind)[0], found)
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return choices[int(rng.integers(len(choices)))]
    if get_origin(kind) in (types.UnionType, Union):
        kinds = get_args(kind)
        return _value(rng, kinds[int(rng.integers(len(kinds)))], metadata)
    if kind is type(None):
        return None
    if kind is bool:
        return bool(rng.random() < 0.5)
    assert kind is int, f"a field of type {kind} cannot be drawn"
    return _integer(rng, metadata)


def _integer(rng: np.random.Generator, metadata: list[Any]) -> int:
    """Integer within the bounds: any, or a power of two; as often of few bits as of many."""
    least, most = 0, LARGEST
    for bound in metadata:
        match bound:
            case Ge():
                least = max(least, int(bound.ge))
            case Gt():
                least = max(least, int(bound.gt) + 1)
            case Le():
                most = min(most, int(bound.le))
            case Lt():
                most = min(most, int(bound.lt) - 1)
    if rng.random() < 0.05:
        return (least, most)[int(rng.integers(2))]
    high = int(rng.integers(least.bit_length(), most.bit_length() + 1))
    value = 1 << max(0, high - 1)
    if rng.random() < 0.4:
        value += int(rng.integers(value))
    return min(max(value, least), most)
