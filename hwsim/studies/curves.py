"""Draw accuracy against cost, one line per family of a comparison."""

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
from hwsim.studies.comparison import Comparison, Curve, Variant

__all__ = [
    "STORED", "accuracy_by_bits", "accuracy_by_cycles", "cycles_label", "front_of", "groups_of",
    "heights", "images_label", "name_of", "own_kb", "shades", "stored_kb",
]  # fmt: skip

Cost = Callable[[Variant], float]

#: Range of the accuracy axis below the baseline, in bounds: a wider one would flatten the curves.
REACH = 6


#: Label of an axis of stored weights.
STORED = "stored weights with indices in KB (1000 bytes)"


def stored_kb(variant: Variant) -> float:
    """KB of 1000 bytes in the format of the design."""
    return variant.result.bits.total / 8000


def own_kb(variant: Variant) -> float:
    """KB in the smallest format that there is, each layer in its own bits."""
    return variant.model.own[1].total / 8000


def cycles_label(comparison: Comparison) -> str:
    """Label of an axis of cycles."""
    return f"cycles for {comparison.config.images} images"


def accuracy_by_bits(comparison: Comparison, folder: Path) -> Path:
    """Draw accuracy against stored kilobytes in the format of each design; return the PNG."""
    return _draw(comparison, stored_kb, STORED, folder / "accuracy_by_bits.png", own_kb)


def accuracy_by_cycles(comparison: Comparison, folder: Path) -> Path:
    """Draw accuracy against cycles for the study's images; return the PNG."""
    path = folder / "accuracy_by_cycles.png"
    return _draw(comparison, lambda v: float(v.result.cycles), cycles_label(comparison), path)


def groups_of(comparison: Comparison) -> dict[str, list[Curve]]:
    """Families of each panel: one for each width that several share, one for all other widths."""
    curves = {
        width: [c for c in comparison.curves if c.weight_width == width]
        for width in comparison.widths
    }
    groups = {f"weights of {width} bits": own for width, own in curves.items() if len(own) > 1}
    others = [curve for own in curves.values() if len(own) == 1 for curve in own]
    if others:
        groups["other widths" if groups else ""] = others
    return groups


def shades(comparison: Comparison) -> dict[str, str]:
    """Colour of each family, by its label."""
    names = list(dict.fromkeys(name_of(curve, comparison) for curve in comparison.curves))
    return dict(zip(names, colours(len(names)), strict=True))


def heights(comparison: Comparison, low: float, high: float) -> tuple[float, float]:
    """Range of an axis of accuracy for points from ``low`` to ``high``, the lowest left out."""
    bound = comparison.config.accuracy_bound
    reference = comparison.decides(comparison.baseline.model)
    low = min(max(low, reference - REACH * bound), reference - 1.5 * bound)
    return low, max(high, reference + 0.5 * bound)


def _draw(
    comparison: Comparison,
    cost: Cost,
    label: str,
    path: Path,
    arrayless: Cost | None = None,
) -> Path:
    """Draw the panels of :func:`groups_of`.

    ``arrayless`` is another cost of non-structured models, for which they get a dotted line.
    """
    groups, colour = groups_of(comparison), shades(comparison)
    figure, grid = panels(1, len(groups), (SIZE[0] * max(1.0, 0.62 * len(groups)), SIZE[1] + 0.5))
    costs = [each(variant) for each in (cost, arrayless) if each for variant in comparison.variants]
    for axes, (title, panel_curves) in zip(grid, groups.items(), strict=True):
        axes.set_title(title, loc="left")
        axes.set_xlabel(label)
        axes.set_ylabel(f"accuracy in %, {images_label(comparison)}")
        axes.set_xscale("log")
        axes.set_xlim(min(costs) / 1.4, max(costs) * 1.4)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        for curve in panel_curves:
            _draw_curve(axes, comparison, curve, cost, colour[name_of(curve, comparison)])
        if arrayless is not None:
            _draw_arrayless(axes, comparison, panel_curves, arrayless)
        _draw_bound(axes, comparison)
    _draw_legend(figure, colour)
    for axes, panel_curves in zip(grid, groups.values(), strict=True):
        fronts = [
            v
            for curve in panel_curves
            for v in front_of(comparison, comparison.curves[curve], cost)
        ]
        visible = [v for v in fronts if comparison.decides(v.model) >= axes.get_ylim()[0]]
        labels = [
            (cost(v), comparison.decides(v.model), f"{v.model.factor:.0f}x")
            for v in visible
            if v.model.kind != "dense"
        ]
        points = [
            (cost(v), comparison.decides(v.model))
            for c in panel_curves
            for v in comparison.curves[c]
        ]
        place(axes, labels, points, toward=(-1, 1))
    return save(figure, path)


