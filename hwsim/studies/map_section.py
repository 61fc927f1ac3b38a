"""Sections of a report, and files, on the verdict under equal budgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hwsim.report.page import Report, write_csv
from hwsim.studies import map_picture, map_plot, map_report
from hwsim.studies.budgets import Candidates
from hwsim.studies.verdict_map import Cell, cells

__all__ = ["write_chosen", "write_every", "write_files", "write_verdict"]


def write_files(judged: Sequence[Cell], folder: Path) -> None:
    """Write ``map.csv`` and ``designs.csv``."""
    write_csv(folder / "map.csv", [cell.to_dict() for cell in judged])
    write_csv(folder / "designs.csv", [row for cell in judged for row in cell.choices()])


def write_verdict(
    report: Report, found: Sequence[Candidates], judged: Sequence[Cell], folder: Path
) -> None:
    """Add the answer, a map of each technology, five rows, and what was held fixed."""
    report.text(f"**{map_report.answer(judged)}**")
    for candidates in found:
        technology = candidates.technology
        path = map_picture.draw(judged, technology, folder)
        caption = f"Who is ahead, by which factor, in {technology}"
        report.plot(map_plot.plot(judged, technology), path, caption)
    report.table(*map_report.summary_table(judged))
    lines = [*map_report.held_fixed(found), *map_report.spread(judged)]
    if any(each.is_equal != each.is_within for candidates in found for each in candidates.every):
        lines.append(map_report.by_the_bound(judged, cells(found, within=True)))
    report.text("\n".join(f"- {line}" for line in lines))


def write_chosen(report: Report, judged: Sequence[Cell]) -> None:
    """Add the designs and models that were chosen for each budget, by time."""
    report.heading("Designs and models chosen, by time")
    report.table(*map_report.chosen_table(judged, "time"))
    report.text("The best of each kind of weights on each array:")
    report.table(*map_report.kinds_table(judged, "time"))


def write_every(report: Report, found: Sequence[Candidates], judged: Sequence[Cell]) -> None:
    """Add the factor of every budget."""
    report.heading("Every budget")
    report.text(
        "Who is ahead, by which factor. A star: it depends on the seed. `map.csv` and "
        "`designs.csv` have what was chosen by every measure, with its cost."
    )
    for candidates in found:
        report.table(*map_report.map_table(judged, candidates.technology))
