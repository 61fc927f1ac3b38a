"""Compressed models on designs of equal multipliers: which are equal, and which is the best."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hwsim.checkpoints.find import find_checkpoint
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.jobs.study import CompareConfig
from hwsim.cost.silicon import SiliconCost
from hwsim.cost.system import load_cycles
from hwsim.datasets.sources import DATASETS
from hwsim.engine.results import NetworkResult
from hwsim.errors import InputError
from hwsim.studies.model import Model, model_of, read_checkpoint
from hwsim.studies.paired import Paired

__all__ = ["KINDS", "Comparison", "Curve", "Variant"]

#: Kinds of sparsity in words, and the array family that is built for each.
KINDS = {
    "dense": ("dense", "dense"),
    "structured": ("structured", "dense"),
    "punched": ("block-punched", "dense"),
    "nm": ("N:M", "nm"),
    "pattern": ("pattern", "pattern"),
    "nonstructured": ("non-structured", ""),
}


@dataclass(frozen=True, order=True)
class Curve:
    """A family of points: a kind of sparsity, the array family it runs on, a width of weights."""

    kind: str
    family: str
    weight_width: int

    @property
    def label(self) -> str:
        """Name in reports; the array's is in it where it is not the kind's own."""
        words, own = KINDS.get(self.kind, (self.kind, ""))
        return words if own == self.family else f"{words} on {self.family}"


@dataclass(frozen=True)
class Variant:
    """One model on one design, simulated."""

    model: Model
    arch: ArchConfig
    result: NetworkResult
    #: Time, area and energy with fitted memories; ``None`` where the study names no technology.
    silicon: SiliconCost | None

    @property
    def name(self) -> str:
        """Name of the variant."""
        return f"{self.model.name} on {self.arch.name}"

    @property
    def curve(self) -> Curve:
        """The family that it is a point of."""
        return Curve(self.model.kind, self.arch.array.family, self.arch.numbers.weight_width)

    @property
    def hardware(self) -> ArchConfig:
        """The design as it would be built: memories sized for the model, where areas are known."""
        return self.arch if self.silicon is None else self.silicon.arch

    @property
    def smallest(self) -> int:
        """Bits of the weights in the design's format, or in another if less."""
        return min(self.result.bits.total, self.model.own[1].total)

    @property
    def load_cycles(self) -> int:
        """Cycles that fill weight memories before a layer starts; 0 where weights stream."""
        return load_cycles(self.result)


