"""Sections of a report, and files, on the verdict under equal budgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hwsim.report.page import Report, write_csv
from hwsim.studies import map_picture, map_plot, map_report
from hwsim.studies.budgets import Candidates
from hwsim.studies.verdict_map import Cell, cells

#: What the table of rules is about.
RULES = (
    "What hangs on the rule that says which models are equally accurate: the study's, then others. "
    "A level is that of the paired test, points are below the baseline."
)

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
    report.text("\n".join(f"- {line}" for line in lines))
    if len(rules := _rules(found)) > 1:
        report.text(RULES)
        report.table(*map_report.rules_table({rule: cells(found, rule) for rule in rules}))


def _rules(found: Sequence[Candidates]) -> list[str]:
    """Rules of who may be chosen that admit other models than the study's, and that one."""
    every = [each for candidates in found for each in candidates.every]
    models: dict[str, set[str]] = {}
    for rule in found[0].rules:
        models[rule] = {each.model.name for each in every if rule in each.admitted_by}
    own = next(iter(models.values()))
    return [rule for n, rule in enumerate(models) if n == 0 or models[rule] != own]


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
