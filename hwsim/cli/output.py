"""What commands print: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "emit_json", "log", "table"]


def console() -> Console:
    """Console on stdout that does not cut tables when piped."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def log() -> Console:
    """Console on stderr: progress and remarks."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Table whose first column is text and whose others are numbers, right-aligned."""
    from rich.table import Table

    from hwsim.report.page import cell

    made = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if place == 0 else "right", no_wrap=True)
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def emit_json(document: dict[str, Any]) -> None:
    """Print the one JSON document of a command."""
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