@dataclass(frozen=True)
class Comparison:
    """All variants of a study, in the order of its file."""

    network: NetworkConfig
    config: CompareConfig
    dataset: str
    variants: list[Variant]
    #: Models that budgets name beside those of the variants, by source.
    others: dict[str, Model] = field(default_factory=dict)
    #: Variants of equal accuracy by seed, for each seed that only ``others`` have: of a model that
    #: is not among them with that seed those of the first.
    reruns: dict[int, list[Variant]] = field(default_factory=dict)

    @property
    def batch(self) -> str:
        """The images that are counted, in words."""
        if self.dataset in DATASETS:
            return f"{self.config.images} real test images of {self.dataset}"
        return f"{self.config.images} random images"

    @cached_property
    def baseline(self) -> Variant:
        """Variant whose cycles and accuracy the others are compared with."""
        pair = self.config.baseline
        names = (pair.checkpoint, ArchConfig.read(pair.arch).name)
        return next(v for v in self.variants if (v.model.source, v.arch.name) == names)

    @cached_property
    def models(self) -> list[Model]:
        """Every checkpoint once, in the order of the file."""
        return list({v.model.name: v.model for v in self.variants}.values())

    @cached_property
    def is_held_out(self) -> bool:
        """Whether every model says how accurate it is on images held out: these decide, then."""
        return all(model.accuracy_heldout is not None for model in self.models)

    def decides(self, model: Model) -> float:
        """Accuracy in per cent by which models are chosen: on the images held out, if possible."""
        if self.is_held_out and model.accuracy_heldout is not None:
            return model.accuracy_heldout
        return model.accuracy

    def is_equal(
        self, model: Model, bound: float | None = None, *, level: float | None = None
    ) -> bool:
        """Whether a model is as accurate as what it is held to, by the study's rule.

        That is the paired test where the study has its level and both models are on record, else
        the bound; with ``bound``, in points, it is that one. ``level``: in place of the study's.
        """
        level = self.config.accuracy_level if level is None else level
        if bound is None and level is not None:
            paired = self.paired(model)
            if paired is not None:
                return paired.p > level
        return self.is_within(model, bound)

    @property
    def rule(self) -> str:
        """What makes a model equal, in words."""
        name = self.baseline.model.name
        if self.config.accuracy_level is None or self.baseline.model.heldout is None:
            return f"accuracies within {self.config.accuracy_bound:g} points of {name}"
        return (
            f"models that are no worse than {name} by a paired test at a level of "
            f"{self.config.accuracy_level:g}"
        )

    def held_to(self, model: Model) -> Model:
        """What a model must be as accurate as: the baseline, or that of its own seed.

        ``NAME_s1`` comes from the dense network of seed 1, which may be better or worse than that
        of another: it has the name of the study's baseline with that seed; where that is a file,
        it lies beside it. A model whose name says no seed is held to the study's.
        """
        if model.suffix not in self._baselines:
            self._baselines[model.suffix] = self._baseline_of(model)
        return self._baselines[model.suffix]

    @cached_property
    def _baselines(self) -> dict[str, Model]:
        """Baselines that were asked for, by what their names say of the seed."""
        return {self.baseline.model.suffix: self.baseline.model}

    def _baseline_of(self, model: Model) -> Model:
        first = self.baseline.model
        source = f"{first.base}{model.suffix}"
        if first.source != first.name:
            source = str(Path(first.source).with_name(f"{source}.safetensors"))
        try:
            find_checkpoint(source)
        except InputError:
            return first
        found = model_of(source, read_checkpoint(source, self.network), self.config.network)
        return found if found.seed == model.seed else first

    def paired(self, model: Model) -> Paired | None:
        """Compare a model with what it is held to, image by image.

        ``None``: one of the two is not on record.
        """
        base = self.held_to(model).heldout
        if base is None or model.heldout is None or base.images != model.heldout.images:
            return None
        return Paired(len(model.heldout.wrong - base.wrong), len(base.wrong - model.heldout.wrong))

    def is_within(self, model: Model, bound: float | None = None) -> bool:
        """Whether it is at most so many points below what it is held to; by default the study's."""
        points = self.config.accuracy_bound if bound is None else bound
        # accuracies are fractions of thousands of images: far from this apart, or equal
        return self.points_below(model) <= points + 1e-6

    def points_below(self, model: Model) -> float:
        """How far a model is below what it is held to, in points."""
        return self.decides(self.held_to(model)) - self.decides(model)

    @cached_property
    def curves(self) -> dict[Curve, list[Variant]]:
        """Variants of each family, in the order of the file."""
        curves: dict[Curve, list[Variant]] = {}
        for variant in self.variants:
            curves.setdefault(variant.curve, []).append(variant)
        return curves

    @cached_property
    def widths(self) -> list[int]:
        """Widths of weights, the widest first."""
        return sorted({curve.weight_width for curve in self.curves}, reverse=True)

    @cached_property
    def chosen(self) -> dict[tuple[str, int], Model]:
        """The smallest model of equal accuracy of each kind and width, by stored bits."""
        groups: dict[tuple[str, int], list[Variant]] = {}
        for v in self.variants:
            groups.setdefault((v.model.kind, v.model.weight_width), [])
            if self.is_equal(v.model):
                groups[v.model.kind, v.model.weight_width].append(v)
        return {
            key: min(equal, key=lambda v: v.smallest).model
            for key, equal in groups.items()
            if equal
        }

    @cached_property
    def short(self) -> list[Variant]:
        """Variants of the chosen models: the comparison at equal accuracy."""
        chosen = {model.name for model in self.chosen.values()}
        return [v for v in self.variants if v.model.name in chosen]

    @cached_property
    def best(self) -> list[Variant]:
        """Of the chosen models' variants the one of fewest cycles in each family."""
        best: dict[Curve, Variant] = {}
        for v in self.short:
            best[v.curve] = min(best.get(v.curve, v), v, key=lambda v: v.result.cycles)
        return list(best.values())

    @property
    def unequalled(self) -> list[tuple[str, int]]:
        """Kinds and widths without a model of equal accuracy."""
        keys = {(model.kind, model.weight_width): None for model in self.models}
        return [key for key in keys if key not in self.chosen]

    def speedup(self, variant: Variant) -> float:
        """Cycles of the baseline / cycles of the variant."""
        return self.baseline.result.cycles / max(1, variant.result.cycles)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "network": self.network.name,
            "dataset": self.dataset,
            "images": self.config.images,
            "baseline": self.baseline.name,
            "accuracy_bound": self.config.accuracy_bound,
            "accuracy_level": self.config.accuracy_level,
            "decided_on_heldout": self.is_held_out,
            "chosen": [model.name for model in self.chosen.values()],
            "best": [variant.name for variant in self.best],
            "variants": [self._row(variant) for variant in self.variants],
        }

    def _row(self, variant: Variant) -> dict[str, Any]:
        return {
            "variant": variant.name,
            **variant.model.to_dict(),
            "family": variant.curve.label,
            "equal_accuracy": self.is_equal(variant.model),
            "speedup": self.speedup(variant),
            "load_cycles": variant.load_cycles,
            "silicon": None if variant.silicon is None else variant.silicon.to_dict(),
            **variant.result.to_dict(),
        }
