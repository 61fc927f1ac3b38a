"""Pictures of stored bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hwsim.cost.published_sizes import PublishedSizes
from hwsim.cost.storage import KINDS, Storage
from hwsim.report.style import SIZE, colours, figure, save

__all__ = ["bits_by_format", "published_sizes"]


def bits_by_format(storage: Storage, folder: Path) -> Path:
    """Stacked bars: kilobytes of the network by kind, one bar per format, plain weights on top."""
    sizes = storage.fitting
    names = ["plain", *(size.name for size in sizes)]
    kinds = [storage.plain, *(size.total for size in sizes)]
    fig, ax = figure((SIZE[0], 1.2 + 0.27 * len(names)))
    left = np.zeros(len(names))
    for kind, colour in zip(KINDS, colours(len(KINDS)), strict=True):
        kilobytes = np.array([bits.to_dict()[kind] / 8000 for bits in kinds])
        ax.barh(names, kilobytes, left=left, label=kind, color=colour)
        left += kilobytes
    ax.invert_yaxis()
    ax.set_xlabel(f"{storage.title}: stored weights in KB (1000 bytes)")
    ax.legend(ncols=len(KINDS), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return save(fig, folder / "bits_by_format.png")


def published_sizes(table: PublishedSizes, folder: Path) -> Path:
    """Grouped bars: bits of a kept weight, published and rebuilt, data below and index above."""
    fig, ax = figure()
    names = [row.row.name for row in table.rows]
    bars = {
        "published": [
            (p.data_kb * 8000 / p.weights, (p.indexed_kb - p.data_kb) * 8000 / p.weights)
            for p in (row.row.published for row in table.rows)
        ],
        "rebuilt, no padding": [
            _per_weight(row.kept, row.data_kb, row.indexed_kb) for row in table.rows
        ],
        "rebuilt, padding": [_per_weight(row.kept, row.data_kb, row.best_kb) for row in table.rows],
        "entropy": [_per_weight(row.kept, row.data_kb, row.bound_kb) for row in table.rows],
    }
    width = 0.8 / len(bars)
    for index, ((label, pairs), colour) in enumerate(
        zip(bars.items(), colours(len(bars)), strict=True)
    ):
        x = np.arange(len(names)) + (index + 0.5) * width - 0.4
        data, index = np.array(pairs).T
        ax.bar(x, data, width, color=colour, alpha=0.5)
        ax.bar(x, index, width, bottom=data, label=label, color=colour)
    ax.set_xticks(np.arange(len(names)), names)
    ax.set_ylabel("bits of a kept weight: value (pale) and index")
    ax.legend(ncols=len(bars), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return save(fig, folder / "published_sizes.png")


def _per_weight(kept: int, data_kb: float, all_kb: float) -> tuple[float, float]:
    return data_kb * 8000 / kept, (all_kb - data_kb) * 8000 / kept
