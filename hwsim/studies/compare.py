"""Compare compressed models of one network, at equal accuracy, on designs of equal multipliers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hwsim.checkpoints import find as shipped
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.heldout import HeldOut, heldout_of
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.jobs.study import CompareConfig, PairConfig
from hwsim.cost import storage
from hwsim.cost.book import Book
from hwsim.cost.fit import SLACK
from hwsim.cost.silicon import SiliconCost, cost_of
from hwsim.cost.system import load_cycles
from hwsim.datasets.sources import DATASETS
from hwsim.engine.results import NetworkResult
from hwsim.errors import InputError
from hwsim.formats.base import Bits
from hwsim.inference.operands import shipped_images
from hwsim.studies.paired import Paired
from hwsim.sweeps.known import result_of
from hwsim.sweeps.point import Point
from hwsim.sweeps.store import Store

__all__ = [
    "Comparison",
    "Curve",
    "Model",
    "Variant",
    "count",
    "load",
    "model_of",
    "read_checkpoint",
    "run",
]

#: Kinds of sparsity in words, and the array family that is built for each.
KINDS = {
    "dense": ("dense", "dense"),
    "structured": ("structured", "dense"),
    "punched": ("block-punched", "dense"),
    "nm": ("N:M", "nm"),
    "pattern": ("pattern", "pattern"),
    "nonstructured": ("non-structured", ""),
}


@dataclass(frozen=True)
class Model:
    """One checkpoint: a compression level of one kind of sparsity."""

    #: Name or path, as in the study's file.
    source: str
    kind: str
    #: Bits of a weight; of the widest layer, where they differ.
    weight_width: int
    #: Weights, and those of them that are not zero.
    weights: int
    nonzeros: int
    #: Per cent on the full test set, as the checkpoint records it. It decides nothing.
    accuracy: float
    #: Per cent on the training images that were held out; ``None``: the file does not say.
    accuracy_heldout: float | None
    #: The smallest format with each layer in its own bits, whether an array here consumes it or
    #: not, and its size.
    own: tuple[str, Bits]
    #: Seed that it was trained with.
    seed: int = 0
    #: Images held out that it gets wrong; ``None``: not on record.
    heldout: HeldOut | None = None

    @property
    def base(self) -> str:
        """Name without the seed: models of one base differ in it alone."""
        return self.name.removesuffix(f"_s{self.seed}")

    @property
    def name(self) -> str:
        """Name of the file."""
        return Path(self.source).stem

    @property
    def factor(self) -> float:
        """Weights / weights left."""
        return self.weights / max(1, self.nonzeros)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "checkpoint": self.name,
            "kind": self.kind,
            "weight_width": self.weight_width,
            "weights": self.weights,
            "nonzeros": self.nonzeros,
            "accuracy": self.accuracy,
            "accuracy_heldout": self.accuracy_heldout,
            "own_format": self.own[0],
            "own_bits": self.own[1].to_dict(),
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

        A model comes from the dense network of its seed, which may be better or worse than that of
        another. A baseline of a seed has the name of the study's with that seed; where that is a
        file, it lies beside it.
        """
        if model.seed not in self._baselines:
            self._baselines[model.seed] = self._baseline_of(model.seed)
        return self._baselines[model.seed]

    @cached_property
    def _baselines(self) -> dict[int, Model]:
        """Baselines of the seeds that were asked for."""
        return {self.baseline.model.seed: self.baseline.model}

    def _baseline_of(self, seed: int) -> Model:
        first = self.baseline.model
        source = f"{first.base}_s{seed}" if seed else first.base
        if first.source != first.name:
            source = str(Path(first.source).with_name(f"{source}.safetensors"))
        try:
            shipped.find_checkpoint(source)
        except InputError:
            return first
        found = model_of(source, read_checkpoint(source, self.network), self.config.network)
        return found if found.seed == seed else first

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


def load(
    config: CompareConfig, source: str = "study"
) -> tuple[NetworkConfig, dict[str, ArchConfig]]:
    """Read the network and the designs, and check that the comparison is one of equals.

    Raises
    ------
    InputError
        A file is missing or bad, the designs differ in multipliers, two of them have one name, or
        a layer to verify is unknown.
    """
    network = shipped.named_network(config.network).network
    archs = {pair.arch: ArchConfig.read(pair.arch) for pair in config.pairs}
    _check_names(source, archs)
    multipliers = {name: arch.array.multipliers for name, arch in archs.items()}
    if len(set(multipliers.values())) > 1:
        raise InputError(
            source, "study.runs", multipliers, "must have the same number of multipliers"
        )
    known = [shape.layer.name for shape in network.shapes() if shape.has_weights]
    for layer in config.verify.layers:
        if layer not in known:
            raise InputError(
                source, "study.verify.layers", layer, f"must be one of: {', '.join(known)}"
            )
    return network, archs


def _check_names(source: str, archs: dict[str, ArchConfig]) -> None:
    """Refuse two designs of one name: figures and proofs are shown by it."""
    digests: dict[str, str] = {}
    for file, arch in archs.items():
        if digests.setdefault(arch.name, arch.digest) != arch.digest:
            rule = f"must not be another design of the name {arch.name}"
            raise InputError(source, "study.archs", file, rule)


