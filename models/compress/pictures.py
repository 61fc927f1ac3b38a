"""The picture of a training run: loss, accuracy, weights kept and residuals over all stages."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import MaxNLocator

from hwsim.report.style import SIZE, colours, panels, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

__all__ = ["draw"]

#: Row number of an epoch (from 1) and its value.
Points = list[tuple[int, float]]


def draw(log: list[dict[str, Any]], path: Path, title: str) -> Path:
    """Draw loss and held-out accuracy, weights kept, and ADMM's residuals, one above the other.

    The panels share the axis of epochs, counted over all stages. Stages are shaded alternately and
    named on top. A log without ADMM has no panel of residuals.

    Parameters
    ----------
    log
        Rows of :func:`hwsim.models.compress.log.read`, at least one.
    path
        Path without suffix.
    title
        Name of the recipe.

    Returns
    -------
    Path
        The PNG; an SVG is written beside it.
    """
    residuals = [name for name in log[0] if name.startswith(("primal_", "dual_"))]
    residuals = [name for name in residuals if any(row[name] is not None for row in log)]
    figure, axes = panels(3 if residuals else 2, 1, (SIZE[0], 7.4 if residuals else 5.2))
    figure.suptitle(title)
    _progress(axes[0], log)
    _kept(axes[1], log)
    if residuals:
        _residuals(axes[2], log, residuals)
    spans = _stages(log)
    for panel in axes:
        panel.set_xlim(0.5, len(log) + 0.5)
        for index, (_, first, last) in enumerate(spans):
            shade = "#f2f2f2" if index % 2 else "#dfe9f2"
            panel.axvspan(first - 0.5, last + 0.5, color=shade, zorder=0, lw=0)
    for panel in axes[:-1]:
        panel.tick_params(labelbottom=False)
    for name, first, last in spans:
        axes[0].text(
            (first + last) / 2, 1.02, name, transform=axes[0].get_xaxis_transform(),
            fontsize=7, ha="left", va="bottom", rotation=35, rotation_mode="anchor",
        )  # fmt: skip
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[-1].set_xlabel("epoch, all stages")
    return save(figure, path)


def _stages(log: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    """List name, first and last row (from 1) of each stage."""
    spans, end = [], 0
    for name, rows in groupby(log, key=lambda row: row["stage"]):
        first, end = end + 1, end + len(list(rows))
        spans.append((name, first, end))
    return spans


def _points(log: list[dict[str, Any]], name: str) -> Points:
    """List the rows that have a value."""
    values = ((number, row.get(name)) for number, row in enumerate(log, 1))
    return [(number, value) for number, value in values if value is not None]


def _progress(axes: Axes, log: list[dict[str, Any]]) -> None:
    """Draw the loss on the left axis, the accuracies on the right one."""
    colour = colours(3)
    right = axes.twinx()
    right.spines["top"].set_visible(False)
    right.grid(visible=False)
    lines = axes.plot(*_split(_points(log, "loss")), color=colour[0], label="loss")
    for name, label, shade in (
        ("heldout_accuracy", "held-out accuracy", colour[1]),
        ("train_accuracy", "training accuracy", colour[2]),
    ):
        points = _points(log, name)
        if points:
            style = "-" if name == "heldout_accuracy" else ":"
            lines += right.plot(*_split(points), style, color=shade, label=label)
    if any(value > 0 for _, value in _points(log, "loss")):
        axes.set_yscale("log")
    axes.set_ylabel("loss")
    right.set_ylabel("accuracy")
    _legend(axes, lines, 3)


def _kept(axes: Axes, log: list[dict[str, Any]]) -> None:
    """Draw the fraction of weights that are not 0."""
    axes.step(*_split(_points(log, "kept")), where="mid", color=colours(1)[0])
    axes.set_yscale("log")
    axes.set_ylabel("weights kept")


def _residuals(axes: Axes, log: list[dict[str, Any]], names: list[str]) -> None:
    """Draw primal residuals solid and dual ones dashed, one colour per layer, gaps at stages."""
    layers = list(dict.fromkeys(name.split("_", 1)[1] for name in names))
    shade = dict(zip(layers, colours(len(layers)), strict=True))
    for name in names:
        kind, layer = name.split("_", 1)
        label = layer if kind == "primal" else None
        points = dict(_points(log, name))
        for _, first, last in _stages(log):
            part = [(x, points[x]) for x in range(first, last + 1) if x in points]
            if part:
                line = "-" if kind == "primal" else "--"
                axes.plot(*_split(part), line, marker=".", color=shade[layer], label=label)
                label = None
    axes.set_yscale("log")
    axes.set_ylabel("residual / ||W||\nprimal solid, dual dashed")
    _legend(axes, None, 5)


def _legend(axes: Axes, lines: list[Line2D] | None, columns: int) -> None:
    """Put the legend below the panel, where it hides no line."""
    axes.legend(
        handles=lines, fontsize=7, frameon=False, ncols=columns, loc="upper center",
        bbox_to_anchor=(0.5, -0.02 if lines else -0.2),
    )  # fmt: skip


def _split(points: Points) -> tuple[list[int], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
