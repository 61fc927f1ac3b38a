"""``hwsim generate``: a design as Verilog."""

from __future__ import annotations

from hwsim.cli.options import Arch, Json, Out

__all__ = ["generate"]


def generate(arch: Arch, out: Out = None, json: Json = False) -> None:
    """Write a design as Verilog: NAME.v, and NAME.json with all that a reader of it needs.

    NAME.json holds the configuration, derived numbers, the layout of every stream's payload bit by
    bit, the causes behind the status codes, and the versions. The same design gives the same bytes
    everywhere. Of a design with a machine, the machine is written: with AXI ports, C header and
    driver (NAME.h, NAME.c), register maps (NAME.json, NAME.svd) and a FuseSoC core. Exits 0, or 2
    on bad input.

    Example: hwsim generate dense_8x8_ws --out build/rtl

    Example: hwsim generate machine_dense_8x8_ws
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json

    result = api.generate(arch, out)
    if json:
        emit_json(result.to_dict())
        return
    lines = result.text.count("\n")
    name = result.arch.name
    console().print(f"wrote {result.path} ({lines} lines, module {name}) and {result.sidecar}")
