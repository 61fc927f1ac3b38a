"""Picture of energy: one bar per layer, one colour per part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwsim.cost.energy import Energy
from hwsim.report.style import SIZE, colours, figure, save

__all__ = ["energy_by_layer"]


def energy_by_layer(energy: Energy, folder: Path) -> Path:
    """Draw stacked bars: nJ per layer by part, array first, what feeds it last."""
    names = [layer.name for layer in energy.result.layers]
    fig, ax = figure((SIZE[0], 1.6 + 0.3 * len(names)))
    left = np.zeros(len(names))
    for part, colour in zip(energy.parts, colours(len(energy.parts)), strict=True):
        values = np.array([layer.get(part, 0.0) / 1e3 for layer in energy.layers])
        ax.barh(names, values, left=left, label=part, color=colour)
        left += values
    ax.invert_yaxis()
    ax.set_xlabel(f"{energy.title}")
    ax.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=7)
    return save(fig, folder / "energy.png")
