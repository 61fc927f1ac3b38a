"""Accuracy against cost, a line for each family of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import compress
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from hwsim.report.labels import place
from hwsim.report.pareto import front
from hwsim.report.style import SIZE, colours, panels, save
from hwsim.studies.compare import Comparison, Curve, Variant

__all__ = ["accuracy_by_bits", "accuracy_by_cycles"]

Cost = Callable[[Variant], float]

#: How far below the bound the axis reaches, in bounds: models that broke would flatten the rest.
REACH = 6


def accuracy_by_bits(done: Comparison, folder: Path) -> Path:
    """Accuracy against stored kilobytes, in the format of each design."""
    label = "stored weights with indices in KB (1000 bytes)"
    path = folder / "accuracy_by_bits.png"
    return _draw(
        done,
        lambda v: v.result.bits.total / 8000,
        label,
        path,
        lambda v: v.model.own[1].total / 8000,
    )


def accuracy_by_cycles(done: Comparison, folder: Path) -> Path:
    """Accuracy against cycles of the study's images."""
    label = f"cycles for {done.config.images} images"
    path = folder / "accuracy_by_cycles.png"
    return _draw(done, lambda v: float(v.result.cycles), label, path)


def _draw(
    done: Comparison,
    cost: Cost,
    label: str,
    path: Path,
    arrayless: Cost | None = None,
) -> Path:
    """Draw a panel for each width that several families share, and one for all other widths.

    Where ``arrayless`` is given, non-structured models have a dotted line of that cost, too.
    """
    curves = {width: [c for c in done.curves if c.weight_width == width] for width in done.widths}
    groups = {
        f"weights of {width} bits": found for width, found in curves.items() if len(found) > 1
    }
    others = [curve for found in curves.values() if len(found) == 1 for curve in found]
    if others:
        groups["other widths" if groups else ""] = others
    names = list(dict.fromkeys(_name(curve, done) for curve in done.curves))
    colour = dict(zip(names, colours(len(names)), strict=True))
    made, grid = panels(1, len(groups), (SIZE[0] * max(1.0, 0.62 * len(groups)), SIZE[1] + 0.5))
    costs = [each(variant) for each in (cost, arrayless) if each for variant in done.variants]
    for axes, (title, found) in zip(grid, groups.items(), strict=True):
        axes.set_title(title, loc="left")
        axes.set_xlabel(label)
        axes.set_ylabel(f"accuracy in %, {_images(done)}")
        axes.set_xscale("log")
        axes.set_xlim(min(costs) / 1.4, max(costs) * 1.4)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        for curve in found:
            _draw_curve(axes, done, curve, cost, colour[_name(curve, done)])
        if arrayless is not None:
            _draw_arrayless(axes, done, found, arrayless)
        _draw_bound(axes, done)
    _draw_legend(made, colour)
    for axes, found in zip(grid, groups.values(), strict=True):
        fronts = [v for curve in found for v in _front(done, done.curves[curve], cost)]
        visible = [v for v in fronts if done.decides(v.model) >= axes.get_ylim()[0]]
        labels = [
            (cost(v), done.decides(v.model), f"{v.model.factor:.0f}x")
            for v in visible
            if v.model.kind != "dense"
        ]
        points = [(cost(v), done.decides(v.model)) for c in found for v in done.curves[c]]
        place(axes, labels, points, toward=(-1, 1))
    return save(made, path)


def _draw_curve(axes: Axes, done: Comparison, curve: Curve, cost: Cost, shade: str) -> None:
    variants = done.curves[curve]
    best = _front(done, variants, cost)
    axes.scatter(
        [cost(v) for v in variants], [done.decides(v.model) for v in variants],
        s=14, facecolors="none", edgecolors=shade, alpha=0.7,
    )  # fmt: skip
    axes.plot(
        [cost(v) for v in best], [done.decides(v.model) for v in best],
        color=shade, marker="o", markersize=4, linewidth=1.3,
    )  # fmt: skip
    chosen = done.chosen.get((curve.kind, curve.weight_width))
    ringed = [v for v in variants if chosen is not None and v.model.name == chosen.name]
    if ringed:
        ring = min(ringed, key=cost)
        axes.scatter(
            [cost(ring)], [done.decides(ring.model)],
            s=80, facecolors="none", edgecolors="black", linewidths=0.9, zorder=4,
        )  # fmt: skip


def _draw_arrayless(axes: Axes, done: Comparison, found: list[Curve], cost: Cost) -> None:
    variants = [v for curve in found for v in done.curves[curve]]
    best = _front(done, [v for v in variants if v.model.kind == "nonstructured"], cost)
    axes.plot(
        [cost(v) for v in best], [done.decides(v.model) for v in best],
        color="black", marker=".", markersize=4, linewidth=0.9, linestyle=":",
    )  # fmt: skip


def _draw_bound(axes: Axes, done: Comparison) -> None:
    bound = done.config.accuracy_bound
    reference = done.decides(done.baseline.model)
    axes.axhline(reference - bound, color="black", linewidth=0.9, linestyle="--")
    low, high = axes.get_ylim()
    low = min(max(low, reference - REACH * bound), reference - 1.5 * bound)
    axes.set_ylim(low, max(high, reference + 0.5 * bound))


def _draw_legend(made: Figure, colour: dict[str, str]) -> None:
    handles = [
        Line2D([], [], color=shade, marker="o", label=name) for name, shade in colour.items()
    ]
    handles.append(Line2D([], [], color="black", linestyle="--", linewidth=0.9, label="bound"))
    chosen = Line2D([], [], color="black", linestyle="", marker="o", label="chosen")
    chosen.set_markerfacecolor("none")
    chosen.set_markersize(9)
    made.legend(
        handles=[*handles, chosen],
        ncols=5,
        loc="outside upper center",
        fontsize=8,
        frameon=False,
    )


def _front(comparison: Comparison, variants: Iterable[Variant], cost: Cost) -> list[Variant]:
    """Variants that no other beats in cost and in accuracy, by rising cost; of equals the first."""
    points: dict[tuple[float, float], Variant] = {}
    for variant in variants:
        points.setdefault((cost(variant), -comparison.decides(variant.model)), variant)
    costs = np.array(list(points)).reshape(-1, 2)
    return [points[point] for point in sorted(compress(points, front(costs)))]


def _name(curve: Curve, done: Comparison) -> str:
    """Label of a curve; with its width where no other family has that width."""
    shared = sum(other.weight_width == curve.weight_width for other in done.curves)
    return curve.label if shared > 1 else f"{curve.label}, {curve.weight_width} b"


def _images(done: Comparison) -> str:
    return "images held out" if done.is_held_out else "test images"
