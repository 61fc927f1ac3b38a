"""The effects that a comparison mixes, one at a time: weights, activations, batch, loading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hwsim.cost.system import load_cycles
from hwsim.engine.network import simulate
from hwsim.inference.operands import Operands, checkpoint_operands
from hwsim.studies.compare import count
from hwsim.studies.comparison import Comparison, Variant
from hwsim.studies.model import Model, read_checkpoint
from hwsim.studies.verdict_map import DECODING, SYSTOLIC, Cell
from hwsim.sweeps.store import Store

__all__ = [
    "ACTS",
    "PUBLISHED",
    "Effects",
    "Ratio",
    "at_equal_area",
    "at_equal_multipliers",
    "index_table",
    "measure",
    "ratio_table",
    "ratios",
]

#: Activations of the table: those of the images, and as many that are all non-zero.
ACTS = ("real", "all non-zero")
#: Name of the sum over layers that counts multiplications in place of weights.
WORK = "total, multiplications"
#: Pruned portion at which ADMM-NN (ASPLOS 2019, figure 4) breaks even, at equal area in 40 nm; and
#: the pruning ratio over the speedup that ADMM-NN-S (arXiv 1907.02124) reports, of non-structured
#: weights at least.
PUBLISHED = {"break-even": 0.55, "non-structured": 2.7, "structured": 1.0}


@dataclass(frozen=True)
class Effects:
    """Cycles of two models on two arrays, with real activations and with none that is zero.

    The arrays are those on which the study's two sides do best: one skips zero activations, the
    other does not. Both models run on both.
    """

    #: Kind of weights -> model, and side -> name of the array.
    models: dict[str, Model]
    arrays: dict[str, str]
    images: int
    #: (kind of weights, side, activations) -> cycles per image.
    cycles: dict[tuple[str, str, str], float]
    #: (kind of weights, side) -> cycles of one image by itself, and per image without loading.
    alone: dict[tuple[str, str], float]
    loaded: dict[tuple[str, str], float]

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Columns and rows of the 2 x 2 table, with both kinds of activations."""
        columns = ["weights", "activations"]
        columns += [f"{name}, {self._skips(side)}" for side, name in self.arrays.items()]
        columns += [f"{SYSTOLIC} / {DECODING}"]
        rows: list[list[object]] = []
        for kind, model in self.models.items():
            for acts in ACTS:
                found = [self.cycles[kind, side, acts] for side in (SYSTOLIC, DECODING)]
                shown = [f"{cycles:,.0f}" for cycles in found]
                rows.append([f"{model.name}", acts, *shown, f"{found[0] / found[1]:.2f}x"])
        return columns, rows

    def factors(self) -> dict[str, float]:
        """Effect -> cycles per image without it / with it: above 1 it saves cycles."""
        at, one = self.cycles, self.alone
        weights, plain = "nonstructured", "structured"
        skips, full = ACTS
        per_image = {key: at[*key, skips] for key in one}
        return {
            "non-structured in place of structured weights, index-decoding array": at[
                plain, DECODING, skips
            ]
            / at[weights, DECODING, skips],
            "the same, no activation being zero": at[plain, DECODING, full]
            / at[weights, DECODING, full],
            "zero activations, index-decoding array, non-structured weights": at[
                weights, DECODING, full
            ]
            / at[weights, DECODING, skips],
            "zero activations, systolic array, structured weights": at[plain, SYSTOLIC, full]
            / at[plain, SYSTOLIC, skips],
            "index-decoding in place of systolic array, structured weights, no activation "
            "being zero": at[plain, SYSTOLIC, full] / at[plain, DECODING, full],
            f"{self.images} images in place of one, index-decoding array": one[weights, DECODING]
            / per_image[weights, DECODING],
            f"{self.images} images in place of one, systolic array": one[plain, SYSTOLIC]
            / per_image[plain, SYSTOLIC],
            "no loading of weights, one image, index-decoding array": one[weights, DECODING]
            / self.loaded[weights, DECODING],
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "models": {kind: model.name for kind, model in self.models.items()},
            "arrays": self.arrays,
            "images": self.images,
            "cycles_per_image": [
                {"weights": kind, "array": side, "activations": acts, "cycles": cycles}
                for (kind, side, acts), cycles in self.cycles.items()
            ],
            "factors": self.factors(),
        }

    @staticmethod
    def _skips(side: str) -> str:
        return "skips zero activations" if side == DECODING else "does not skip"


@dataclass(frozen=True)
class Ratio:
    """Pruning ratio of a layer, or of all, and the speedup that it bought over the dense model."""

    layer: str
    pruning: float
    speedup: float

    @property
    def ppr(self) -> float:
        """Pruning ratio / speedup: 1 where each weight that is left out saves its time."""
        return self.pruning / self.speedup

    @property
    def break_even(self) -> float:
        """Pruned portion that such a ratio needs to be as fast as the dense model."""
        return max(0.0, 1 - 1 / self.ppr)


