"""Plot of a published check for its page."""

from __future__ import annotations

from hwsim.report.plots.detail import Detail
from hwsim.report.plots.scatter import Panel, Point, Scatter, Series
from hwsim.report.style import colours
from hwsim.studies.published import Check, LayerCheck

__all__ = ["efficiency_by_depth"]


def efficiency_by_depth(check: Check) -> Scatter:
    """Load-balance efficiency of each layer against the depth of the activation queue."""
    series = []
    for layer, shade in zip(check.layers, colours(len(check.layers)), strict=True):
        detail = _detail(layer)
        points = [
            Point(depth, layer.efficiency[depth], detail) for depth in sorted(layer.efficiency)
        ]
        series.append(Series(layer.layer.name, shade, points, points))
    return Scatter([Panel("", "depth of the queue", "load-balance efficiency", series)])


def _detail(check: LayerCheck) -> Detail:
    rows = [[f"efficiency at depth {depth}", value] for depth, value in check.efficiency.items()]
    times = [
        ("theoretical", check.theoretical_us, check.layer.theoretical_us),
        ("actual", check.actual_us, check.layer.actual_us),
    ]
    says = [check.layer.name]
    for name, ours, theirs in times:
        says.append(f"{name} {ours:.2f} us, published {theirs:g} us")
        rows += [[f"{name} us", ours], [f"{name} us, published", theirs]]
    return Detail(check.layer.name, says, ["measure", "value"], rows)
