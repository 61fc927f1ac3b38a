"""The border that every array shares: three streams in, one out, and the status."""

from amaranth import unsigned
from amaranth.hdl import ShapeLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig
from hwsim.formats.base import index_width

__all__ = ["ArrayComponent", "border"]


def border(
    arch: ArchConfig, *, command: ShapeLike, weight: ShapeLike, act: ShapeLike, ofmap: ShapeLike
) -> dict:
    """Members of an array component, from the payload layouts of its streams.

    ``status`` has, for each status group of the family, the cause code of every member. ``events``
    has the strobes of each event of the current cycle; a family without events has no such member.
    """
    sizes = arch.array.members
    status = {
        group: data.ArrayLayout(unsigned(index_width(len(names))), sizes[group])
        for group, names in arch.array.cause_names.items()
    }
    members = {
        "command": In(stream.Signature(command)),
        "weight": In(stream.Signature(weight)),
        "act": In(stream.Signature(act)),
        "ofmap": Out(stream.Signature(ofmap)),
        "status": Out(data.StructLayout(status)),
    }
    strobes = {name: unsigned(strobe.bits) for name, strobe in arch.array.strobes.items()}
    if strobes:
        members["events"] = Out(data.StructLayout(strobes))
    return members


class ArrayComponent(wiring.Component):
    """A component with the members of :func:`border`; each family's array is one."""

    command: stream.Interface
    weight: stream.Interface
    act: stream.Interface
    ofmap: stream.Interface
    status: data.View
    events: data.View
