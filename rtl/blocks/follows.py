"""Comparison of two numbers, one of which may come next, without a carry chain."""

from amaranth import Cat, Const, Value

__all__ = ["follows"]


def follows(number: Value, nxt: Value) -> Value:
    """Whether ``nxt`` is ``number`` + 1, modulo 2 to the power of their common width.

    Counting up toggles the lowest bit, and each other bit where the bit below falls.
    """
    falls = number & ~nxt
    return (number ^ nxt) == Cat(Const(1, 1), falls[:-1])