def run(
    config: CompareConfig,
    source: str = "study",
    progress: Callable[[str], None] = lambda what: None,
    store: Path | None = None,
) -> Comparison:
    """Simulate every variant on the first ``config.images`` shipped test images of its data set.

    Parameters
    ----------
    source
        File the study was read from, for error messages.
    progress
        Called with a variant's name before it is simulated.
    store
        Points that are known, those of sweeps too; what is not is counted and kept there. Without
        it points are kept for this call alone.

    Raises
    ------
    InputError
        As of :func:`load`; or a checkpoint is of another network or data set, or its weights are
        not as wide as its design's.
    """
    network, archs = load(config, source)
    checkpoints = {
        pair.checkpoint: read_checkpoint(pair.checkpoint, network) for pair in config.pairs
    }
    datasets = {name: shipped.dataset_of(each) for name, each in checkpoints.items()}
    dataset = datasets[config.baseline.checkpoint]
    if dataset is None:
        rule = "must name its data set: by a recipe, or imported with labelled images"
        raise InputError(source, "study.baseline.checkpoint", config.baseline.checkpoint, rule)
    for name, other in datasets.items():
        if other != dataset:
            rule = f"must be of the baseline's data set, not {other}"
            raise InputError(source, "study.runs", name, rule)
    for pair in config.pairs:
        _same_width(source, pair, checkpoints[pair.checkpoint], archs[pair.arch])
    if dataset in DATASETS:
        # refuses more than ship, those of the proof too: it comes last
        shipped_images(max(config.images, config.verify.images), dataset)
    book = None if config.technology is None else Book(config.technology, progress)
    models: dict[str, Model] = {}
    variants = []
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory()) if store is None else ""
        known = stack.enter_context(Store.open(store or Path(folder) / "points.sqlite"))
        # one checkpoint after the other: its operands, which are large, are kept for a few points
        for name, pairs in groupby(config.pairs, key=lambda pair: pair.checkpoint):
            progress(f"reading {name}")
            if name not in models:
                models[name] = model_of(name, checkpoints[name], config.network)
            for pair in pairs:
                arch, model = archs[pair.arch], checkpoints[name]
                progress(f"simulating {name} on {arch.name}")
                result = count(known, network, arch, model, config.images)
                cost = None
                if book is not None:
                    fitted = count(known, network, arch, model, config.images, book.technology)
                    cost = cost_of(book, fitted, logic=arch)
                variants.append(Variant(models[name], arch, result, cost))
    return Comparison(network, config, dataset, variants)


def count(
    store: Store,
    network: NetworkConfig,
    arch: ArchConfig,
    checkpoint: Checkpoint,
    images: int,
    technology: str | None = None,
) -> NetworkResult:
    """Count a model on a design, its memories fitted where a technology is given."""
    fields = {"arch": arch.name, "network": network.name, "weights": checkpoint.source}
    point = Point.of(
        arch, network, fields, checkpoint=checkpoint, images=images, technology=technology,
        slack=None if technology is None else SLACK,
    )  # fmt: skip
    return result_of(point, store)


def read_checkpoint(name: str, network: NetworkConfig) -> Checkpoint:
    """Checkpoint of a network, which must say how accurate it is."""
    checkpoint = Checkpoint.read(shipped.find_checkpoint(name), network)
    for key, needed in (("accuracy", True), ("accuracy_heldout", False)):
        value = checkpoint.info.get(key)
        fits = isinstance(value, float) and 0 <= value <= 1
        if not (fits or (value is None and not needed)):
            rule = "must be a fraction: the study compares by it"
            raise InputError(checkpoint.source, f"info.{key}", value, rule)
    return checkpoint


def _same_width(source: str, pair: PairConfig, checkpoint: Checkpoint, arch: ArchConfig) -> None:
    width = max(layer.weight_bits for layer in checkpoint.layers.values())
    if width != arch.numbers.weight_width:
        rule = f"must have weights of {arch.numbers.weight_width} bits for {arch.name}, not {width}"
        raise InputError(source, "study.runs", pair.checkpoint, rule)


def model_of(name: str, checkpoint: Checkpoint, network: str) -> Model:
    """Model of a checkpoint; ``network`` is its name or path."""
    layers = checkpoint.layers.values()
    heldout = checkpoint.info.get("accuracy_heldout")
    return Model(
        source=name,
        kind=str(checkpoint.info.get("kind", "unknown")),
        weight_width=max(layer.weight_bits for layer in layers),
        weights=sum(layer.weight.size for layer in layers),
        nonzeros=sum(int(np.count_nonzero(layer.weight)) for layer in layers),
        accuracy=100 * float(checkpoint.info["accuracy"]),
        accuracy_heldout=None if heldout is None else 100 * float(heldout),
        own=storage.smallest(checkpoint.source, network),
        seed=int(checkpoint.info.get("recipe", {}).get("seed", 0)),
        heldout=heldout_of(Path(checkpoint.source)),
    )