def measure(comparison: Comparison, store: Path | None = None) -> Effects | None:
    """Run the chosen models of both kinds on the best arrays of both sides.

    Returns
    -------
    Effects or None
        ``None`` where a side or a kind has no model of equal accuracy at the widest weights.
    """
    pair = _pair(comparison)
    if pair is None:
        return None
    models = {"structured": pair[0].model, "nonstructured": pair[1].model}
    archs = {SYSTOLIC: pair[0].arch, DECODING: pair[1].arch}
    images = comparison.config.images
    cycles, alone, loaded = {}, {}, {}
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory()) if store is None else ""
        known = stack.enter_context(Store.open(store or Path(folder) / "points.sqlite"))
        for kind, model in models.items():
            network = comparison.network
            checkpoint = read_checkpoint(model.source, network)
            full = _nonzero(checkpoint_operands(network, model.source, images))
            for side, arch in archs.items():
                real = count(known, network, arch, checkpoint, images)
                one = count(known, network, arch, checkpoint, 1)
                none = simulate(arch, network, full, images)
                cycles[kind, side, ACTS[0]] = real.cycles / images
                cycles[kind, side, ACTS[1]] = none.cycles / images
                alone[kind, side] = float(one.cycles)
                loaded[kind, side] = float(one.cycles - load_cycles(one))
    names = {side: arch.name for side, arch in archs.items()}
    return Effects(models, names, images, cycles, alone, loaded)


def ratios(
    comparison: Comparison, model: Model, before: Mapping[str, float], after: Mapping[str, float]
) -> list[Ratio]:
    """Pruning ratio and speedup of each layer of a model, and of all of them in two ways.

    ``total`` counts each weight once, :data:`WORK` as often as it is used.

    Parameters
    ----------
    before, after
        Time of each layer of the dense model and of this one, in one unit.
    """
    layers = read_checkpoint(model.source, comparison.network).layers
    weights = {name: layer.weight.size for name, layer in layers.items()}
    left = {name: int(np.count_nonzero(layer.weight)) for name, layer in layers.items()}
    shapes = [shape for shape in comparison.network.shapes() if shape.has_weights]
    pixels = {shape.layer.name: shape.pixels for shape in shapes}
    groups = {name: ([name], dict.fromkeys(pixels, 1)) for name in before}
    # time goes with multiplications: a weight counts as often as it is used
    groups |= {"total": (list(before), dict.fromkeys(pixels, 1)), WORK: (list(before), pixels)}
    return [
        Ratio(
            title,
            sum(weights[name] * times[name] for name in names)
            / max(1, sum(left[name] * times[name] for name in names)),
            sum(before[name] for name in names) / sum(after[name] for name in names),
        )
        for title, (names, times) in groups.items()
    ]


def at_equal_multipliers(comparison: Comparison) -> dict[str, list[Ratio]]:
    """Ratios of the chosen models on their fastest designs, in cycles: title -> ratios.

    The dense model is the baseline: every design has as many multipliers.
    """
    before = _cycles(comparison.baseline)
    return {
        variant.name: ratios(comparison, variant.model, before, _cycles(variant))
        for variant in _pair(comparison) or ()
    }


def at_equal_area(comparison: Comparison, cell: Cell) -> dict[str, list[Ratio]]:
    """Ratios of what a budget's best designs of both kinds take: title -> ratios.

    Each design computes at its own clock, with memories that never wait; the dense model has the
    best systolic design of that budget.
    """
    names = [shape.layer.name for shape in comparison.network.shapes() if shape.has_weights]
    found = {}
    dense = cell.kinds.get(("dense", SYSTOLIC))
    for key in (("structured", SYSTOLIC), ("nonstructured", DECODING)):
        choice = cell.kinds.get(key)
        if dense is None or choice is None:
            continue
        before, after = (
            dict(zip(names, each.candidate.layer_times, strict=True)) for each in (dense, choice)
        )
        found[choice.candidate.name] = ratios(comparison, choice.candidate.model, before, after)
    return found


def ratio_table(found: Mapping[str, Sequence[Ratio]]) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of pruning ratios, speedups and what one is over the other."""
    columns = ["model on design", "layer", "pruning", "speedup", "pruning / speedup", "breaks even"]
    rows: list[list[object]] = [
        [
            title, ratio.layer, f"{ratio.pruning:.1f}x", f"{ratio.speedup:.2f}x",
            f"{ratio.ppr:.2f}", f"{ratio.break_even:.0%}",
        ]
        for title, several in found.items()
        for ratio in several
    ]  # fmt: skip
    return columns, rows


def index_table(comparison: Comparison) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of the bits per weight that is left: value, indices, pointers, padding."""
    kinds = ("values", "indices", "pointers", "padding")
    columns = ["model on design", "layer", "weights", *kinds, "all but the value"]
    rows: list[list[object]] = []
    for variant in comparison.best:
        result = variant.result
        parts = [(layer.name, layer.nonzeros, layer.bits) for layer in result.layers]
        parts.append(("total", sum(left for _, left, _ in parts), result.bits))
        for name, left, bits in parts:
            each = {kind: getattr(bits, kind) / max(1, left) for kind in kinds}
            rows.append(
                [
                    variant.name, name, left, *(f"{bits:.2f}" for bits in each.values()),
                    f"{sum(each.values()) - each['values']:.2f}",
                ]
            )  # fmt: skip
    return columns, rows


def _pair(comparison: Comparison) -> tuple[Variant, Variant] | None:
    """Fastest variants of both kinds, of the widest weights, each on its side."""
    width = comparison.widths[0]
    found = []
    for kind, decodes in (("structured", False), ("nonstructured", True)):
        own = [
            variant
            for variant in comparison.short
            if (variant.model.kind, variant.model.weight_width) == (kind, width)
            and variant.arch.array.decodes_indices == decodes
        ]
        if not own:
            return None
        found.append(min(own, key=lambda variant: variant.result.cycles))
    return found[0], found[1]


def _cycles(variant: Variant) -> dict[str, float]:
    return {layer.name: float(layer.cycles) for layer in variant.result.layers}


def _nonzero(operands: Operands) -> Operands:
    """The same weights, and activations of which none is zero."""
    return {name: replace(layer, ifmap=None, matrices=None) for name, layer in operands.items()}
