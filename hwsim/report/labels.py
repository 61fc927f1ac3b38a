"""Labels of points that hide neither each other nor a point."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

__all__ = ["place"]

#: Distances from a point at which a label may begin, in points of type.
_AWAY = (6, 12, 19, 27)
#: Directions, to the right and up, and the side of the label that then faces the point.
_ALIGN = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}
_DIRECTIONS = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]

#: Half the width of what a point covers, in pixels at 100 dots an inch.
_MARK = 3.5


def place(
    axes: Axes,
    labels: Sequence[tuple[float, float, str]],
    points: Sequence[tuple[float, float]] = (),
    toward: tuple[int, int] = (1, 1),
    fontsize: float = 7,
) -> int:
    """Write labels at ``(x, y)``, each at the first free location; return how many are written.

    Call it last: the limits of the axes and the legend must be as they will stay. A label without a
    free location is left out.

    Parameters
    ----------
    points
        Further points that no label may hide.
    toward
        Where a label is best, to the right and up: away from a line through the points.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    inside = axes.get_window_extent()
    taken = [_mark(axes, x, y) for x, y in {*points, *((x, y) for x, y, _ in labels)}]
    legend = axes.get_legend()
    if legend is not None:
        taken.append(legend.get_window_extent())
    directions = sorted(_DIRECTIONS, key=lambda d: -(d[0] * toward[0] + d[1] * toward[1]))
    written = 0
    for x, y, text in labels:
        for away, (right, up) in product(_AWAY, directions):
            note = axes.annotate(
                text, (x, y), xytext=(away * right, away * up), textcoords="offset points",
                ha=_ALIGN[right][0], va=_ALIGN[up][1], fontsize=fontsize, in_layout=False,
            )  # fmt: skip
            box = note.get_window_extent(renderer)
            fits = inside.x0 <= box.x0 and box.x1 <= inside.x1
            fits = fits and inside.y0 <= box.y0 and box.y1 <= inside.y1
            if fits and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                written += 1
                break
            note.remove()
    return written


def _mark(axes: Axes, x: float, y: float) -> Bbox:
    across, up = axes.transData.transform((x, y))
    return Bbox.from_extents(across - _MARK, up - _MARK, across + _MARK, up + _MARK)
