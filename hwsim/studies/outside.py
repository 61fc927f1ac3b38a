"""What of a study's network runs outside the array: a table, a section of the report, a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwsim.config import NetworkConfig
from hwsim.report.page import Report, write_csv
from hwsim.workload.outside import OUTSIDE, outside_of, outside_rows, outside_table

__all__ = ["document", "tables", "write"]


def tables(network: NetworkConfig) -> list[tuple[str, list[str], list[list[object]]]]:
    """Title, columns and rows; none where all of the network runs on the array."""
    columns, rows = outside_table(outside_of(network))
    return [(f"{network.name}: {OUTSIDE}", columns, rows)] if rows else []


def document(network: NetworkConfig) -> dict[str, Any]:
    """Plain data for ``results.json``: nothing where all of the network runs on the array."""
    layers = outside_of(network)
    return {"outside": [layer.to_dict() for layer in layers]} if layers else {}


def write(report: Report, network: NetworkConfig, folder: Path) -> None:
    """Add the section, and write ``outside.csv``, where something runs outside the array."""
    for _, columns, rows in tables(network):
        report.heading("Outside the array")
        report.text(
            "These operations run in floating point beside each design. Cycles, bits, area and "
            "energy are those of the array's part alone."
        )
        report.table(columns, rows)
        write_csv(folder / "outside.csv", outside_rows({network.name: outside_of(network)}))
