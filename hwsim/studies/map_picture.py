"""The verdict as heat maps: a panel per measure, batch and state of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import log2
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize

from hwsim.report.style import colours, panels, save
from hwsim.studies.verdict_map import DECODING, MEASURES, SYSTOLIC, Cell

__all__ = ["FULL", "draw", "label", "sides"]

#: Factor at which a colour is full.
FULL = 8.0
#: Inches of one panel, and of what is around all of them.
PANEL, MARGIN = (2.3, 1.7), (0.9, 0.9)


def draw(cells: Sequence[Cell], technology: str, folder: Path) -> Path:
    """Draw the map of one technology; return the PNG.

    A cell has the factor by which the side of its colour is ahead; one that only a side has a
    design for has a letter, and one whose verdict depends on the seed a star.
    """
    own = [cell for cell in cells if cell.technology == technology]
    rows = [measure for measure in MEASURES if any(c.measure == measure for c in own)]
    columns = list(dict.fromkeys((cell.batch, cell.state) for cell in own))
    size = (
        MARGIN[0] + PANEL[0] * len(columns),
        MARGIN[1] + PANEL[1] * len(rows),
    )
    figure, grid = panels(len(rows), len(columns), size)
    for axes, (measure, (batch, state)) in zip(grid, product(rows, columns), strict=True):
        some = [c for c in own if (c.measure, c.batch, c.state) == (measure, batch, state)]
        _panel(axes, some)
        images = "1 image" if batch == 1 else f"{batch} images"
        axes.set_title(f"{measure}, {images}, {state}", loc="left", fontsize=8)
    for index, axes in enumerate(grid):
        if index % len(columns) == 0:
            axes.set_ylabel("bytes per cycle", fontsize=8)
        if index >= len(grid) - len(columns):
            axes.set_xlabel("budget of area in mm2", fontsize=8)
    scale = ScalarMappable(Normalize(-log2(FULL), log2(FULL)), _shades())
    bar = figure.colorbar(scale, ax=grid, location="top", aspect=60, shrink=0.7)
    ticks = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]
    bar.set_ticks([log2(tick) for tick in ticks])
    bar.set_ticklabels([f"{max(tick, 1 / tick):g}x" for tick in ticks])
    bar.set_label(f"{DECODING} ahead  <   {technology}   >  {SYSTOLIC} ahead", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return save(figure, folder / f"map_{Path(technology).stem}.png")


def sides() -> tuple[str, str]:
    """Colours of the systolic and of the index-decoding side."""
    systolic, decoding = colours(2)
    return systolic, decoding


def _shades() -> LinearSegmentedColormap:
    """Colour of one side, white for a tie, colour of the other."""
    systolic, decoding = sides()
    return LinearSegmentedColormap.from_list("sides", [decoding, "white", systolic])


def _panel(axes: Axes, cells: Sequence[Cell]) -> None:
    areas = list(dict.fromkeys(cell.mm2 for cell in cells))
    bandwidths = list(dict.fromkeys(cell.bandwidth for cell in cells))
    values = np.full((len(bandwidths), len(areas)), np.nan)
    for cell in cells:
        row, column = bandwidths.index(cell.bandwidth), areas.index(cell.mm2)
        if cell.factor is not None:
            values[row, column] = np.clip(log2(cell.factor), -log2(FULL), log2(FULL))
        axes.text(column, row, label(cell), ha="center", va="center", fontsize=8)
    axes.imshow(
        values, cmap=_shades(), vmin=-log2(FULL), vmax=log2(FULL), aspect="auto", origin="lower"
    )
    axes.set_xticks(range(len(areas)), [f"{area:.3g}" for area in areas], fontsize=8)
    shown = ["no limit" if each is None else f"{each:g}" for each in bandwidths]
    axes.set_yticks(range(len(bandwidths)), shown, fontsize=8)
    axes.grid(visible=False)


def label(cell: Cell) -> str:
    """Text of a cell."""
    if cell.factor is None:
        return cell.verdict.replace("only ", "only\n")
    star = "*" if cell.depends_on_seed else ""
    return f"{max(cell.factor, 1 / cell.factor):.2g}x{star}"
