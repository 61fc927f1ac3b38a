"""Bits of masks: their sums, the lowest one, and selection by a line; all combinational."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth import Cat, Module, Signal, Value

__all__ = ["count_ones", "encode", "lowest", "prefix_sums", "select"]


def count_ones(bits: Value) -> Value:
    """Sum of the bits of a value: a balanced tree of adders."""
    if len(bits) == 1:
        return bits
    half = len(bits) // 2
    return count_ones(bits[:half]) + count_ones(bits[half:])


def lowest(bits: Value) -> Value:
    """Lowest bit that is set, alone; nothing if there is none."""
    return bits & ~(bits - 1)[: len(bits)]


def encode(line: Value) -> Value:
    """Index of the one bit that is set, 0 if there is none."""
    width = max(1, (len(line) - 1).bit_length())
    return Cat(Cat(line[i] for i in range(len(line)) if i >> b & 1).any() for b in range(width))


def select(line: Value, values: Sequence[Value]) -> Value:
    """Value whose bit of ``line`` is set, 0 if there is none: ANDs and an OR.

    A bit of a binary index would drive half of a wide multiplexer; a line drives its value only.
    """
    return reduce(or_, (v & line[i].replicate(len(v)) for i, v in enumerate(values)))


def prefix_sums(m: Module, values: Sequence[Value], name: str) -> list[Value]:
    """Sums of the values before each index, and at the end of all: a parallel prefix network."""
    if len(values) == 1:
        return [values[0][:0], values[0]]
    half = len(values) // 2
    *low, middle = prefix_sums(m, values[:half], f"{name}l")
    high = prefix_sums(m, values[half:], f"{name}h")
    sums = [*low, middle]
    for index, above in enumerate(high[1:], half + 1):
        total = Signal(range((1 << len(middle)) + (1 << len(above)) - 1), name=f"{name}_{index}")
        m.d.comb += total.eq(middle + above)
        sums.append(total)
    return sums
