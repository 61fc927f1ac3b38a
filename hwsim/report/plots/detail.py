"""What a mark of a plot stands for: said where the pointer is, and a table after a click."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hwsim.report.cells import cell

__all__ = ["Detail", "Details", "Plot"]


@dataclass(frozen=True, eq=False)
class Detail:
    """One thing that marks stand for; several marks, and plots, may stand for the same one."""

    #: Heading of the table.
    title: str
    #: Lines that the pointer shows.
    says: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


class Details:
    """Details of all plots of a page, each once."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._columns: dict[tuple[str, ...], int] = {}
        self._details: list[Detail] = []

    def __len__(self) -> int:
        return len(self._details)

    def number(self, detail: Detail) -> int:
        """Number of a detail, by which marks refer to it."""
        if id(detail) not in self._numbers:
            self._numbers[id(detail)] = len(self._details)
            self._columns.setdefault(tuple(detail.columns), len(self._columns))
            self._details.append(detail)
        return self._numbers[id(detail)]

    def json(self) -> str:
        """Everything as JSON that may stand in a page: no ``<`` in it."""
        document = {
            "columns": list(self._columns),
            "details": [
                {
                    "title": detail.title,
                    "says": "\n".join(detail.says),
                    "columns": self._columns[tuple(detail.columns)],
                    "rows": [[cell(value) for value in row] for row in detail.rows],
                }
                for detail in self._details
            ],
        }
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        return text.replace("<", "\\u003c")


class Plot(Protocol):
    """A plot of a page."""

    def html(self, details: Details) -> str:
        """HTML of the plot; its marks have the attribute ``data-detail``."""
