"""``hwsim synth``: cells of designs, of their PEs and of their multipliers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwsim.cli.options import Json, Out

if TYPE_CHECKING:
    from hwsim.config import ArchConfig

__all__ = ["synth"]

#: Earlier results, shared by every run in the same folder.
CACHE = Path("build/synth/cache")

#: Kinds of cells, in the order of the tables' columns.
KINDS = ("logic", "flip_flops", "dsp", "memories", "memory_bits")


def synth(
    arch: Annotated[
        list[str] | None,
        typer.Argument(help="Designs: names in configs/arch or YAML files."),
    ] = None,
    target: Annotated[
        str, typer.Option(help="generic (gates and flip-flops), ecp5, ice40 or xilinx.")
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
    from hwsim.cli.output import emit_json
    from hwsim.config import ArchConfig
    from hwsim.errors import InputError
    from hwsim.report.page import write_csv, write_json
    from hwsim.system import extras

    if not arch and not multipliers:
        raise InputError("command line", "ARCH", None, "name a design, or give --multipliers")
    designs = [ArchConfig.read(name) for name in arch or []]
    extras.require("rtl")
    extras.require("synth")
    from hwsim.rtl.synth.yosys import TARGETS

    if target not in TARGETS:
        raise InputError(
            "command line", "--target", target, f"must be one of: {', '.join(TARGETS)}"
        )
    document: dict[str, Any] = {"target": target, "designs": [], "multipliers": []}
    document["designs"] = [_design(design, target) for design in designs]
    if multipliers:
        document["multipliers"] = _survey(target)
    name = "multipliers" if multipliers else "_".join(design.name for design in designs)
    folder = out or Path("build/synth") / f"{name}_{target}"
    path = write_json(folder / "results.json", document)
    rows = [
        {"arch": design["arch"], "unit": unit, **_kinds(design[unit])}
        for design in document["designs"]
        for unit in ("array", "pe", "multiplier")
    ]
    write_csv(folder / "results.csv", [*rows, *document["multipliers"]])
    if json:
        emit_json(document)
    else:
        _show(document, path)


def _design(design: ArchConfig, target: str) -> dict[str, Any]:
    """Cells of one design, under a line that says what is being waited for."""
    from hwsim.cli.output import log
    from hwsim.rtl.synth.yosys import synthesize_array, synthesize_multiplier

    with log().status(f"synthesize {design.name}"):
        array, pe, count = synthesize_array(design, target, CACHE)
        multiplier = synthesize_multiplier(design.numbers, target, CACHE)
    assert array is not None
    return {
        "arch": design.name,
        "pes": count,
        "multipliers": design.array.multipliers,
        "array": array.to_dict(),
        "pe": pe.to_dict(),
        "multiplier": multiplier.to_dict(),
    }


def _survey(target: str) -> list[dict[str, Any]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from hwsim.cli.output import log
    from hwsim.rtl.synth.survey import survey

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=log()) as bar:
        task = bar.add_task("synthesize", total=None)
        rows: list[dict[str, Any]] = survey(
            target,
            CACHE,
            notify=lambda done, total: bar.update(task, completed=done, total=total),
        )
    return rows


def _kinds(cells: dict[str, Any]) -> dict[str, int]:
    return {kind: cells[kind] for kind in KINDS}


def _show(document: dict[str, Any], path: Path) -> None:
    from hwsim.cli.output import console, table

    titles = [kind.replace("_", " ") for kind in KINDS]
    for design in document["designs"]:
        names = {
            "array": design["arch"],
            "pe": f"1 of {design['pes']} PEs",
            "multiplier": f"1 of {design['multipliers']} multipliers",
        }
        rows = [[name, *_kinds(design[unit]).values()] for unit, name in names.items()]
        title = f"cells of {design['arch']}, target {document['target']}"
        console().print(table(title, ["unit", *titles], rows))
    if document["multipliers"]:
        _show_survey(document["multipliers"], document["target"])
    console().print(f"wrote {path} and {path.with_suffix('.csv')}")


def _show_survey(rows: list[dict[str, Any]], target: str) -> None:
    """Print a line a number format, a column a unit."""
    from hwsim.cli.output import console, table

    units = list(dict.fromkeys(row["unit"] for row in rows))
    formats: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        name = f"{row['weight_code']} {row['weight_width']}"
        name += " x 1-bit act" if row["act_width"] == 1 else ""
        formats.setdefault(name, {})[row["unit"]] = row
    for kind in ("logic", "flip_flops", *(("dsp",) if target != "generic" else ())):
        body = [
            [name, *(found[unit][kind] if unit in found else None for unit in units)]
            for name, found in formats.items()
        ]
        title = f"{kind.replace('_', ' ')} of a multiplier and of a PE, target {target}"
        console().print(table(title, ["weights", *units], body))
