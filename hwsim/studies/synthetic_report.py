"""Files of a study of synthetic weights; every title says that the weights are synthetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hwsim.checkpoints.synthetic import mark
from hwsim.cost.storage import KINDS
from hwsim.report.page import Report, write_csv, write_json
from hwsim.studies import map_section, outside, synthetic_pictures, synthetic_plots
from hwsim.studies.budgets import Candidates
from hwsim.studies.synthetic import SyntheticStudy
from hwsim.studies.verdict_map import cells
from hwsim.system.files import staged

__all__ = ["cycles_table", "silicon_table", "storage_table", "write"]

Table = tuple[list[str], list[list[object]]]


def cycles_table(study: SyntheticStudy) -> Table:
    """Columns and rows of the summary of time: one row per variant."""
    densities = study.config.act_densities
    columns = ["variant", "design", "weights left"]
    for density in densities:
        columns += [f"cycles, {density:.0%} act", "speedup", "utilization"]
    rows: list[list[object]] = []
    for v in study.variants:
        row: list[object] = [v.name, v.arch.name, v.nonzeros]
        for density in densities:
            result = v.results[density]
            row += [result.cycles, f"{study.speedup(v, density):.2f}x", result.utilization]
        rows.append(row)
    return columns, rows


def silicon_table(study: SyntheticStudy) -> Table:
    """Columns and rows of time, area and energy: one row per variant."""
    densities = study.config.act_densities
    columns = ["variant", "design", "MHz", "mm2"]
    for density in densities:
        columns += [f"ms, {density:.0%} act", "mJ", "time x area"]
    rows: list[list[object]] = []
    for v in study.variants:
        if not v.costs:
            continue
        first = v.costs[densities[0]]
        row: list[object] = [v.name, v.arch.name, f"{first.mhz:.0f}", f"{first.mm2:.2f}"]
        for density in densities:
            cost, base = v.costs[density], study.baseline.costs[density]
            row += [
                f"{cost.microseconds / 1e3:.2f}", f"{cost.microjoules / 1e3:.3f}",
                f"{cost.time_area / base.time_area:.2f}",
            ]  # fmt: skip
        rows.append(row)
    return columns, rows


def storage_table(study: SyntheticStudy) -> Table:
    """Columns and rows of the summary of storage in MB: one row per variant."""
    columns = ["variant", *(f"{kind} MB" for kind in KINDS), "total MB", "smaller"]
    dense = study.baseline.bits.total
    rows: list[list[object]] = []
    for v in study.variants:
        bits = v.bits.to_dict()
        sizes = [bits[kind] / 8e6 for kind in (*KINDS, "total")]
        rows.append([v.name, *sizes, f"{dense / max(1, bits['total']):.2f}x"])
    return columns, rows


def write(
    study: SyntheticStudy,
    title: str,
    command: str,
    folder: Path,
    found: Sequence[Candidates] = (),
) -> Path:
    """Write all files of a study, or none; return the path of the page.

    Parameters
    ----------
    command
        The command that reproduces the report.
    found
        What both sides may choose from under equal budgets, where the study has some.
    """
    title, judged = mark(title), cells(found)
    document = study.to_dict() | {"title": title, "command": command}
    if judged:
        document["map"] = [cell.to_dict() for cell in judged]
    with staged(folder) as inside:
        write_json(inside / "results.json", document)
        write_csv(inside / "results.csv", study.to_rows())
        report = Report(title)
        if judged:
            map_section.write_files(judged, inside)
            map_section.write_verdict(report, found, judged, inside)
        _write_study(report, study, command, inside)
        if judged:
            map_section.write_chosen(report, judged)
            map_section.write_every(report, found, judged)
        page = report.write(inside)[1]
    return folder / page.name


def _write_study(report: Report, study: SyntheticStudy, command: str, folder: Path) -> None:
    """Add the variants at equal multipliers."""
    report.text(f"**{study.answer()}**")
    report.text(
        f"Reproduce with `{command}`. The weights are random, of published densities and bits or "
        "of densities derived from them, as said below; the activations are random. Nothing here "
        "is a claim on accuracy, and real layers have structure that random masks have not. "
        f"Simulated, not run in RTL; {study.config.images} image(s), every design has "
        f"{study.multipliers} multipliers. Stored bits: the design's format, each layer in its own "
        "bits; MB = 1,000,000 bytes."
    )
    report.table(*cycles_table(study))
    report.table(*storage_table(study))
    if study.config.technology is not None:
        report.text(
            f"Time, area and energy in {study.config.technology}, each design at its own clock, "
            "memories as configured; *time x area* is relative to the baseline. Energy has that of "
            "a buffer of 64 KiB and of fetching weights, input and output from LPDDR4 once."
        )
        report.table(*silicon_table(study))
    report.plot(
        synthetic_plots.cycles_by_density(study),
        synthetic_pictures.cycles_by_density(study, folder), mark("Cycles"),
    )  # fmt: skip
    report.plot(
        synthetic_plots.stored_by_kind(study),
        synthetic_pictures.stored_by_kind(study, folder), mark("Stored bits by kind"),
    )  # fmt: skip
    outside.write(report, study.network, folder)
    report.heading("Where the densities come from")
    for v in study.variants:
        report.text(f"**{v.name}** (`{v.config.recipe or 'no recipe'}`): {v.note}")
