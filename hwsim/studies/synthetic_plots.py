"""Plots of a study of synthetic weights for its page."""

from __future__ import annotations

from hwsim.checkpoints.synthetic import mark
from hwsim.cost.storage import KINDS
from hwsim.report.plots.bars import Bar, Bars
from hwsim.report.plots.detail import Detail
from hwsim.report.style import colours
from hwsim.studies.synthetic import SyntheticStudy, Variant

__all__ = ["cycles_by_density", "stored_by_kind"]


def cycles_by_density(study: SyntheticStudy) -> Bars:
    """Cycles of each variant, one bar for each density of activations."""
    densities = study.config.act_densities
    names = {density: f"activations {density:.0%} non-zero" for density in densities}
    bars = [
        Bar(
            f"{variant.name}, {names[density]}",
            {names[density]: variant.results[density].cycles / 1e6},
            _detail(study, variant),
        )
        for variant in study.variants
        for density in densities
    ]
    shade = dict(zip(names.values(), colours(len(names)), strict=True))
    return Bars(bars, "million cycles", shade, digits=2)


def stored_by_kind(study: SyntheticStudy) -> Bars:
    """Stored megabytes of each variant by kind."""
    bars = []
    for variant in study.variants:
        bits = variant.bits.to_dict()
        parts = {kind: bits[kind] / 8e6 for kind in KINDS}
        bars.append(Bar(variant.name, parts, _detail(study, variant)))
    return Bars(bars, "MB", dict(zip(KINDS, colours(len(KINDS)), strict=True)), digits=2)


def _detail(study: SyntheticStudy, variant: Variant) -> Detail:
    says = [f"{variant.name} on {variant.arch.name}"]
    rows: list[list[object]] = [
        ["design", f"{variant.arch.name}: {variant.arch.description}"],
        ["weights", mark(variant.config.recipe or "dense")],
        ["weights left", variant.nonzeros],
        ["stored, MB", f"{variant.bits.total / 8e6:.2f}"],
    ]
    for density, result in variant.results.items():
        speedup = f"{study.speedup(variant, density):.2f}x"
        says.append(f"{density:.0%} act: {result.cycles:,} cycles, {speedup}")
        rows += [
            [f"cycles, {density:.0%} act", result.cycles],
            [f"speedup, {density:.0%} act", speedup],
            [f"utilization, {density:.0%} act", result.utilization],
        ]
    return Detail(variant.name, says, ["measure", "value"], rows)
