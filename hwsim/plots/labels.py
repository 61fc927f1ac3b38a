"""Labels of points that hide neither each other nor a point."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

__all__ = ["place"]

#: Where a label may begin, from its point, in points of type: near first.
_PLACES = [
    (x, y, ha, va)
    for away in (6, 12, 19, 27)
    for x, y, ha, va in (
        (away, 0, "left", "center"),
        (-away, 0, "right", "center"),
        (0, away, "center", "bottom"),
        (0, -away, "center", "top"),
        (away, away, "left", "bottom"),
        (away, -away, "left", "top"),
        (-away, away, "right", "bottom"),
        (-away, -away, "right", "top"),
    )
]

#: Half the width of what a point covers, in pixels at 100 dots an inch.
_MARK = 3.5


def place(
    axes: Axes,
    labels: Sequence[tuple[float, float, str]],
    points: Sequence[tuple[float, float]] = (),
    fontsize: float = 7,
) -> int:
    """Write labels at ``(x, y)``, each at the first place that is free; return how many had one.

    Call it last: the limits of the axes and the legend must be as they will stay. A label that
    finds no place is left out.

    Parameters
    ----------
    points
        Further points that no label may hide.
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
    written = 0
    for x, y, text in labels:
        for right, up, ha, va in _PLACES:
            note = axes.annotate(
                text, (x, y), xytext=(right, up), textcoords="offset points",
                ha=ha, va=va, fontsize=fontsize, in_layout=False,
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
