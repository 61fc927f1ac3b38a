"""``hwsim synth``: cells of designs, of their PEs and of their multipliers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwsim.cli.options import Json, Out

if TYPE_CHECKING:
    from hwsim.api.place import Placement
    from hwsim.api.synth import Synthesis

__all__ = ["synth"]


def synth(
    arch: Annotated[
        list[str] | None,
        typer.Argument(help="Designs: names in configs/arch or configs/machine, or YAML files."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="generic (gates and flip-flops), ecp5, ice40, xilinx; a technology (sg13g2, 45nm, "
            "a file of hwsim tech), or liberty=FILE. Default: generic; ecp5 with --place."
        ),
    ] = None,
    multipliers: Annotated[
        bool, typer.Option("--multipliers", help="PEs of all families in all weight codes.")
    ] = False,
    place: Annotated[
        bool, typer.Option("--place", help="Place and route whole arrays on an ECP5: their clock.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="With --place: runs of the placer.")
    ] = 3,
    device: Annotated[
        str, typer.Option(help="With --place: size of the LFE5U, 25k, 45k or 85k.")
    ] = "85k",
    speed: Annotated[
        int, typer.Option(help="With --place: speed grade, 6 (the slowest) to 8.")
    ] = 6,
    jobs: Annotated[
        int,
        typer.Option(min=0, max=256, help="With --place: processes; 0: one for each core."),
    ] = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Synthesize designs with Yosys and count cells: of the array, of one PE, of one multiplier.

    Memories stay whole for the target generic and are counted by their bits; the FPGA targets map
    them. A PE is one of the commonest kind in its array. With --place, nextpnr places and routes
    the array, a register at every bit of its ports: cells, MHz over the seeds, and the slowest path
    by its names in the RTL. Writes results.json, with cells by type, and results.csv; results are
    kept under build/synth/cache. Exits 0, or 2 on bad input.

    Example: hwsim synth dense_8x8_ws csc_16x4

    Example: hwsim synth --multipliers

    Example: hwsim synth dense_8x8_ws --target ecp5 --place --seeds 5
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    from hwsim import api
    from hwsim.api.synth import Synthesis
    from hwsim.cli.output import emit_json, progress_bar
    from hwsim.errors import InputError
    from hwsim.report.page import write_csv, write_json
    from hwsim.system.files import staged
    from hwsim.system.interrupts import keeping

    if not arch and not multipliers:
        raise InputError("command line", "ARCH", None, "name a design, or give --multipliers")
    if place and (multipliers or target not in (None, "ecp5")):
        key, value = ("--multipliers", None) if multipliers else ("--target", target)
        raise InputError(
            "command line", key, value, "must be absent: --place is for designs on ecp5"
        )
    target = target or ("ecp5" if place else "generic")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    result: Synthesis | Placement
    kept = "what was synthesized is in build/synth/cache; the same command goes on from here"
    with progress_bar(*columns) as report, keeping(kept):
        if place:
            result = api.place(
                arch or [], seeds=seeds, device=device, speed=speed, jobs=jobs, progress=report
            )
        else:
            result = api.synth(
                arch or [], target=target, multipliers=multipliers,
                progress=lambda what, done, total: report(f"synthesize {what}", done, total),
            )  # fmt: skip
    designs = "_".join(design["arch"] for design in result.designs)
    name = "multipliers" if multipliers else designs[:100]
    name += f"_{re.sub(r'[^A-Za-z0-9]+', '_', target)}{'_placed' if place else ''}"
    folder = out or Path("build/synth") / name
    with staged(folder) as inside:
        write_json(inside / "results.json", result.to_dict())
        write_csv(inside / "results.csv", result.to_rows())
    if json:
        emit_json(result.to_dict())
    elif isinstance(result, Synthesis):
        _show(result, folder)
    else:
        _show_placement(result, folder)


def _show(result: Synthesis, folder: Path) -> None:
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
        rows += [[f"warning: {each}"] for each in design["warnings"]]
        title = f"cells of {design['arch']}, target {result.target}"
        columns = ["unit", *titles]
        if "area_um2" in design["array"]:
            columns.append("um2 without memories")
            for row, unit in zip(rows, names, strict=False):
                row.append(round(design[unit]["area_um2"]))
        console().print(table(title, columns, rows))
    if result.multipliers:
        _show_survey(result.multipliers, result.target)
    console().print(f"wrote {folder}/results.json and results.csv")


def _show_placement(result: Placement, folder: Path) -> None:
    from hwsim.api.place import CELLS
    from hwsim.cli.output import console, table

    rows = [
        [design["arch"], *(design[kind] for kind in CELLS), *design["mhz"].values(),
         design["seconds"]]
        for design in result.designs
    ]  # fmt: skip
    titles = [kind.replace("_", " ") for kind in CELLS]
    columns = ["design", *titles, "MHz min", "median", "max", "seconds"]
    console().print(table(result.title, columns, rows))
    for design in result.designs:
        console().print(f"{design['arch']}, slowest path: {' -> '.join(design['path'])}")
        for warning in design["warnings"]:
            console().print(f"{design['arch']}: warning: {warning}")
    console().print(f"wrote {folder}/results.json and results.csv")


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
