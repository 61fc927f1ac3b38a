"""Published model sizes rebuilt: synthetic masks of the stated counts, in the relative format.

The published sizes count one index for each kept weight, about as wide as the logarithm of the mean
gap, and no padding. So each mask is measured as the paper counts (values and indices, padding
apart), with the padding that it needs at those widths, and at the widths that minimise the whole.
The paper's levels have no zero, so padding is marked by the index
(:mod:`hwsim.formats.generic.relative`). The entropy of the mask stands beside them: no format
stores a uniformly random mask in less.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.config.jobs.storage import KeptLayer, StorageConfig, StorageRow
from hwsim.errors import InputError
from hwsim.formats.base import Bits, index_width
from hwsim.formats.generic.relative import best_width, gaps, size_of_gaps
from hwsim.report.result import Result
from hwsim.workload.random import positions

__all__ = ["LayerSize", "PublishedSizes", "RowSize", "run"]


@dataclass(frozen=True)
class LayerSize:
    """One layer's synthetic mask: at the index width of the table, and at the best one."""

    name: str
    weights: int
    kept: int
    weight_bits: int
    index_bits: int
    bits: Bits
    best_bits: int
    best: Bits
    #: Bits that tell this mask from all others with the same number of non-zeros.
    entropy: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "layer": self.name,
            "weights": self.weights,
            "kept": self.kept,
            "weight_bits": self.weight_bits,
            "index_bits": self.index_bits,
            "bits": self.bits.to_dict(),
            "best_index_bits": self.best_bits,
            "best_bits": self.best.to_dict(),
            "entropy_bits": self.entropy,
        }


@dataclass(frozen=True)
class RowSize:
    """One network of the table beside what is published. Sizes in KB of 1000 bytes."""

    row: StorageRow
    layers: list[LayerSize]

    @property
    def kept(self) -> int:
        """Weights that are not zero."""
        return sum(layer.kept for layer in self.layers)

    @property
    def data_kb(self) -> float:
        """Values alone."""
        return sum(layer.best.values for layer in self.layers) / 8000

    @property
    def indexed_kb(self) -> float:
        """Values and indices, padding apart: what the paper counts."""
        return sum(layer.bits.values + layer.bits.indices for layer in self.layers) / 8000

    @property
    def padded_kb(self) -> float:
        """The same with the padding that these masks need at these widths."""
        return sum(layer.bits.total for layer in self.layers) / 8000

    @property
    def best_kb(self) -> float:
        """Everything, padding counted, at the widths that minimise it."""
        return sum(layer.best.total for layer in self.layers) / 8000

    @property
    def bound_kb(self) -> float:
        """Values, and the entropy of the mask: the least that any index can do."""
        return self.data_kb + sum(layer.entropy for layer in self.layers) / 8000

    @property
    def differences(self) -> tuple[float, float]:
        """Relative differences from the published sizes: data, and with indices."""
        published = self.row.published
        return self.data_kb / published.data_kb - 1, self.indexed_kb / published.indexed_kb - 1

    @property
    def passed(self) -> bool:
        """Whether both differences are within the row's tolerance, where it has one."""
        tolerance = self.row.tolerance
        return tolerance is None or max(map(abs, self.differences)) <= tolerance

    def explanation(self) -> str:
        """Say where the differences come from: kept weights, bits of each, index bits of each."""
        published, kept = self.row.published, self.kept
        bits, theirs = 8000 / kept, 8000 / published.weights
        return (
            f"weights {kept / published.weights - 1:+.1%}; bits of a weight "
            f"{self.data_kb * bits:.2f} against {published.data_kb * theirs:.2f}, of its index "
            f"{(self.indexed_kb - self.data_kb) * bits:.2f} against "
            f"{(published.indexed_kb - published.data_kb) * theirs:.2f} "
            f"(entropy {(self.bound_kb - self.data_kb) * bits:.2f}). {self.row.note}"
        ).strip()

    def to_dict(self) -> dict[str, Any]:
        """Plain data: one row of ``results.json``."""
        return {
            "name": self.row.name,
            "network": self.row.network,
            "kept": self.kept,
            "kept_published": self.row.published.weights,
            "data_kb": self.data_kb,
            "data_kb_published": self.row.published.data_kb,
            "data_difference": self.differences[0],
            "indexed_kb": self.indexed_kb,
            "padded_kb": self.padded_kb,
            "best_kb": self.best_kb,
            "bound_kb": self.bound_kb,
            "indexed_kb_published": self.row.published.indexed_kb,
            "indexed_difference": self.differences[1],
            "tolerance": self.row.tolerance,
            "passed": self.passed,
            "explanation": self.explanation(),
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer: bits by kind, index widths, entropy."""
        rows = []
        for layer in self.layers:
            row: dict[str, Any] = {"network": self.row.name}
            for key, value in layer.to_dict().items():
                if isinstance(value, dict):
                    row |= {f"{key}.{kind}": bits for kind, bits in value.items()}
                else:
                    row[key] = value
            rows.append(row)
        return rows


@dataclass(frozen=True)
class PublishedSizes(Result):
    """Every network of a table of published sizes, rebuilt."""

    config: StorageConfig
    rows: list[RowSize]

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.config.title} (seed {self.config.seed})"

    @property
    def passed(self) -> bool:
        """Whether every row with a tolerance is within it."""
        return all(row.passed for row in self.rows)

    def answer(self) -> str:
        """One sentence for each row that is held to its published sizes."""
        return " ".join(
            f"{row.row.name}: {'within' if row.passed else 'NOT within'} {row.row.tolerance:.0%} "
            f"of both published sizes (data {row.differences[0]:+.1%}, with indices "
            f"{row.differences[1]:+.1%})."
            for row in self.rows
            if row.row.tolerance is not None
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "name": self.config.name,
            "source": self.config.source,
            "seed": self.config.seed,
            "passed": self.passed,
            "answer": self.answer(),
            "rows": [row.to_dict() for row in self.rows],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per network and layer."""
        return [row for network in self.rows for row in network.to_rows()]


def run(
    config: StorageConfig, progress: Callable[[str], None] = lambda what: None
) -> PublishedSizes:
    """Measure every row.

    Raises
    ------
    InputError
        A row's layers are not its network's.
    """
    rows = []
    for index, row in enumerate(config.rows):
        progress(row.name)
        try:
            layers = row.kept_layers()
        except ValueError as error:
            raise InputError(config.name, f"rows.{index}", row.name, str(error)) from error
        rows.append(RowSize(row, [_measure(config.seed, row, *layer) for layer in layers]))
    return PublishedSizes(config, rows)


def _measure(seed: int, row: StorageRow, layer: KeptLayer, weights: int) -> LayerSize:
    rng = np.random.default_rng([seed, zlib.crc32(f"{row.name}.{layer.name}".encode())])
    kept = max(1, round(layer.kept * weights))
    gap = gaps(positions(rng, weights, kept))
    width = layer.index_bits
    if width == "gap":
        width = index_width(math.ceil(weights / kept))
    best = best_width(gap, layer.weight_bits, has_zero=False)
    return LayerSize(
        name=layer.name,
        weights=weights,
        kept=kept,
        weight_bits=layer.weight_bits,
        index_bits=width,
        bits=size_of_gaps(gap, width, layer.weight_bits, has_zero=False),
        best_bits=best,
        best=size_of_gaps(gap, best, layer.weight_bits, has_zero=False),
        entropy=_log2_choose(weights, kept),
    )


def _log2_choose(n: int, k: int) -> float:
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2)
