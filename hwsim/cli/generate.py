"""``hwsim generate``: a design as Verilog."""

from __future__ import annotations

from pathlib import Path

from hwsim.cli.options import Arch, Json, Out

__all__ = ["generate"]


def generate(arch: Arch, out: Out = None, json: Json = False) -> None:
    """Write a design as Verilog: NAME.v, and NAME.json with all that a reader of it needs.

    NAME.json holds the configuration, derived numbers, the layout of every stream's payload bit by
    bit, the causes behind the status codes, and the versions. The same design gives the same bytes
    everywhere. Exits 0, or 2 on bad input.

    Example: hwsim generate dense_8x8_ws --out build/rtl
    """
    from hwsim.cli.output import console, emit_json
    from hwsim.config import ArchConfig
    from hwsim.system import extras

    design = ArchConfig.read(arch)
    extras.require("rtl")
    from hwsim.rtl.emit.verilog import generate as write

    verilog = write(design, out or Path("build/generate") / design.name)
    sidecar = verilog.with_suffix(".json")
    if json:
        emit_json(
            {
                "arch": design.name,
                "verilog": str(verilog),
                "sidecar": str(sidecar),
                "multipliers": design.array.multipliers,
            }
        )
    else:
        lines = verilog.read_text().count("\n")
        console().print(f"wrote {verilog} ({lines} lines, module {design.name}) and {sidecar}")
