"""Verilog of a mapped netlist that a simulator can run: each cell as the function it computes."""

import re

from hwsim.config.tech import CornerConfig
from hwsim.errors import InputError

__all__ = ["simulatable"]

_INSTANCE = re.compile(r"(?ms)^  (\w+) (\S+) \(\n(.*?)\n  \);$")
_PIN = re.compile(r"\.(\w+)\(([^\n]*)\)")
_OPERATORS = str.maketrans({"*": "&", "+": "|", "!": "~"})


def simulatable(verilog: str, corner: CornerConfig) -> str:
    """Write the cells of a netlist as assignments and registers.

    Submodules and memories stay as they are. The clear of a flip-flop is left out: the designs
    reset synchronously.

    Parameters
    ----------
    verilog
        What Yosys writes of a netlist of the corner's cells (``write_verilog``).

    Raises
    ------
    InputError
        A clear is used.
    """
    return _INSTANCE.sub(lambda match: _model(match, corner), verilog)


def _model(match: re.Match[str], corner: CornerConfig) -> str:
    kind, name, text = match.groups()
    pins = dict(_PIN.findall(text))
    flip_flop = corner.flip_flop
    if kind == flip_flop.name:
        unused = {flip_flop.clock, flip_flop.data, flip_flop.output}
        tied = all("'h" in value for pin, value in pins.items() if pin not in unused)
        if not tied:
            raise InputError("netlist", name, kind, "must be a flip-flop whose clear is tied")
        register = f"{name}_state_"
        return (
            f"  reg {register};\n"
            f"  always @(posedge {pins[flip_flop.clock]}) {register} <= {pins[flip_flop.data]};\n"
            f"  assign {pins[flip_flop.output]} = {register};"
        )
    if kind not in corner.cells:
        return match[0]
    cell = corner.cells[kind]
    function = cell.function.translate(_OPERATORS)
    used = {pin: f"({pins[pin]})" for pin in cell.pins}
    value = re.sub(r"[A-Za-z_]\w*", lambda pin: used[pin[0]], function)
    return f"  assign {pins[cell.output]} = {value};"
