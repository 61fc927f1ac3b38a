"""Stacked bars: a row for each thing, its parts side by side, its total in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from hwsim.report.plots.detail import Detail, Details
from hwsim.report.plots.legend import legend

__all__ = ["Bar", "Bars"]


@dataclass(frozen=True)
class Bar:
    """One bar: its parts, by name, and what it stands for."""

    name: str
    parts: Mapping[str, float]
    detail: Detail

    @property
    def total(self) -> float:
        """Length of the bar."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Bars:
    """Bars of one scale, the longest as wide as there is room for."""

    bars: Sequence[Bar]
    #: Of the totals.
    unit: str
    #: Part -> colour.
    colours: Mapping[str, str]
    #: Digits behind the point.
    digits: int = 0

    def html(self, details: Details) -> str:
        """HTML of the bars."""
        most = max((bar.total for bar in self.bars), default=0.0) or 1.0
        rows = "".join(self._row(bar, most, details) for bar in self.bars)
        return f'<div class="plot bars">{legend(self.colours)}{rows}</div>'

    def _row(self, bar: Bar, most: float, details: Details) -> str:
        parts = "".join(
            f'<i style="width:{100 * length / most:.2f}%;background:{self.colours[name]}" '
            f'data-part="{escape(f"{name}: {self._shown(length)}", quote=True)}"></i>'
            for name, length in bar.parts.items()
            if length
        )
        return (
            f'<button type="button" data-detail="{details.number(bar.detail)}">'
            f"<span>{escape(bar.name)}</span><b>{parts}</b>"
            f"<span>{escape(self._shown(bar.total))}</span></button>"
        )

    def _shown(self, length: float) -> str:
        return f"{length:,.{self.digits}f} {self.unit}"
