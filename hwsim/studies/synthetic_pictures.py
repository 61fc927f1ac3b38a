"""Pictures of a study of synthetic weights; every title says that the weights are synthetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import StrMethodFormatter

from hwsim.checkpoints.synthetic import mark
from hwsim.cost.storage import KINDS
from hwsim.report.style import colours, figure, save
from hwsim.studies.synthetic import SyntheticStudy

__all__ = ["cycles_by_density", "stored_by_kind"]


def cycles_by_density(study: SyntheticStudy, folder: Path) -> Path:
    """Grouped bars: cycles of each variant, one bar for each density of activations."""
    fig, ax = figure((7.2, 1.4 + 0.42 * len(study.variants)))
    densities = study.config.act_densities
    height = 0.8 / len(densities)
    rows = np.arange(len(study.variants))
    for index, (density, colour) in enumerate(zip(densities, colours(len(densities)), strict=True)):
        cycles = [v.results[density].cycles / 1e6 for v in study.variants]
        y = rows + (index + 0.5) * height - 0.4
        ax.barh(y, cycles, height, color=colour, label=f"activations {density:.0%} non-zero")
    ax.set_yticks(rows, [v.name for v in study.variants])
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.set_xlabel(f"million cycles for {study.config.images} image(s)")
    ax.set_title(f"{mark(study.network.name)}, {study.multipliers} multipliers")
    ax.legend(loc="lower right")
    return save(fig, folder / "cycles_by_density.png")


def stored_by_kind(study: SyntheticStudy, folder: Path) -> Path:
    """Stacked bars: stored megabytes of each variant by kind."""
    fig, ax = figure((7.2, 1.4 + 0.32 * len(study.variants)))
    names = [v.name for v in study.variants]
    left = np.zeros(len(names))
    for kind, colour in zip(KINDS, colours(len(KINDS)), strict=True):
        megabytes = np.array([v.bits.to_dict()[kind] / 8e6 for v in study.variants])
        ax.barh(names, megabytes, left=left, label=kind, color=colour)
        left += megabytes
    ax.invert_yaxis()
    ax.set_xlabel("stored weights in MB (1,000,000 bytes)")
    ax.set_title(mark(study.network.name))
    ax.legend(ncols=len(KINDS), loc="lower right")
    return save(fig, folder / "stored_by_kind.png")
