"""One command for the array and for what is before it."""

from amaranth import Module
from amaranth.lib import stream

__all__ = ["fork"]


def fork(
    m: Module, command: stream.Interface, one: stream.Interface, other: stream.Interface
) -> None:
    """Offer a command to two takers, which take it together; both get the fields of its names."""
    m.d.comb += command.ready.eq(one.ready & other.ready)
    m.d.comb += one.valid.eq(command.valid & other.ready)
    m.d.comb += other.valid.eq(command.valid & one.ready)
    names = {name for name, _ in command.payload.shape()}
    for taker in (one, other):
        for name, _ in taker.payload.shape():
            if name in names:
                m.d.comb += taker.payload[name].eq(command.payload[name])
