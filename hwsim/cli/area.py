"""``hwsim area``: what designs take in silicon."""

from __future__ import annotations

from pathlib import Path

from hwsim.cli.options import Archs, Json, Out, Tech

__all__ = ["area"]


def area(
    arch: Archs,
    tech: Tech = "sg13g2",
    out: Out = None,
    json: Json = False,
) -> None:
    """Find the area of designs: gates, flip-flops, and every memory as it is built.

    Logic is composed of parts, each synthesized once; those of the designs that ship are on record,
    others need the extras rtl and synth when they are first asked for. Memories are macros, or
    flip-flops where that is smaller. Writes results.json and results.csv. Exits 0, or 2 on bad
    input.

    Example: hwsim area dense_8x8_ws csc_4x16 --tech sg13g2
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, table, working
    from hwsim.report.page import write_csv, write_json
    from hwsim.system.files import staged

    with working("reading") as status:
        results = api.area(arch, technology=tech, progress=status.update)
    tech = results[0].technology
    document = {"technology": tech, "designs": [result.to_dict() for result in results]}
    name = "_".join(result.arch.name for result in results)[:100]
    folder = out or Path("build/area") / f"{name}_{Path(tech).stem}"
    with staged(folder) as inside:
        write_json(inside / "results.json", document)
        rows = [{"arch": r.arch.name, **row} for r in results for row in r.to_rows()]
        write_csv(inside / "results.csv", rows)
    if json:
        emit_json(document)
        return
    for result in results:
        rows = result.to_rows()
        shown = table(result.title, list(rows[0]), [list(row.values()) for row in rows])
        console().print(shown)
    console().print(f"wrote {folder}/results.json and results.csv")
