"""The JSON beside the Verilog: configuration, derived numbers, and every bit of the ports."""

from importlib.metadata import version

from amaranth.hdl import Shape
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from hwsim import __version__
from hwsim.config import ArchConfig

__all__ = ["describe", "sidecar"]


def sidecar(arch: ArchConfig, component: wiring.Component, rtl: str) -> dict:
    """Configuration and derived numbers of a generated design, as plain data.

    ``digest`` has that of the configuration (:attr:`hwsim.config.ArchConfig.digest`) and ``rtl``,
    that of the RTL: whatever is measured of the design is filed under it.
    ``streams`` has the layout of each port ``<stream>__payload``: its fields with the offset of
    their first bit, the width of one element and the shape of the array of elements (``[]``: a
    scalar; elements follow each other, the last index fastest). ``status`` has the position of each
    group in the port ``status``, and its causes in the order of their codes. ``events`` has the
    position of the strobes of each event in the port ``events``.
    """
    streams = {
        name: {"direction": "in" if member.flow == In else "out"}
        | describe(getattr(component, name).payload.shape())
        for name, member in component.signature.members.items()
        if member.is_signature
    }
    status = component.signature.members["status"].shape
    groups = {field["name"]: field for field in describe(status)["fields"]}
    return {
        "name": arch.name,
        "hwsim": __version__,
        "amaranth": version("amaranth"),
        "digest": {"arch": arch.digest, "rtl": rtl},
        "config": arch.model_dump(mode="json"),
        "derived": {
            "multipliers": arch.array.multipliers,
        },
        "streams": streams,
        "status": {
            "width": status.size,
            "groups": {
                group: {
                    "offset": groups[group]["offset"],
                    "width": groups[group]["width"],
                    "members": arch.array.members[group],
                    "causes": list(names),
                }
                for group, names in arch.array.cause_names.items()
            },
        },
        "events": _events(arch, component),
    }


def _events(arch: ArchConfig, component: wiring.Component) -> dict:
    """Position of the strobes of each event in the port ``events``, and what each counts for."""
    strobes = arch.array.strobes
    if not strobes:
        return {"width": 0, "fields": {}}
    layout = describe(component.signature.members["events"].shape)
    return {
        "width": layout["width"],
        "fields": {
            field["name"]: {
                "offset": field["offset"],
                "width": field["width"],
                "each": strobes[field["name"]].each,
            }
            for field in layout["fields"]
        },
    }


def describe(layout: data.StructLayout) -> dict:
    """Width and fields of a layout of scalars and (nested) arrays of scalars, as plain data."""
    fields = []
    for name, field in layout:
        shape, element = [], field.shape
        while isinstance(element, data.ArrayLayout):
            shape.append(element.length)
            element = element.elem_shape
        if isinstance(element, data.Layout):
            raise TypeError(
                f"field {name} must be a scalar or an array of scalars, not {element!r}"
            )
        scalar = Shape.cast(element)
        fields.append(
            {
                "name": name,
                "offset": field.offset,
                "width": scalar.width,
                "signed": scalar.signed,
                "shape": shape,
            }
        )
    return {"width": layout.size, "fields": fields}
