"""The picture of a sweep: two objectives, the Pareto front of each network marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Literal

from hwsim.report.labels import place
from hwsim.report.style import SIZE, family_colour, panels, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Dot", "Panel", "pareto"]

Goal = Literal["min", "max"]

#: Characters of a line of the title over one panel.
TITLE = 60
#: Labels of one panel, those of the cheapest points.
MAX_LABELS = 12


@dataclass(frozen=True)
class Dot:
    """One point of a sweep in the plane of two objectives."""

    x: float
    y: float
    family: str
    #: The point in a few words; shown where it is on the front of its run.
    label: str
    best: bool
    #: Run of the sweep, and whether the point is on the front of this run.
    run: str = ""
    best_of_run: bool = False
    #: Whether it meets every constraint.
    is_feasible: bool = True


@dataclass(frozen=True)
class Panel:
    """The points of equal work: one network, batch and memory."""

    title: str
    dots: Sequence[Dot]


def pareto(
    path: Path,
    networks: Sequence[Panel],
    labels: tuple[str, str],
    title: str,
    goals: tuple[Goal, Goal],
    stairs: bool,
) -> Path:
    """Draw one panel per work, at most three per row; return the PNG; an SVG lies beside it.

    Parameters
    ----------
    labels
        What the axes are, with units.
    goals
        Whether x and y are to be small or large.
    stairs
        Join each run's front by a staircase: right where there are no more than two objectives.
    """
    columns = min(3, len(networks))
    rows = -(-len(networks) // columns)
    fig, grid = panels(rows, columns, (SIZE[0] * max(1.0, 0.62 * columns), SIZE[1] * rows))
    fig.suptitle(fill(title, TITLE * columns))
    for axes in grid[len(networks) :]:
        axes.set_visible(False)
    fronts = [
        _draw(axes, panel, labels, goals, stairs)
        for axes, panel in zip(grid, networks, strict=False)
    ]
    # once every panel has its size; beyond the front there are no points to hide
    toward = (-1 if goals[0] == "min" else 1, -1 if goals[1] == "min" else 1)
    for axes, panel, front in zip(grid, networks, fronts, strict=False):
        notes = [(dot.x, dot.y, dot.label) for dot in front[:MAX_LABELS]]
        place(axes, notes, [(dot.x, dot.y) for dot in panel.dots], toward)
    return save(fig, path)


def _draw(
    axes: Axes, panel: Panel, labels: tuple[str, str], goals: tuple[Goal, Goal], stairs: bool
) -> list[Dot]:
    """Draw one panel; return the fronts of its runs, which are to be labelled."""
    from matplotlib.colors import to_rgba

    axes.set_title(panel.title, loc="left")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    for set_scale, values in (
        (axes.set_xscale, [dot.x for dot in panel.dots]),
        (axes.set_yscale, [dot.y for dot in panel.dots]),
    ):
        if min(values) > 0 and max(values) > 10 * min(values):
            set_scale("log")
    outside = [dot for dot in panel.dots if not dot.is_feasible]
    if outside:
        axes.scatter(
            [dot.x for dot in outside],
            [dot.y for dot in outside],
            s=14,
            marker="x",
            color="#bbbbbb",
            linewidths=0.8,
            zorder=1,
            label="misses a constraint",
        )
    feasible = [dot for dot in panel.dots if dot.is_feasible]
    for family in sorted({dot.family for dot in feasible}):
        for words, strength, dots in (
            ("beaten", 0.0, [d for d in feasible if not d.best_of_run]),
            (
                "on the front of its run",
                0.45,
                [d for d in feasible if d.best_of_run and not d.best],
            ),
            ("on the front", 1.0, [d for d in feasible if d.best]),
        ):
            if own := [dot for dot in dots if dot.family == family]:
                axes.scatter(
                    [dot.x for dot in own],
                    [dot.y for dot in own],
                    s=42 if strength else 22,
                    facecolors=to_rgba(family_colour(family), strength),
                    edgecolors=to_rgba(family_colour(family), 1.0 if strength else 0.55),
                    zorder=2 + strength,
                    label=f"{family}, {words}",
                )
    where: Literal["post", "pre"] = "post" if goals[0] == "min" else "pre"
    for run in dict.fromkeys(dot.run for dot in feasible) if stairs else ():
        own = sorted((d for d in feasible if d.run == run and d.best_of_run), key=_place)
        colours = {family_colour(dot.family) for dot in own}
        colour = colours.pop() if len(colours) == 1 else "#999999"
        name = f"front of {run}" if run else None
        xs, ys = [dot.x for dot in own], [dot.y for dot in own]
        axes.step(xs, ys, where=where, color=colour, lw=1.0, label=name)
    front = sorted((dot for dot in feasible if dot.best_of_run), key=_place)
    axes.margins(x=0.22, y=0.12)
    axes.legend(fontsize=7, frameon=False)
    return front


def _place(dot: Dot) -> tuple[float, float]:
    return dot.x, dot.y