def _draw_curve(axes: Axes, comparison: Comparison, curve: Curve, cost: Cost, shade: str) -> None:
    variants = comparison.curves[curve]
    best = front_of(comparison, variants, cost)
    axes.scatter(
        [cost(v) for v in variants], [comparison.decides(v.model) for v in variants],
        s=14, facecolors="none", edgecolors=shade, alpha=0.7,
    )  # fmt: skip
    axes.plot(
        [cost(v) for v in best], [comparison.decides(v.model) for v in best],
        color=shade, marker="o", markersize=4, linewidth=1.3,
    )  # fmt: skip
    chosen = comparison.chosen.get((curve.kind, curve.weight_width))
    ringed = [v for v in variants if chosen is not None and v.model.name == chosen.name]
    if ringed:
        ring = min(ringed, key=cost)
        axes.scatter(
            [cost(ring)], [comparison.decides(ring.model)],
            s=80, facecolors="none", edgecolors="black", linewidths=0.9, zorder=4,
        )  # fmt: skip


def _draw_arrayless(
    axes: Axes, comparison: Comparison, panel_curves: list[Curve], cost: Cost
) -> None:
    variants = [v for curve in panel_curves for v in comparison.curves[curve]]
    best = front_of(comparison, [v for v in variants if v.model.kind == "nonstructured"], cost)
    axes.plot(
        [cost(v) for v in best], [comparison.decides(v.model) for v in best],
        color="black", marker=".", markersize=4, linewidth=0.9, linestyle=":",
    )  # fmt: skip


def _draw_bound(axes: Axes, comparison: Comparison) -> None:
    bound = comparison.config.accuracy_bound
    reference = comparison.decides(comparison.baseline.model)
    axes.axhline(reference - bound, color="black", linewidth=0.9, linestyle="--")
    axes.set_ylim(*heights(comparison, *axes.get_ylim()))


def _draw_legend(figure: Figure, colour: dict[str, str]) -> None:
    handles = [
        Line2D([], [], color=shade, marker="o", label=name) for name, shade in colour.items()
    ]
    handles.append(Line2D([], [], color="black", linestyle="--", linewidth=0.9, label="bound"))
    chosen = Line2D([], [], color="black", linestyle="", marker="o", label="chosen")
    chosen.set_markerfacecolor("none")
    chosen.set_markersize(9)
    figure.legend(
        handles=[*handles, chosen],
        ncols=5,
        loc="outside upper center",
        fontsize=8,
        frameon=False,
    )


def front_of(comparison: Comparison, variants: Iterable[Variant], cost: Cost) -> list[Variant]:
    """Variants that no other beats in cost and in accuracy, by rising cost; of equals the first."""
    points: dict[tuple[float, float], Variant] = {}
    for variant in variants:
        points.setdefault((cost(variant), -comparison.decides(variant.model)), variant)
    costs = np.array(list(points)).reshape(-1, 2)
    return [points[point] for point in sorted(compress(points, front(costs)))]


def name_of(curve: Curve, comparison: Comparison) -> str:
    """Label of a curve; with its width where no other family has that width."""
    shared = sum(other.weight_width == curve.weight_width for other in comparison.curves)
    return curve.label if shared > 1 else f"{curve.label}, {curve.weight_width} b"


def images_label(comparison: Comparison) -> str:
    """Images that accuracies are of."""
    return "images held out" if comparison.is_held_out else "test images"
