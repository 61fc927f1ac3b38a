"""What every result of the API offers: plain data, rows, and a table in a notebook."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

__all__ = ["Result", "html_table"]

#: Rows that a table in a notebook shows.
_SHOWN = 60


class Result(ABC):
    """A result as plain data, as flat rows, and as a table in a notebook."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Title of the table."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON."""

    @abstractmethod
    def to_rows(self) -> list[dict[str, Any]]:
        """Flat rows of plain values, ready for CSV or a data frame."""

    def _repr_html_(self) -> str:
        return html_table(self.title, self.to_rows())


def html_table(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """Write rows as an HTML table, at most 60 of them; columns are the union of their keys."""
    from hwsim.report.cells import cell

    columns = list(dict.fromkeys(key for row in rows for key in row))
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(cell(row.get(column)))}</td>" for column in columns)
        + "</tr>"
        for row in rows[:_SHOWN]
    )
    left = len(rows) - _SHOWN
    more = f"<p>{left:,} more rows: <code>to_rows()</code></p>" if left > 0 else ""
    return (
        f"<table><caption>{html.escape(title)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
    )
