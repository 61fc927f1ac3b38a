"""``hwsim tech``: a foundry's Liberty files as a technology."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwsim.cli.options import Json

__all__ = ["tech"]


def tech(
    liberty: Annotated[
        Path, typer.Argument(metavar="FILE.lib", help="Liberty file of the typical corner.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the technology (default: the file's).")
    ] = None,
    corner: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE.lib", help="A further corner, for instance slow=FILE.lib."),
    ] = None,
    sram: Annotated[
        Path | None, typer.Option(help="YAML file of the memories: macros or powers.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write (default: build/tech/NAME.yaml).")
    ] = None,
    json: Json = False,
) -> None:
    """Measure a foundry's Liberty files into a technology file.

    Area, leakage, energy and function of each cell are taken over; each timing arc becomes a plane
    over slew and load. The file that is written serves wherever a technology is named. Exits 0, or
    2 on bad input.

    Example: hwsim tech my_typ.lib --corner slow=my_slow.lib --name my130

    Example: hwsim synth dense_8x8_ws --target build/tech/my130.yaml
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, table
    from hwsim.errors import InputError

    corners = {}
    for each in corner or []:
        key, equals, file = each.partition("=")
        if not (key and equals and file):
            raise InputError("command line", "--corner", each, "must be NAME=FILE.lib")
        corners[key] = file
    result = api.tech(liberty, name=name, corners=corners, sram=sram, out=out)
    if json:
        emit_json(result.to_dict())
        return
    rows = result.to_rows()
    console().print(table(result.title, list(rows[0]), [list(row.values()) for row in rows]))
    console().print(f"wrote {result.path}")
