"""Ports of synchronous memories, from the side of who uses them."""

from amaranth import unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["memory_read", "memory_write"]


def memory_read(address: int, width: int, **more: int) -> wiring.Signature:
    """``en``, ``addr`` and ``more`` fields of so many bits out; ``data`` in, one cycle later."""
    fields = {name: Out(bits) for name, bits in more.items()}
    return wiring.Signature(
        {"en": Out(1), **fields, "addr": Out(address), "data": In(unsigned(width))}
    )


def memory_write(address: int, width: int, **more: int) -> wiring.Signature:
    """``valid``, ``addr``, ``data`` and ``more`` fields of so many bits, all out."""
    fields = {name: Out(bits) for name, bits in more.items()}
    return wiring.Signature(
        {"valid": Out(1), **fields, "addr": Out(address), "data": Out(unsigned(width))}
    )
