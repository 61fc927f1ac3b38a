"""The style that all pictures share: size, fonts, colours, and files written whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from hwsim.config import FAMILIES
from hwsim.system.files import write_bytes_atomic

__all__ = ["SIZE", "colours", "family_colour", "figure", "panels", "save"]

#: Width and height of a picture of one panel, in inches: the width of a page of text.
SIZE = (7.2, 4.2)

#: Okabe and Ito's colours, told apart by colour-blind readers.
_CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#f0e442")

#: A family has the same colour in every picture.
_FAMILIES = dict(zip(FAMILIES, _CYCLE, strict=False))

_STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e2e2e2",
    "grid.linewidth": 0.6,
    "savefig.dpi": 160,
    "svg.fonttype": "none",  # text stays text: searchable, small
    "svg.hashsalt": "hwsim",  # the same picture is the same file
}


def colours(count: int) -> list[str]:
    """Colours for ``count`` things side by side: all different up to twenty."""
    if count <= len(_CYCLE):
        return list(_CYCLE[:count])
    return [to_hex(colormaps["tab20"](index % 20)) for index in range(count)]


def family_colour(family: str) -> str:
    """Colour of an array family; grey for one without its own."""
    return _FAMILIES.get(family, "#7f7f7f")


def figure(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """Figure of one panel, ``size`` in inches; no window, no global state."""
    made, axes = panels(1, 1, size)
    return made, axes[0]


def panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Figure of a grid of panels, row by row; ``size`` of the whole in inches."""
    with rc_context(_STYLE):
        made = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(made)
        grid = made.subplots(rows, columns, squeeze=False)
    return made, list(grid.flat)


def save(made: Figure, path: Path) -> Path:
    """Write a figure as ``path.png`` and ``path.svg``, each whole or not at all; return the PNG.

    The same figure gives the same bytes: no dates, no random ids.
    """
    target = path.with_suffix("")
    with rc_context(_STYLE):
        for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
            content = io.BytesIO()
            made.savefig(content, format=kind, metadata=metadata)
            write_bytes_atomic(target.with_suffix(f".{kind}"), content.getvalue())
    return target.with_suffix(".png")
