"""Simulate the compressed models of a study on its designs, once each."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from hwsim.checkpoints import find as shipped
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.jobs.study import CompareConfig, PairConfig
from hwsim.cost.book import Book
from hwsim.cost.fit import SLACK
from hwsim.cost.silicon import cost_of
from hwsim.datasets.sources import DATASETS
from hwsim.engine.results import NetworkResult
from hwsim.errors import InputError
from hwsim.inference.operands import shipped_images
from hwsim.studies.comparison import Comparison, Variant
from hwsim.studies.model import Model, model_of, read_checkpoint
from hwsim.sweeps.known import result_of
from hwsim.sweeps.point import Point
from hwsim.sweeps.store import Store

__all__ = ["count", "load", "run"]


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

        def simulated(model: Model, checkpoint: Checkpoint, arch: ArchConfig) -> Variant:
            progress(f"simulating {model.source} on {arch.name}")
            result = count(known, network, arch, checkpoint, config.images)
            cost = None
            if book is not None:
                fitted = count(known, network, arch, checkpoint, config.images, book.technology)
                cost = cost_of(book, fitted, logic=arch)
            return Variant(model, arch, result, cost)

        # one checkpoint after the other: its operands, which are large, are kept for a few points
        for name, pairs in groupby(config.pairs, key=lambda pair: pair.checkpoint):
            progress(f"reading {name}")
            if name not in models:
                models[name] = model_of(name, checkpoints[name], config.network)
            variants += [simulated(models[name], checkpoints[name], archs[p.arch]) for p in pairs]
        found = Comparison(network, config, dataset, variants, _others(config, network, models))
        return replace(found, reruns=_reruns(found, simulated))


def _others(
    config: CompareConfig, network: NetworkConfig, models: Collection[str]
) -> dict[str, Model]:
    """Models that both sides choose from under equal budgets, and that no variant is of."""
    names = dict.fromkeys(name for run in config.choices for name in run.checkpoints)
    return {
        name: model_of(name, read_checkpoint(name, network), config.network)
        for name in names
        if name not in models
    }


def _reruns(
    found: Comparison, simulated: Callable[[Model, Checkpoint, ArchConfig], Variant]
) -> dict[int, list[Variant]]:
    """Variants of equal accuracy of each further seed: as of :attr:`Comparison.reruns`."""
    bases = {model.base for model in found.models}
    trained = {(m.base, m.seed): m for m in found.others.values() if m.base in bases}
    seeds = {seed for _, seed in trained} - {model.seed for model in found.models}
    groups = {}
    for seed in sorted(seeds):
        groups[seed] = [
            variant
            if (model := trained.get((variant.model.base, seed))) is None
            else simulated(model, read_checkpoint(model.source, found.network), variant.arch)
            for variant in found.variants
            if found.is_equal(trained.get((variant.model.base, seed), variant.model))
        ]
    return groups


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


def _same_width(source: str, pair: PairConfig, checkpoint: Checkpoint, arch: ArchConfig) -> None:
    width = max(layer.weight_bits for layer in checkpoint.layers.values())
    if width != arch.numbers.weight_width:
        rule = f"must have weights of {arch.numbers.weight_width} bits for {arch.name}, not {width}"
        raise InputError(source, "study.runs", pair.checkpoint, rule)
