"""Pictures of a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import StrMethodFormatter

from hwsim.arrays.counts import Counts
from hwsim.report.style import colours, figure, save
from hwsim.studies.comparison import Comparison
from hwsim.studies.published import Check

__all__ = [
    "bits_by_kind", "cycles_by_cause", "efficiency_by_depth", "mean_causes", "speedup_by_layer",
    "speedups",
]  # fmt: skip


def cycles_by_cause(comparison: Comparison, folder: Path) -> Path:
    """Stacked bars: cycles of each family's best by what its array, or mean PE, spends them on.

    A cause of less than half a per cent of every variant is drawn under *other*.
    """
    fig, ax = figure((9.0, 1.6 + 0.32 * len(comparison.best)))
    names = [v.name for v in comparison.best]
    spent = [mean_causes(v.result.counts) for v in comparison.best]
    causes = list(dict.fromkeys(cause for shares in spent for cause in shares))
    left = np.zeros(len(names))
    for cause, colour in zip(causes, colours(len(causes)), strict=True):
        cycles = np.array([shares.get(cause, 0.0) for shares in spent])
        ax.barh(names, cycles, left=left, label=cause, color=colour)
        left += cycles
    ax.invert_yaxis()
    ax.set_xlabel(f"cycles for {comparison.config.images} images")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    fig.legend(ncols=6, loc="outside upper center", fontsize=8, frameon=False)
    return save(fig, folder / "cycles_by_cause.png")


def mean_causes(counts: Counts) -> dict[str, float]:
    """Cycles by cause of the innermost group, its mean member; small causes are added up."""
    totals = list(counts.causes.values())[-1]
    members = sum(totals.values()) / max(1, counts.cycles)
    shares: dict[str, float] = {}
    for cause, total in totals.items():
        small = total < 0.005 * members * counts.cycles
        name = "other" if small else cause
        shares[name] = shares.get(name, 0.0) + total / max(1.0, members)
    return {cause: share for cause, share in shares.items() if share}


def bits_by_kind(comparison: Comparison, folder: Path) -> Path:
    """Stacked bars: stored kilobytes of each family's best by kind."""
    fig, ax = figure((9.0, 1.6 + 0.28 * len(comparison.best)))
    names = [v.name for v in comparison.best]
    left = np.zeros(len(names))
    for kind, colour in zip(("values", "indices", "pointers", "padding"), colours(4), strict=True):
        kilobytes = np.array([v.result.bits.to_dict()[kind] / 8000 for v in comparison.best])
        ax.barh(names, kilobytes, left=left, label=kind, color=colour)
        left += kilobytes
    ax.invert_yaxis()
    ax.set_xlabel("stored weights in KB (1000 bytes)")
    fig.legend(ncols=4, loc="outside upper center", fontsize=8, frameon=False)
    return save(fig, folder / "bits_by_kind.png")


def speedup_by_layer(comparison: Comparison, folder: Path) -> Path:
    """Map of speedups over the baseline: one row for each family's best, one column per layer."""
    fig, ax = figure((9.0, 1.2 + 0.28 * len(comparison.best)))
    labels, rows = speedups(comparison)
    values = np.array(rows)
    logs = np.log2(values)
    bound = max(1.0, float(np.abs(logs).max()))
    ax.imshow(logs, aspect="auto", cmap="RdBu", vmin=-bound, vmax=bound)
    for (row, column), speedup in np.ndenumerate(values):
        dark = abs(logs[row, column]) > 0.6 * bound
        text = f"{speedup:.2f}"
        ax.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    ax.set_xticks(np.arange(len(labels)), labels)
    ax.set_yticks(np.arange(len(comparison.best)), [v.name for v in comparison.best])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    ax.set_title(f"speedup over {comparison.baseline.name}")
    return save(fig, folder / "speedup_by_layer.png")


def speedups(comparison: Comparison) -> tuple[list[str], list[list[float]]]:
    """Names of the layers, and of each family's best its speedup over the baseline there."""
    baseline = comparison.baseline.result.layers
    found = [
        [
            *(
                before.cycles / max(1, layer.cycles)
                for before, layer in zip(baseline, variant.result.layers, strict=True)
            ),
            comparison.speedup(variant),
        ]
        for variant in comparison.best
    ]
    return [*(layer.name for layer in baseline), "total"], found


def efficiency_by_depth(check: Check, folder: Path) -> Path:
    """Lines: load-balance efficiency of each layer against the depth of the activation queue."""
    fig, ax = figure()
    for layer, colour in zip(check.layers, colours(len(check.layers)), strict=True):
        depths = sorted(layer.efficiency)
        values = [layer.efficiency[d] for d in depths]
        ax.plot(depths, values, marker="o", label=layer.layer.name, color=colour)
    ax.axvline(check.knee, color="black", linewidth=0.8, linestyle=":")
    ax.set_xscale("log", base=2)
    ax.set_xticks(depths, [str(d) for d in depths])
    ax.set_ylim(0, 1)
    ax.set_xlabel("activation queue depth")
    ax.set_ylabel("load-balance efficiency")
    ax.legend()
    return save(fig, folder / "efficiency_by_depth.png")
