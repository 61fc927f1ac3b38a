"""Comment at the head of generated Verilog: ports and what they carry, reset, handshakes."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Port", "head", "packing"]

_RULES = """\
Clock and reset: all registers change at the rising edge of clk; rst is synchronous, active high.
Handshakes: a transfer takes place in each cycle in which valid and ready are high. What is offered
stays until it is taken; valid never waits for ready."""


class Port(NamedTuple):
    """A port of a top module."""

    name: str
    direction: str
    width: int
    #: What it carries.
    meaning: str = ""


def head(ports: Sequence[Port]) -> str:
    """Lines of a comment, without its first: that a tool wrote the file."""
    cells = [("port", "", "bits", "what it carries, from bit 0 up")]
    cells += [(port.name, port.direction, str(port.width), port.meaning) for port in ports]
    names = max(len(name) for name, *_ in cells)
    rows = [
        f"{name:{names}}  {way:3}  {bits:>4}  {what}".rstrip() for name, way, bits, what in cells
    ]
    text = "\n".join([*_RULES.splitlines(), "", *rows])
    return "".join(f" * {line}".rstrip() + "\n" for line in text.splitlines()) + " */\n"


def packing(layout: dict) -> str:
    """Fields of a payload (:func:`hwsim.rtl.emit.sidecar.describe`), from bit 0 up."""
    found = []
    for field in layout["fields"]:
        size = " x ".join(str(each) for each in (*field["shape"], field["width"]))
        sign = " signed" if field["signed"] else ""
        found.append(f"{field['name']} {size}{sign}")
    return ", ".join(found)
