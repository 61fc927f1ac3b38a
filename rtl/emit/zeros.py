"""Memories that begin with zeros, in a line of Verilog rather than one per word."""

import re

__all__ = ["collapse_zeros"]

_ZEROS = re.compile(
    r"^(?P<indent> *)initial begin\n(?P<words>(?: *(?P<name>\S+)\[\d+\] = \d+'h0+;\n)+) *end\n",
    re.MULTILINE,
)


def collapse_zeros(text: str) -> str:
    """Write the initial zeros of each memory as a loop over its words."""
    return _ZEROS.sub(_loop, text)


def _loop(match: re.Match[str]) -> str:
    indent, name = match["indent"], match["name"]
    words = match["words"].count("\n")
    block = re.sub(r"\W", "_", name)
    return (
        f"{indent}initial begin : zeros_of_{block}\n"
        f"{indent}  integer i;\n"
        f"{indent}  for (i = 0; i < {words}; i = i + 1) {name}[i] = 0;\n"
        f"{indent}end\n"
    )
