"""``hwsim synth``: cells of designs, of their PEs and of their multipliers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwsim.cli.options import Json, Out

if TYPE_CHECKING:
    from hwsim.api.synth import Synthesis

__all__ = ["synth"]


def synth(
    arch: Annotated[
        list[str] | None,
        typer.Argument(help="Designs: names in configs/arch or YAML files."),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            help="generic (gates and flip-flops), ecp5, ice40, xilinx; a technology (sg13g2, 45nm, "
            "a file of hwsim tech), or liberty=FILE."
        ),
    ] = "generic",
    multipliers: Annotated[
        bool, typer.Option("--multipliers", help="PEs of all families in all weight codes.")
    ] = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Synthesize designs with Yosys and count cells: of the array, of one PE, of one multiplier.

    Memories stay whole for the target generic and are counted by their bits; the FPGA targets map
    them. A PE is one of the commonest kind in its array. Writes results.json, with cells by type,
    and results.csv; results are kept under build/synth/cache. Exits 0, or 2 on bad input.

    Example: hwsim synth dense_8x8_ws csc_16x4

    Example: hwsim synth --multipliers
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    from hwsim import api
    from hwsim.cli.output import emit_json, progress_bar
    from hwsim.errors import InputError
    from hwsim.report.page import write_csv, write_json

    if not arch and not multipliers:
        raise InputError("command line", "ARCH", None, "name a design, or give --multipliers")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with progress_bar(*columns) as report:
        result = api.synth(
            arch or [], target=target, multipliers=multipliers,
            progress=lambda what, done, total: report(f"synthesize {what}", done, total),
        )  # fmt: skip
    designs = "_".join(design["arch"] for design in result.designs)
    name = "multipliers" if multipliers else designs
    folder = out or Path("build/synth") / f"{name}_{re.sub(r'[^A-Za-z0-9]+', '_', target)}"
    path = write_json(folder / "results.json", result.to_dict())
    write_csv(folder / "results.csv", result.to_rows())
    if json:
        emit_json(result.to_dict())
    else:
        _show(result, path)


def _show(result: Synthesis, path: Path) -> None:
    from hwsim.api.synth import CELL_KINDS, cells_by_kind
    from hwsim.cli.output import console, table

    titles = [kind.replace("_", " ") for kind in CELL_KINDS]
    for design in result.designs:
        names = {
            "array": design["arch"],
            "pe": f"1 of {design['pes']} PEs",
            "multiplier": f"1 of {design['multipliers']} multipliers",
        }
        rows = [[name, *cells_by_kind(design[unit]).values()] for unit, name in names.items()]
        title = f"cells of {design['arch']}, target {result.target}"
        columns = ["unit", *titles]
        if "area_um2" in design["array"]:
            columns.append("um2 without memories")
            for row, unit in zip(rows, names, strict=True):
                row.append(round(design[unit]["area_um2"]))
        console().print(table(title, columns, rows))
    if result.multipliers:
        _show_survey(result.multipliers, result.target)
    console().print(f"wrote {path} and {path.with_suffix('.csv')}")


def _show_survey(rows: list[dict[str, Any]], target: str) -> None:
    """Print one line per number format, one column per unit."""
    from hwsim.cli.output import console, table

    units = list(dict.fromkeys(row["unit"] for row in rows))
    formats: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        name = f"{row['weight_code']} {row['weight_width']}"
        name += " x 1-bit act" if row["act_width"] == 1 else ""
        formats.setdefault(name, {})[row["unit"]] = row
    for kind in ("logic", "flip_flops", *(("dsp",) if target != "generic" else ())):
        body = [
            [name, *(cells[unit][kind] if unit in cells else None for unit in units)]
            for name, cells in formats.items()
        ]
        title = f"{kind.replace('_', ' ')} of a multiplier and of a PE, target {target}"
        console().print(table(title, ["weights", *units], body))
