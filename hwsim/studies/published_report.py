"""Files of a published check: report, picture, results.csv and results.json."""

from __future__ import annotations

from pathlib import Path

from hwsim.report.page import Report, write_csv, write_json
from hwsim.studies import pictures
from hwsim.studies.published import Check
from hwsim.studies.published_plot import efficiency_by_depth
from hwsim.system.files import staged

__all__ = ["published_table", "write_published"]

Table = tuple[list[str], list[list[object]]]


def published_table(check: Check) -> Table:
    """Columns and rows of the published check: one row per layer."""
    columns = [
        "layer", "theoretical us", "published", "difference", "actual us", "published",
        "difference", "entries", "of them padding", "efficiency",
    ]  # fmt: skip
    depth = getattr(check.arch.array, "fifo_depth", 0)
    rows: list[list[object]] = [
        [
            c.layer.name, c.theoretical_us, c.layer.theoretical_us, f"{c.differences[0]:+.1%}",
            c.actual_us, c.layer.actual_us, f"{c.differences[1]:+.1%}",
            c.entries, c.padding, c.efficiency.get(depth, float("nan")),
        ]
        for c in check.layers
    ]  # fmt: skip
    return columns, rows


def write_published(check: Check, title: str, command: str, folder: Path) -> Path:
    """Write all files of a published check, or none; return the path of the page."""
    columns, rows = published_table(check)
    report = Report(title)
    report.text(f"**{check.answer()}**")
    report.text(
        f"Reproduce with `{command}`. Published: {check.config.source}. Random weights and "
        "activations at the stated densities. *Theoretical*: entries touched, padding zeros "
        "included, spread evenly over the PEs. *Actual*: simulated with resident weights. Memories "
        "are deep enough for each layer."
    )
    report.table(columns, rows)
    with staged(folder) as inside:
        document = check.to_dict() | {"title": title, "command": command}
        write_json(inside / "results.json", document)
        write_csv(inside / "results.csv", check.to_rows())
        picture = pictures.efficiency_by_depth(check, inside)
        report.plot(efficiency_by_depth(check), picture, "Load-balance efficiency")
        page = report.write(inside)[1]
    return folder / page.name
