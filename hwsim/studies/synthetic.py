"""Count the synthetic checkpoints of one network on designs of equal multipliers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from hwsim.checkpoints import synthetic
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import named_network
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.jobs.study_synthetic import SyntheticStudyConfig, SyntheticVariantConfig
from hwsim.config.jobs.synthetic import SyntheticConfig
from hwsim.cost.book import Book
from hwsim.cost.layer_costs import in_own_code
from hwsim.cost.silicon import SiliconCost, cost_of
from hwsim.engine import network as engine
from hwsim.engine.results import NetworkResult
from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.formats.base import Bits
from hwsim.inference.operands import on_random_acts
from hwsim.studies import outside
from hwsim.workload.layer import Layer

__all__ = ["SyntheticStudy", "Variant", "run"]


@dataclass(frozen=True)
class Variant:
    """One synthetic checkpoint on one design, counted."""

    config: SyntheticVariantConfig
    arch: ArchConfig
    #: Where the densities come from.
    note: str
    #: Weights that are not zero.
    nonzeros: int
    #: Fraction of activations that are not zero -> counts.
    results: dict[float, NetworkResult]
    #: Stored weights in the design's format, each layer in its own bits and code.
    bits: Bits
    #: Fraction of activations -> time, area and energy, memories as configured; empty where the
    #: study names no technology.
    costs: dict[float, SiliconCost] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the variant."""
        return self.config.name


