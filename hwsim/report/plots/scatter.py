"""Points and lines on two axes, as SVG: one panel that is as legible on a phone as on a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10

from hwsim.report.plots.detail import Detail, Details
from hwsim.report.plots.legend import legend

__all__ = ["Level", "Panel", "Point", "Scatter", "Series"]

#: Units of the drawing, which are pixels where the page is as wide as a phone.
WIDTH, HEIGHT = 380, 300
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 10, 40
#: Pixels that a letter takes, at most, at the size of labels.
LETTER = 6.0
#: Ticks at most.
TICKS = 7


@dataclass(frozen=True)
class Point:
    """One point, and what it stands for."""

    x: float
    y: float
    detail: Detail
    #: Written beside it.
    label: str = ""
    #: Whether it has a ring.
    ringed: bool = False


@dataclass(frozen=True)
class Series:
    """Points of one colour, of which some are joined by a line."""

    name: str
    colour: str
    points: Sequence[Point]
    #: Points of the line, in its order.
    line: Sequence[Point] = ()
    dashed: bool = False


@dataclass(frozen=True)
class Level:
    """A dashed line at a height, and its name."""

    y: float
    name: str


@dataclass(frozen=True)
class Panel:
    """One pair of axes; x is logarithmic."""

    title: str
    x: str
    y: str
    series: Sequence[Series]
    levels: Sequence[Level] = field(default_factory=tuple)
    #: Range of y; points outside of it are not drawn.
    bottom: float = 0.0
    top: float = 1.0

    def html(self, details: Details) -> str:
        """SVG of the panel."""
        return _Drawing(self, details).svg()


@dataclass(frozen=True)
class Scatter:
    """Panels beside each other with one legend."""

    panels: Sequence[Panel]

    def html(self, details: Details) -> str:
        """HTML of the plot."""
        colours = {each.name: each.colour for panel in self.panels for each in panel.series}
        panels = "".join(panel.html(details) for panel in self.panels)
        return (
            f'<div class="plot scatter">{legend(colours)}<div class="panels">{panels}</div></div>'
        )


class _Drawing:
    """One panel on its way to SVG."""

    def __init__(self, panel: Panel, details: Details) -> None:
        self.panel, self.details = panel, details
        xs = [point.x for each in panel.series for point in each.points] or [1.0]
        self.low, self.high = min(xs) / 1.3, max(xs) * 1.3

    def svg(self) -> str:
        """Axes, lines, points, labels, in this order."""
        panel = self.panel
        parts = [*self._axes(), *self._levels()]
        parts += [line for series in panel.series if (line := self._line(series))]
        parts += [self._point(p, s) for s in panel.series for p in s.points if self._is_in(p)]
        parts += self._labels()
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
            f'aria-label="{escape(panel.title or panel.y, quote=True)}">'
            f'<text x="{LEFT}" y="{TOP - 1}" class="title">{escape(panel.title)}</text>'
            + "".join(parts)
            + "</svg>"
        )

    def _x(self, value: float) -> float:
        span = log10(self.high) - log10(self.low)
        return LEFT + (WIDTH - LEFT - RIGHT) * (log10(value) - log10(self.low)) / span

    def _y(self, value: float) -> float:
        share = (value - self.panel.bottom) / (self.panel.top - self.panel.bottom)
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP - 6) * share

    def _is_in(self, point: Point) -> bool:
        return self.panel.bottom <= point.y <= self.panel.top

    def _axes(self) -> list[str]:
        floor_y, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        found = [f'<path class="axis" d="M{LEFT} {TOP}V{floor_y}H{right}"/>']
        for value in _powers(self.low, self.high):
            x = self._x(value)
            found.append(f'<path class="grid" d="M{x:.1f} {TOP}V{floor_y}"/>')
            found.append(
                f'<text x="{x:.1f}" y="{floor_y + 14}" class="middle">{_short(value)}</text>'
            )
        for value in _steps(self.panel.bottom, self.panel.top):
            y = self._y(value)
            found.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
            found.append(f'<text x="{LEFT - 4}" y="{y + 4:.1f}" class="end">{value:g}</text>')
        middle = (LEFT + right) / 2
        found.append(
            f'<text x="{middle}" y="{HEIGHT - 8}" class="middle">{escape(self.panel.x)}</text>'
        )
        up = (TOP + floor_y) / 2
        found.append(
            f'<text x="11" y="{up}" class="middle" transform="rotate(-90 11 {up})">'
            f"{escape(self.panel.y)}</text>"
        )
        return found

    def _levels(self) -> list[str]:
        found = []
        for level in self.panel.levels:
            y = self._y(level.y)
            found.append(f'<path class="level" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            found.append(
                f'<text x="{WIDTH - RIGHT - 2}" y="{y - 3:.1f}" class="end">'
                f"{escape(level.name)}</text>"
            )
        return found

    def _line(self, series: Series) -> str:
        inside = [point for point in series.line if self._is_in(point)]
        if len(inside) < 2:
            return ""
        places = " ".join(f"{self._x(p.x):.1f},{self._y(p.y):.1f}" for p in inside)
        dashes = ' stroke-dasharray="2 3"' if series.dashed else ""
        return f'<polyline points="{places}" stroke="{series.colour}"{dashes}/>'

    def _point(self, point: Point, series: Series) -> str:
        x, y = self._x(point.x), self._y(point.y)
        number = self.details.number(point.detail)
        inside = series.colour if point in series.line else "#fff"
        ring = f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="8"/>' if point.ringed else ""
        return (
            f'{ring}<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{inside}" '
            f'stroke="{series.colour}" data-detail="{number}" tabindex="0" role="button" '
            f'aria-label="{escape(point.detail.title, quote=True)}"/>'
        )

    def _labels(self) -> list[str]:
        """Labels above and left of their points, where they hide no other label and no point."""
        drawn = [p for s in self.panel.series for p in s.points if self._is_in(p)]
        taken = [(self._x(p.x) - 4, self._y(p.y) - 4, 8.0, 8.0) for p in drawn]
        found = []
        for point in (p for s in self.panel.series for p in s.points if p.label):
            if not self._is_in(point):
                continue
            x, y, wide = self._x(point.x), self._y(point.y), LETTER * len(point.label)
            for left, up in ((-wide - 5, -5), (5, -5), (-wide - 5, 13), (5, 13)):
                box = (x + left, y + up - 9, wide, 11.0)
                if box[0] > LEFT and box[0] + wide < WIDTH and not any(
                    _overlap(box, other) for other in taken
                ):  # fmt: skip
                    taken.append(box)
                    found.append(
                        f'<text x="{x + left:.1f}" y="{y + up:.1f}">{escape(point.label)}</text>'
                    )
                    break
        return found


Box = tuple[float, float, float, float]


def _overlap(one: Box, other: Box) -> bool:
    return all(
        one[at] < other[at] + other[at + 2] and other[at] < one[at] + one[at + 2] for at in (0, 1)
    )


def _powers(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: 1, 2 and 5 times powers of ten, or fewer of them."""
    exponents = range(floor(log10(low)), ceil(log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**each for each in exponents for digit in digits]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= TICKS:
            break
    # of very many powers some; in a range of less than such a step even ones
    return inside[:: ceil(len(inside) / TICKS)] if len(inside) > 1 else _steps(low, high)


def _steps(low: float, high: float) -> list[float]:
    """Ticks of a linear axis."""
    step: float = 10.0 ** floor(log10(high - low))
    for part in (0.1, 0.2, 0.5, 1.0):
        if (high - low) / (part * step) <= TICKS:
            step *= part
            break
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(number * step, 9) for number in range(first, last + 1)]


def _short(value: float) -> str:
    """A tick in few letters."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
