"""Picture of break-even: speedup over a dense array against the pruned portion."""

from __future__ import annotations

from pathlib import Path

from matplotlib.ticker import StrMethodFormatter

from hwsim.cost.breakeven import PUBLISHED, BreakEven
from hwsim.report.style import colours, figure, save

__all__ = ["speedup_by_portion"]


def speedup_by_portion(layers: list[BreakEven], folder: Path) -> Path:
    """Draw one line per layer and kind of activations, and dashed ADMM-NN's AlexNet conv4."""
    fig, ax = figure()
    for each, colour in zip(layers, colours(len(layers)), strict=True):
        pruned = [100 * point.pruned for point in each.points]
        speedups = [point.speedup for point in each.points]
        label = f"{each.layer}, {each.acts}"
        ax.plot(pruned, speedups, marker="o", markersize=3, color=colour, label=label)
        if each.portion:
            ax.plot([100 * each.portion], [1.0], marker="D", color=colour)
    ax.plot(
        [100 * portion for portion in PUBLISHED],
        list(PUBLISHED.values()),
        linestyle="--",
        color="black",
        label="ADMM-NN, figure 4: AlexNet conv4, equal area, 40 nm",
    )
    ax.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.set_xlabel("weights pruned in %")
    ax.set_ylabel(f"speedup over {layers[0].dense}")
    ax.set_title(f"{layers[0].arch}: break-even pruning (diamonds)")
    ax.legend()
    return save(fig, folder / "breakeven.png")
