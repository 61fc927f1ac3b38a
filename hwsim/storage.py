"""Stored bits of a network's weights in the format of each design."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim import workload
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import CONFIGS
from hwsim.formats import measure
from hwsim.formats.base import Bits

__all__ = ["measure_designs"]

Matrices = dict[str, list[NDArray[np.integer]]]


def measure_designs(weights: str, designs: list[ArchConfig], seed: int = 0) -> dict[str, Any]:
    """Bits by kind of a checkpoint's or a synthetic network's weights, for each design's format.

    Parameters
    ----------
    weights
        Name or path of a checkpoint or of a network.
    """
    return {
        "name": Path(weights).stem,
        "designs": [
            _measure_design(design, _matrices(weights, design, seed)) for design in designs
        ],
    }


def _measure_design(design: ArchConfig, layers: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    rows = []
    total = Bits()
    for name, matrices in layers:
        bits = reduce(add, (measure(design, m, (m.shape[0], m.shape[1])) for m in matrices))
        total += bits
        rows.append(_row(name, sum(m.size for m in matrices), sum(map(_nonzeros, matrices)), bits))
    weights, nonzeros = (sum(row[key] for row in rows) for key in ("weights", "nonzeros"))
    return {
        "arch": design.name,
        "family": design.array.family,
        "weight_width": design.numbers.weight_width,
        "layers": rows,
        "total": _row("total", weights, nonzeros, total),
    }


def _matrices(
    weights: str, design: ArchConfig, seed: int
) -> Iterator[tuple[str, list[NDArray[np.integer]]]]:
    is_network = weights.endswith((".yaml", ".yml")) or (
        (CONFIGS / "network" / f"{weights}.yaml").is_file()
    )
    if is_network:
        for shape in NetworkConfig.read(weights).shapes():
            if shape.has_weights:
                yield shape.layer.name, workload.synthetic_weight(shape, design.numbers, seed)
        return
    from hwsim import lowering
    from hwsim.checkpoint import Checkpoint
    from hwsim.shipped import find_checkpoint

    checkpoint = Checkpoint.read(find_checkpoint(weights))
    for shape in NetworkConfig.read(checkpoint.network).shapes():
        if shape.has_weights:
            name = shape.layer.name
            yield name, lowering.lower_weight(shape, checkpoint.layers[name].weight)


def _nonzeros(matrix: NDArray[np.integer]) -> int:
    return int(np.count_nonzero(matrix))


def _row(name: str, weights: int, nonzeros: int, bits: Bits) -> dict[str, Any]:
    return {"layer": name, "weights": weights, "nonzeros": nonzeros, "bits": bits.to_dict()}
