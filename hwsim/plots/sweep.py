"""The picture of a sweep: two objectives, the Pareto front of each network marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hwsim.plots.style import SIZE, family_colour, panels, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Dot", "Panel", "pareto"]

Stairs = Literal["post", "pre"]

#: Labels of one panel; more would hide each other.
MAX_LABELS = 12


@dataclass(frozen=True)
class Dot:
    """One point of a sweep in the plane of two objectives."""

    x: float
    y: float
    family: str
    #: What the point is, in a few words; shown where it is on the front.
    label: str
    best: bool


@dataclass(frozen=True)
class Panel:
    """The points of one network."""

    title: str
    dots: Sequence[Dot]


def pareto(
    path: Path,
    networks: Sequence[Panel],
    labels: tuple[str, str],
    title: str,
    stairs: Stairs | None = None,
) -> Path:
    """Draw one panel a network, at most three a row; return the PNG, which has an SVG beside it.

    Parameters
    ----------
    labels
        What the axes are, with units.
    stairs
        How the front's staircase runs: ``post`` where x is to be small, ``pre`` where it is to be
        large. With more than two objectives the front is no staircase: ``None`` draws none.
    """
    columns = min(3, len(networks))
    rows = -(-len(networks) // columns)
    made, grid = panels(rows, columns, (SIZE[0] * max(1.0, 0.62 * columns), SIZE[1] * rows))
    made.suptitle(title)
    for axes in grid[len(networks) :]:
        axes.set_visible(False)
    for axes, panel in zip(grid, networks, strict=False):
        _draw(axes, panel, labels, stairs)
    return save(made, path)


def _draw(axes: Axes, panel: Panel, labels: tuple[str, str], stairs: Stairs | None) -> None:
    axes.set_title(panel.title, loc="left")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    for set_scale, values in (
        (axes.set_xscale, [dot.x for dot in panel.dots]),
        (axes.set_yscale, [dot.y for dot in panel.dots]),
    ):
        if min(values) > 0 and max(values) > 10 * min(values):
            set_scale("log")
    for family in sorted({dot.family for dot in panel.dots}):
        for best in (False, True):
            dots = [d for d in panel.dots if d.family == family and d.best == best]
            axes.scatter(
                [dot.x for dot in dots],
                [dot.y for dot in dots],
                s=42 if best else 22,
                color=family_colour(family) if best else "none",
                edgecolors=family_colour(family),
                alpha=1.0 if best else 0.55,
                zorder=3 if best else 2,
                label=f"{family}, on the front" if best else f"{family}, beaten",
            )
    front = sorted((dot for dot in panel.dots if dot.best), key=lambda dot: (dot.x, dot.y))
    if stairs:
        axes.step([d.x for d in front], [d.y for d in front], where=stairs, color="#999999", lw=1.0)
    for dot in front[:MAX_LABELS]:
        axes.annotate(
            dot.label, (dot.x, dot.y), xytext=(5, 5), textcoords="offset points", fontsize=7
        )
    axes.margins(x=0.12, y=0.12)
    axes.legend(fontsize=7, frameon=False)
