"""Break-even pruning ratio (ADMM-NN, section 5.1), measured by our own simulator.

Break-even is the pruned portion of a layer at which an index-decoding array takes no more cycles
than a dense array with the same number of multipliers takes for the whole layer. The smallest
weights are pruned first; equal ones in a random order, so that random weights give random masks.
Every portion prunes what the smaller ones prune, and cycles fall with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig, LayerShape, NumberConfig
from hwsim.cost.equal_area import EqualArea
from hwsim.cost.storage import designs_of
from hwsim.errors import InputError
from hwsim.formats import measure as stored
from hwsim.report.result import Result
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer
from hwsim.workload.random import random_layer

__all__ = [
    "PORTIONS",
    "PUBLISHED",
    "BreakEven",
    "BreakEvens",
    "Point",
    "dense_rival",
    "draw",
    "measure",
]

#: Pruned portions of the sweep.
PORTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)

#: ADMM-NN (ASPLOS 2019), figure 4: speedup of AlexNet conv4 at a pruned portion, read off the curve
#: (+-0.03), in SMIC 40 nm at equal area, clock and index SRAM counted.
PUBLISHED = {
    0.1: 0.07, 0.2: 0.20, 0.3: 0.34, 0.4: 0.53, 0.5: 0.80,
    0.6: 1.15, 0.7: 1.86, 0.8: 3.00, 0.9: 6.55,
}  # fmt: skip

#: Resolution of the pruned portion at break-even.
_RESOLUTION = 0.001


@dataclass(frozen=True)
class Point:
    """Cycles of the layer with a portion of its weights pruned."""

    pruned: float
    cycles: int
    speedup: float
    #: Speedup of an array of the same total area at its own clock, where areas are known.
    at_equal_area: float | None = None


@dataclass(frozen=True)
class BreakEven:
    """One layer on an index-decoding design against a dense one.

    ``pruned`` maps a needed speedup (1; or how many times larger the design is) to the smallest
    pruned portion that reaches it: 0.0 where the whole layer does, ``None`` where the sweep's last
    portion does not.
    """

    layer: str
    arch: str
    dense: str
    #: What the activations are, in words.
    acts: str
    dense_cycles: int
    points: list[Point]
    pruned: dict[float, float | None]
    #: Smallest portion at which an array of the same total area is as fast.
    pruned_at_equal_area: float | None = None

    @property
    def portion(self) -> float | None:
        """Pruned portion at which the layer is as fast as the dense one."""
        return self.pruned[1.0]

    def to_dict(self) -> dict[str, Any]:
        """Plain data: one row of ``results.json``."""
        return {
            "layer": self.layer,
            "arch": self.arch,
            "dense": self.dense,
            "activations": self.acts,
            "dense_cycles": self.dense_cycles,
            "break_even": self.portion,
            "break_even_by_speedup": {str(needed): at for needed, at in self.pruned.items()},
            "break_even_at_equal_area": self.pruned_at_equal_area,
            "points": [vars(point) for point in self.points],
        }


@dataclass(frozen=True)
class BreakEvens(Result):
    """Layers of a network on an index-decoding design against a dense one."""

    arch: ArchConfig
    dense: ArchConfig
    #: Batch.
    images: int
    #: Area of ``arch`` / area of ``dense``, where it is given.
    area: float | None
    layers: list[BreakEven]
    #: Process in which areas are equal, if any.
    technology: str | None = None

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.arch.name} against {self.dense.name}: speedup by pruned portion"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "arch": self.arch.name,
            "dense": self.dense.name,
            "images": self.images,
            "area": self.area,
            "technology": self.technology,
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer, kind of activations and pruned portion."""
        return [
            {
                "layer": layer.layer,
                "activations": layer.acts,
                "pruned": point.pruned,
                "cycles": point.cycles,
                "dense_cycles": layer.dense_cycles,
                "speedup": point.speedup,
                "at_equal_area": point.at_equal_area,
            }
            for layer in self.layers
            for point in layer.points
        ]


def dense_rival(arch: ArchConfig) -> ArchConfig:
    """Find the shipped weight-stationary dense design of equal multipliers and numbers.

    Raises
    ------
    InputError
        There is none, or more than one.
    """
    rivals = [
        design
        for design in designs_of(arch.array.multipliers)
        # without anything before the array, and without gated zeros or lists of folds
        if design.array.kind == "dense ws" and design.numbers == arch.numbers
        if not any(getattr(design.array, option) for option in design.array.PLANNED)
    ]
    if len(rivals) != 1:
        same = f"the multipliers and numbers of {arch.name}"
        rule = f"must be given: {len(rivals)} shipped designs have {same}"
        raise InputError("arguments", "dense", None, rule)
    return rivals[0]