@dataclass(frozen=True)
class SyntheticStudy:
    """All variants of a study, in the order of its file."""

    network: NetworkConfig
    config: SyntheticStudyConfig
    variants: list[Variant]

    @property
    def baseline(self) -> Variant:
        """Variant that speedups are relative to."""
        return next(v for v in self.variants if v.name == self.config.baseline)

    @property
    def multipliers(self) -> int:
        """Of every design."""
        return self.baseline.arch.array.multipliers

    def speedup(self, variant: Variant, density: float) -> float:
        """Cycles of the baseline / cycles of the variant."""
        return self.baseline.results[density].cycles / max(1, variant.results[density].cycles)

    def answer(self) -> str:
        """Fewest cycles at each density of activations, and the smallest weights."""
        parts = []
        for density in self.config.act_densities:
            fast = min(self.variants, key=lambda v: v.results[density].cycles)
            parts.append(
                f"with {density:.0%} of the activations non-zero, {fast.name}: "
                f"{fast.results[density].cycles:,}, {self.speedup(fast, density):.2f}x fewer than "
                f"{self.baseline.name}"
            )
        small = min(self.variants, key=lambda v: v.bits.total)
        return (
            f"{synthetic.mark(self.network.name)}, {self.multipliers} multipliers, fewest cycles: "
            f"{'; '.join(parts)}. Smallest weights: {small.name}, "
            f"{small.bits.total / 8e6:.2f} MB with indices."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "network": self.network.name,
            **outside.document(self.network),
            "operands": "synthetic weights, random activations",
            "images": self.config.images,
            "baseline": self.config.baseline,
            "answer": self.answer(),
            "variants": [
                {
                    "variant": v.name,
                    "recipe": v.config.recipe,
                    "note": v.note,
                    "family": v.arch.array.family,
                    "weights": v.nonzeros,
                    "stored_bits": v.bits.to_dict(),
                    "by_act_density": {
                        str(density): {"speedup": self.speedup(v, density)}
                        | result.to_dict()
                        | ({"silicon": v.costs[density].to_dict()} if v.costs else {})
                        for density, result in v.results.items()
                    },
                }
                for v in self.variants
            ],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per variant, density of activations and layer."""
        return [
            {
                "variant": v.name,
                "arch": v.arch.name,
                "weights": synthetic.mark(v.config.recipe or "dense"),
                "act_density": density,
                "layer": layer.name,
                "macs": layer.macs,
                "useful_macs": layer.useful_macs,
                "nonzeros": layer.nonzeros,
                "cycles": layer.cycles,
                "speedup": base.cycles / max(1, layer.cycles),
                "utilization": layer.utilization,
            }
            for v in self.variants
            for density, result in v.results.items()
            for layer, base in zip(
                result.layers, self.baseline.results[density].layers, strict=True
            )
        ]


def run(
    config: SyntheticStudyConfig,
    source: str = "study",
    progress: Callable[[str], None] = lambda what: None,
) -> SyntheticStudy:
    """Count every variant; missing checkpoints are drawn first.

    Parameters
    ----------
    source
        File the study was read from, for error messages.
    progress
        Called with what begins.

    Raises
    ------
    InputError
        A file is missing or bad, the designs differ in multipliers, a recipe is none of synthetic
        weights of this network, or its weights do not fit the design.
    """
    network = named_network(config.network).network
    archs = {v.arch: ArchConfig.read(v.arch) for v in config.variants}
    multipliers = {name: arch.array.multipliers for name, arch in archs.items()}
    if len(set(multipliers.values())) > 1:
        rule = "must have the same number of multipliers"
        raise InputError(source, "study.variants", multipliers, rule)
    # in the order of the file, so that one checkpoint at a time is in memory
    held: tuple[str | None, Checkpoint | None] = None, None
    book = None if config.technology is None else Book(config.technology, progress)
    variants = []
    for item in config.variants:
        if item.recipe is not None and held[0] != item.recipe:
            progress(f"drawing {item.recipe}")
            held = item.recipe, _checkpoint(source, item.recipe, network)
        progress(f"counting {item.name}")
        checkpoint = held[1] if item.recipe is not None else None
        variants.append(_variant(config, network, archs[item.arch], item, checkpoint, book))
    return SyntheticStudy(network, config, variants)


def _checkpoint(source: str, recipe: str, network: NetworkConfig) -> Checkpoint:
    config = SyntheticConfig.read(recipe)
    name = NetworkConfig.read(config.network).name
    if name != network.name:
        rule = f"must be a recipe for {network.name}, not {name}"
        raise InputError(source, "study.variants.recipe", recipe, rule)
    return synthetic.find_or_make(config)


def _variant(
    config: SyntheticStudyConfig,
    network: NetworkConfig,
    arch: ArchConfig,
    item: SyntheticVariantConfig,
    checkpoint: Checkpoint | None,
    book: Book | None,
) -> Variant:
    results, bits = {}, Bits()
    for density in config.act_densities:
        operands = (
            _shapes(network, config.images)
            if checkpoint is None
            else on_random_acts(network, checkpoint, config.images, config.seed, density)
        )
        results[density] = engine.simulate(arch, network, operands, images=config.images)
        bits = _stored(arch, operands, checkpoint)
    first = results[config.act_densities[0]]
    note = f"All weights, {arch.numbers.weight_width} bits."
    if checkpoint is not None:
        note = str(checkpoint.info[synthetic.SYNTHETIC])
    costs = {} if book is None else {d: cost_of(book, result) for d, result in results.items()}
    nonzeros = sum(row.nonzeros for row in first.layers)
    return Variant(item, arch, note, nonzeros, results, bits, costs)


def _shapes(network: NetworkConfig, images: int) -> dict[str, Layer]:
    return {
        shape.layer.name: Layer.of_shape(shape, images)
        for shape in network.shapes()
        if shape.has_weights
    }


def _stored(arch: ArchConfig, operands: dict[str, Layer], checkpoint: Checkpoint | None) -> Bits:
    """Bits in the design's format, each layer in its own width and code."""
    sizes = []
    for name, layer in operands.items():
        own = arch if checkpoint is None else in_own_code(arch, checkpoint.layers[name])
        sizes += [measure(own, g.weight, (g.M, g.K), g.channels, name) for g in layer.gemms()]
    return reduce(add, sizes, Bits())
