"""Delay lines that make skew and deskew."""

from amaranth import Module, Signal, Value

__all__ = ["delayed"]


def delayed(m: Module, value, clocks: int, *, enable: Value, name: str, reset_less: bool = True):
    """Add a line of registers; return ``value`` of ``clocks`` enabled clocks ago.

    Parameters
    ----------
    clocks
        Length of the line; 0 returns ``value`` itself.
    enable
        The line moves in the clocks in which this is 1.
    name
        Of the registers, to which their place in the line is added.
    reset_less
        Data that a valid bit guards needs no reset; the valid bit itself does.
    """
    for clock in range(1, clocks + 1):
        register = Signal.like(value, name=f"{name}_q{clock}", reset_less=reset_less)
        with m.If(enable):
            m.d.sync += register.eq(value)
        value = register
    return value
