"""``hwsim clock``: how fast designs can be clocked."""

from __future__ import annotations

from pathlib import Path

from hwsim.cli.options import Archs, Json, Out, Tech

__all__ = ["clock"]


def clock(
    arch: Archs,
    tech: Tech = "sg13g2",
    out: Out = None,
    json: Json = False,
) -> None:
    """Find the clock of designs: the slowest paths through logic and memories, at each corner.

    Paths are those of a small design of the same kind, mapped flat, setup included; they are named
    as in the RTL. Figures of the designs that ship are on record, others need the extras rtl and
    synth when they are first asked for. Writes results.json and results.csv. Exits 0, or 2 on bad
    input.

    Example: hwsim clock dense_8x8_ws csc_4x16 --tech sg13g2
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, table, working
    from hwsim.report.page import write_csv, write_json
    from hwsim.system.files import staged

    with working("reading") as status:
        results = api.clock(arch, technology=tech, progress=status.update)
    tech = results[0].technology
    document = {"technology": tech, "designs": [result.to_dict() for result in results]}
    rows = [{"arch": r.arch.name, **row} for r in results for row in r.to_rows()]
    name = "_".join(result.arch.name for result in results)[:100]
    folder = out or Path("build/clock") / f"{name}_{Path(tech).stem}"
    with staged(folder) as inside:
        write_json(inside / "results.json", document)
        write_csv(inside / "results.csv", rows)
    if json:
        emit_json(document)
        return
    title = f"clock in {tech}"
    console().print(table(title, list(rows[0]), [list(row.values()) for row in rows]))
    console().print(f"wrote {folder}/results.json and results.csv")
