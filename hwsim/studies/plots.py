"""Plots of a comparison for its page: every mark stands for a variant, and shows its figures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from hwsim.report.plots.bars import Bar, Bars
from hwsim.report.plots.detail import Detail
from hwsim.report.plots.heat import Heat, HeatCell, HeatPanel
from hwsim.report.plots.scatter import Level, Panel, Point, Scatter, Series
from hwsim.report.style import colours
from hwsim.studies import curves, pictures
from hwsim.studies.comparison import Comparison, Curve, Variant

__all__ = ["ComparisonPlots"]

Cost = Callable[[Variant], float]

#: Kinds of stored bits.
BITS = ("values", "indices", "pointers", "padding")


class ComparisonPlots:
    """Plots of a comparison.

    Parameters
    ----------
    comparison
        What is drawn; the pictures of :mod:`hwsim.studies.curves` and of
        :mod:`hwsim.studies.pictures` have the same marks.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    @cached_property
    def details(self) -> dict[str, Detail]:
        """What a mark of each variant says and shows, by the variant's name."""
        return {variant.name: self._detail(variant) for variant in self.comparison.variants}

    def accuracy_by_bits(self) -> Scatter:
        """Accuracy against stored kilobytes."""
        return self._accuracy(curves.stored_kb, curves.STORED, curves.own_kb)

    def accuracy_by_cycles(self) -> Scatter:
        """Accuracy against cycles."""
        label = curves.cycles_label(self.comparison)
        return self._accuracy(lambda v: float(v.result.cycles), label)

    def cycles_by_cause(self) -> Bars:
        """Cycles of each family's best by what its array, or mean PE, spends them on."""
        best = self.comparison.best
        spent = [pictures.mean_causes(variant.result.counts) for variant in best]
        causes = list(dict.fromkeys(cause for shares in spent for cause in shares))
        bars = [self._bar(each, parts) for each, parts in zip(best, spent, strict=True)]
        shade = dict(zip(causes, colours(len(causes)), strict=True))
        return Bars(bars, "cycles", shade)

    def bits_by_kind(self) -> Bars:
        """Stored kilobytes of each family's best by kind."""
        bars = []
        for variant in self.comparison.best:
            bits = variant.result.bits.to_dict()
            bars.append(self._bar(variant, {kind: bits[kind] / 8000 for kind in BITS}))
        shade = dict(zip(BITS, colours(len(BITS)), strict=True))
        return Bars(bars, "KB", shade, digits=2)

    def speedup_by_layer(self) -> Heat:
        """Speedups over the baseline: a row for each family's best, a column per layer."""
        labels, rows = pictures.speedups(self.comparison)
        cells = [
            [HeatCell(f"{factor:.2f}", factor, self.details[variant.name]) for factor in row]
            for variant, row in zip(self.comparison.best, rows, strict=True)
        ]
        names = [variant.name for variant in self.comparison.best]
        panel = HeatPanel("", names, labels, cells)
        slower, faster = colours(2)[1], colours(2)[0]
        return Heat([panel], "variant", "layer", "slower", "faster", slower, faster)

    def _bar(self, variant: Variant, parts: dict[str, float]) -> Bar:
        return Bar(variant.name, parts, self.details[variant.name])

    def _accuracy(self, cost: Cost, label: str, arrayless: Cost | None = None) -> Scatter:
        comparison = self.comparison
        shade = curves.shades(comparison)
        accuracy = f"accuracy in %, {curves.images_label(comparison)}"
        reference = comparison.decides(comparison.baseline.model)
        level = Level(reference - comparison.config.accuracy_bound, "bound")
        panels = []
        for title, group in curves.groups_of(comparison).items():
            series = [
                self._series(curve, cost, shade[curves.name_of(curve, comparison)])
                for curve in group
            ]
            if arrayless is not None:
                series += self._arrayless(group, arrayless)
            points = [point.y for each in series for point in each.points]
            bottom, top = curves.heights(comparison, min(points) - 0.05, max(points) + 0.05)
            panels.append(Panel(title, label, accuracy, series, [level], bottom, top))
        return Scatter(panels)

    def _series(self, curve: Curve, cost: Cost, shade: str) -> Series:
        comparison = self.comparison
        variants = comparison.curves[curve]
        front = {variant.name for variant in curves.front_of(comparison, variants, cost)}
        chosen = comparison.chosen.get((curve.kind, curve.weight_width))
        ringed = [v for v in variants if chosen is not None and v.model.name == chosen.name]
        ring = min(ringed, key=cost).name if ringed else None
        points = []
        for variant in variants:
            is_named = variant.name in front and variant.model.kind != "dense"
            label = f"{variant.model.factor:.0f}x" if is_named else ""
            points.append(self._point(variant, cost, label, ringed=variant.name == ring))
        line = [p for p, v in zip(points, variants, strict=True) if v.name in front]
        line.sort(key=lambda point: (point.x, point.y))
        return Series(curves.name_of(curve, comparison), shade, points, line)

    def _arrayless(self, group: list[Curve], cost: Cost) -> list[Series]:
        """Non-structured models in the smallest format, whether an array consumes it or not."""
        variants = [
            variant
            for curve in group
            for variant in self.comparison.curves[curve]
            if variant.model.kind == "nonstructured"
        ]
        front = curves.front_of(self.comparison, variants, cost)
        points = [self._point(variant, cost) for variant in front]
        name = "non-structured, smallest format"
        return [Series(name, "#000000", points, points, dashed=True)] if points else []

    def _point(
        self, variant: Variant, cost: Cost, label: str = "", *, ringed: bool = False
    ) -> Point:
        accuracy = self.comparison.decides(variant.model)
        return Point(cost(variant), accuracy, self.details[variant.name], label, ringed)

    def _detail(self, variant: Variant) -> Detail:
        comparison, model, result = self.comparison, variant.model, variant.result
        images = comparison.config.images
        equal = "equal" if comparison.is_equal(model) else "not equal"
        says = [
            variant.name,
            f"{comparison.decides(model):.2f} % ({equal}), {model.factor:.1f}x fewer weights",
            f"{result.cycles:,} cycles for {images} images, {curves.stored_kb(variant):.2f} KB",
        ]
        rows: list[list[object]] = [
            ["model", model.name],
            ["design", f"{variant.arch.name}: {variant.arch.description}"],
            ["bits of a weight", model.weight_width],
            ["test images, %", f"{model.accuracy:.2f}"],
            ["weights left", f"{model.nonzeros:,}, {model.factor:.1f}x fewer"],
            [f"cycles for {images} images", result.cycles],
            ["speedup over the baseline", f"{comparison.speedup(variant):.2f}x"],
            ["utilization", result.utilization],
        ]
        rows += [
            [f"stored {kind}, KB", f"{bits / 8000:.2f}"]
            for kind, bits in result.bits.to_dict().items()
        ]
        if model.accuracy_heldout is not None:
            rows.insert(3, ["images held out, %", f"{model.accuracy_heldout:.2f}"])
        cost = variant.silicon
        if cost is not None:
            rows += [
                ["clock, MHz", f"{cost.mhz:.0f}"],
                ["us per image", f"{cost.microseconds / images:.1f}"],
                ["mm2 with memories", f"{cost.mm2:.3f}"],
                ["uJ per image", f"{cost.microjoules / images:.3f}"],
            ]
        group, causes = list(result.counts.causes.items())[-1]
        rows += [[f"{group}: {cause}", cycles] for cause, cycles in causes.items() if cycles]
        return Detail(variant.name, says, ["measure", "value"], rows)
