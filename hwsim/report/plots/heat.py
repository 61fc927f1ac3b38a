"""Heat maps: panels of cells, each a button with its value, coloured by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log2

from hwsim.report.plots.detail import Detail, Details

__all__ = ["Heat", "HeatCell", "HeatPanel"]

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class HeatCell:
    """One cell: what is written in it, its factor, and what it stands for."""

    text: str
    #: Above 1: the colour of the high end; below 1: of the low end. ``None``: grey.
    factor: float | None
    detail: Detail


@dataclass(frozen=True)
class HeatPanel:
    """Cells in rows and columns; a row for each of ``rows``, the first on top."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[HeatCell]]


@dataclass(frozen=True)
class Heat:
    """Panels of one scale."""

    panels: Sequence[HeatPanel]
    #: Names of the axes, and of the ends of the scale.
    row: str
    column: str
    low: str
    high: str
    #: Colours of the ends, ``#rrggbb``.
    low_colour: str
    high_colour: str
    #: Factor at which a colour is full.
    full: float = 8.0

    def html(self, details: Details) -> str:
        """HTML of the maps."""
        panels = "".join(self._panel(panel, details) for panel in self.panels)
        return f'<div class="plot heat">{self._scale()}<div class="panels">{panels}</div></div>'

    def colour(self, factor: float | None) -> str:
        """Colour of a factor: white at 1, full at :attr:`full` and beyond."""
        if factor is None:
            return "#dddddd"
        depth = max(-1.0, min(1.0, log2(factor) / log2(self.full)))
        end = _rgb(self.high_colour if depth > 0 else self.low_colour)
        mixed = (round(255 + (each - 255) * abs(depth)) for each in end)
        return "#" + "".join(f"{each:02x}" for each in mixed)

    def _scale(self) -> str:
        """Colours of some factors, between what the ends stand for."""
        steps = [self.full ** (step / 3) for step in range(-3, 4)]
        patches = "".join(
            f'<i style="background:{self.colour(each)};color:{_ink(self.colour(each))}">'
            f"{max(each, 1 / each):.2g}x</i>"
            for each in steps
        )
        low, high = escape(self.low), escape(self.high)
        return f'<div class="scale"><span>{low}</span>{patches}<span>{high}</span></div>'

    def _panel(self, panel: HeatPanel, details: Details) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in panel.columns)
        body = "".join(
            f"<tr><th>{escape(name)}</th>"
            + "".join(f"<td>{self._cell(cell, details)}</td>" for cell in cells)
            + "</tr>"
            for name, cells in zip(panel.rows, panel.cells, strict=True)
        )
        corner = escape(f"{self.row} / {self.column}")
        # one panel has the width of the page
        lone = " lone" if len(self.panels) == 1 else ""
        table = (
            f'<table><caption>{escape(panel.title)}</caption><thead><tr><th class="axes">{corner}'
            f"</th>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
        return f'<div class="panel{lone}">{table}</div>'

    def _cell(self, cell: HeatCell, details: Details) -> str:
        back = self.colour(cell.factor)
        return (
            f'<button type="button" data-detail="{details.number(cell.detail)}" '
            f'style="background:{back};color:{_ink(back)}">{escape(cell.text)}</button>'
        )


def _rgb(colour: str) -> Colour:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def _ink(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour (WCAG 2, relative luminance)."""
    parts = [each / 255 for each in _rgb(colour)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # equal contrast with black and white: (l + 0.05)^2 = 1.05 * 0.05
    return "#000" if luminance > 0.179 else "#fff"