def draw(
    shape: LayerShape, numbers: NumberConfig, images: int, act_density: float, seed: int = 0
) -> Layer:
    """Layer with operands: random weights without a zero, random activations."""
    layer = shape.layer.model_copy(update={"weight_density": 1.0, "act_density": act_density})
    return random_layer(replace(shape, layer=layer), numbers, images, seed)


def measure(
    arch: ArchConfig,
    dense: ArchConfig,
    layer: Layer,
    acts: str,
    needed: tuple[float, ...] = (1.0,),
    portions: tuple[float, ...] = PORTIONS,
    seed: int = 0,
    areas: EqualArea | None = None,
) -> BreakEven:
    """Sweep the pruned portion of one layer, and bisect where each ``needed`` speedup is reached.

    Parameters
    ----------
    layer
        Unpruned operands.
    acts
        What the activations are, for the report.
    needed
        Speedups; 1 is always among them.
    seed
        Of the order in which equal weights are pruned.
    areas
        Of the two designs, to compare them at equal total area as well.

    Raises
    ------
    InputError
        The designs differ in multipliers, or the layer does not fit one of them.
    """
    if arch.array.multipliers != dense.array.multipliers:
        rule = f"must have {arch.array.multipliers} multipliers, as {arch.name}"
        raise InputError(dense.name, "array", dense.array.multipliers, rule)
    gemms = layer.gemms()
    dense_cycles = sum(array_model(dense).count(dense, gemm).cycles for gemm in gemms)
    pruned = _pruner(gemms, seed)
    dense_bits = sum(gemm.M * gemm.K for gemm in gemms) * arch.numbers.weight_width

    def point(portion: float) -> Point:
        left = pruned(portion)
        count = sum(array_model(arch).count(arch, gemm).cycles for gemm in left)
        speedup = dense_cycles / max(1, count)
        if areas is None:
            return Point(portion, count, speedup)
        bits = sum(stored(arch, g.weight, (g.M, g.K), g.channels, layer.name).total for g in left)
        return Point(portion, count, speedup, speedup * areas.gain(bits, dense_bits))

    points = [point(portion) for portion in portions]
    at = {
        needed_: _crossing(
            portions, [p.speedup for p in points], needed_, lambda p: point(p).speedup
        )
        for needed_ in sorted({1.0, *needed})
    }
    equal = None
    if areas is not None:
        equal = _crossing(
            portions,
            [p.at_equal_area or 0.0 for p in points],
            1.0,
            lambda p: point(p).at_equal_area or 0.0,
        )
    return BreakEven(layer.name, arch.name, dense.name, acts, dense_cycles, points, at, equal)


def _pruner(gemms: list[GEMM], seed: int) -> Callable[[float], list[GEMM]]:
    """Layer with a portion of its weights pruned, as a function."""
    weights = [gemm.weight for gemm in gemms]
    flat = np.concatenate([np.abs(w.astype(np.int32)).ravel() for w in weights if w is not None])
    # rank of each weight in the order of pruning
    order = np.lexsort((np.random.default_rng(seed).random(len(flat)), flat))
    rank = np.empty(len(flat), dtype=np.int64)
    rank[order] = np.arange(len(flat))
    ends = np.cumsum([gemm.M * gemm.K for gemm in gemms])
    ranks: list[NDArray[np.int64]] = np.split(rank, ends[:-1])

    def pruned(portion: float) -> list[GEMM]:
        count = round(portion * len(flat))
        return [
            replace(gemm, weight=gemm.weight * (own.reshape(gemm.M, gemm.K) >= count))
            for gemm, own in zip(gemms, ranks, strict=True)
            if gemm.weight is not None
        ]

    return pruned


def _crossing(
    portions: Sequence[float],
    speedups: Sequence[float],
    needed: float,
    speedup: Callable[[float], float],
) -> float | None:
    """Smallest pruned portion that reaches a speedup, to :data:`_RESOLUTION`."""
    reached = next((n for n, each in enumerate(speedups) if each >= needed), None)
    if reached is None or reached == 0:
        return None if reached is None else portions[0]
    low, high = portions[reached - 1], portions[reached]
    while high - low > _RESOLUTION:
        middle = (low + high) / 2
        low, high = (low, middle) if speedup(middle) >= needed else (middle, high)
    return high
