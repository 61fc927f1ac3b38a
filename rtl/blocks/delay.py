"""Delay lines that make skew and deskew."""

from amaranth import Module, Signal, Value

__all__ = ["delayed"]


def delayed(m: Module, value, cycles: int, *, enable: Value, name: str, reset_less: bool = True):
    """Add a line of registers; return ``value`` of ``cycles`` enabled cycles before.

    * Throughput: one value per cycle.
    * Latency: ``cycles`` enabled cycles.

    Parameters
    ----------
    cycles
        Length of the line; 0 returns ``value`` itself.
    enable
        The line moves in the cycles in which this is 1.
    name
        Prefix of the registers' names; their position in the line follows.
    reset_less
        Data that a valid bit guards needs no reset; the valid bit itself does.

    Raises
    ------
    ValueError
        The length is negative.
    """
    if cycles < 0:
        raise ValueError(f"cycles must be at least 0, not {cycles}")
    for position in range(1, cycles + 1):
        register = Signal.like(value, name=f"{name}_q{position}", reset_less=reset_less)
        with m.If(enable):
            m.d.sync += register.eq(value)
        value = register
    return value
