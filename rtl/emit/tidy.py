"""RTLIL as a reader of its Verilog wants it: ports in order, no names for parts of other names."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial

__all__ = ["tidied"]

_MODULE = re.compile(r"(?ms)^module \\[^\n]*\n.*?^end\n")
#: A wire inside a module, its attributes included, whose name is that of a field.
_FIELD = re.compile(
    r"(?m)^(?:  attribute [^\n]*\n)*"
    r"  wire (?!.*\b(?:in|out)put )[^\n]*(\\\S+[.\[]\S*)\n"
)
_CONNECT = re.compile(r"(?m)^ *connect (\\\S+[.\[]\S*) [^\n]*\n")
_NAME = re.compile(r"\\\S+")
_PORT = re.compile(r"(?m)^(  wire .*\b(?:input|output) )\d+( +\\(\S+))$")


def tidied(rtlil: str, name: str, ports: Sequence[str]) -> str:
    """RTLIL that does the same, to be written as Verilog.

    Amaranth declares a wire for every field of a structured signal. Those that nothing reads are
    left out. Ports of the top module ``name`` are declared in the order of ``ports``, behind clock
    and reset.
    """
    order = {port: index for index, port in enumerate(("clk", "rst", *ports), 1)}

    def module(match: re.Match[str]) -> str:
        text = _without_aliases(match[0])
        if not text.startswith(f"module \\{name}\n"):
            return text
        return _PORT.sub(lambda port: f"{port[1]}{order[port[3]]}{port[2]}", text)

    return _MODULE.sub(module, rtlil)


def _without_aliases(text: str) -> str:
    """Module without the fields that are declared and driven, and not read."""
    while True:
        driven = set(_CONNECT.findall(text))
        uses = Counter(_NAME.findall(text))
        # one declaration, one driver
        idle = {name for name in _FIELD.findall(text) if name in driven and uses[name] == 2}
        if not idle:
            return text
        for pattern in (_FIELD, _CONNECT):
            text = pattern.sub(partial(_unless, idle), text)


def _unless(idle: set[str], match: re.Match[str]) -> str:
    return "" if match[1] in idle else match[0]
