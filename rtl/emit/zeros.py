"""Memories that begin with zeros: hardware does not need them, and each takes a line of Verilog."""

import re

__all__ = ["without_zeros"]

_ZEROS = re.compile(
    r"^ *(?:attribute [^\n]*\n *)*cell \$meminit_v2 \S+\n(?: *parameter [^\n]*\n)*"
    r" *connect \\ADDR [^\n]*\n *connect \\DATA \d+'0+\n *connect \\EN [^\n]*\n *end\n",
    re.MULTILINE,
)


def without_zeros(rtlil: str) -> str:
    """RTLIL whose memories begin with what the power-up leaves, where it said zeros."""
    return _ZEROS.sub("", rtlil)
