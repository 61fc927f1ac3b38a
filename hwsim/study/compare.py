"""Compare compressed models of one network on designs with as many multipliers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim import engine, golden, shipped, workload
from hwsim.arrays.base import GEMM
from hwsim.checkpoint import Checkpoint
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.study import CompareConfig, VariantConfig
from hwsim.engine import NetworkResult
from hwsim.errors import InputError

__all__ = ["Comparison", "Variant", "load", "run"]

#: Cycles that are spent on filling weight memories; a design that keeps its weights resident pays
#: them once for the life of the network, not for every batch.
LOADING = ("load", "weight")


@dataclass(frozen=True)
class Variant:
    """One compressed model on one design, simulated."""

    config: VariantConfig
    arch: ArchConfig
    kind: str
    #: Accuracy in per cent on the full test set, as the checkpoint records it.
    accuracy: float
    #: Accuracy in per cent of this run's integer inference on the images that ship.
    accuracy_shipped: float
    result: NetworkResult
    #: Weights that are not zero.
    nonzeros: int

    @property
    def name(self) -> str:
        """Name of the variant."""
        return self.config.name

    @property
    def load_cycles(self) -> int:
        """Cycles that fill weight memories before a layer starts; 0 where weights stream."""
        control = self.result.counts.causes.get("control", {})
        return sum(control.get(cause, 0) for cause in LOADING)


@dataclass(frozen=True)
class Comparison:
    """All variants of a study, in the order of its file."""

    network: NetworkConfig
    config: CompareConfig
    variants: list[Variant]

    @property
    def baseline(self) -> Variant:
        """Variant that speedups are relative to."""
        return next(v for v in self.variants if v.name == self.config.baseline)

    @property
    def eligible(self) -> list[Variant]:
        """Variants accurate enough to win."""
        floor = max(v.accuracy for v in self.variants) - self.config.accuracy_bound
        return [v for v in self.variants if v.accuracy >= floor]

    def speedup(self, variant: Variant) -> float:
        """Cycles of the baseline / cycles of the variant."""
        return self.baseline.result.cycles / max(1, variant.result.cycles)

    def answer(self) -> str:
        """Which one wins, by how much, on this network: one sentence."""
        fast = min(self.eligible, key=lambda v: v.result.cycles)
        small = min(self.eligible, key=lambda v: v.result.bits.total)
        bound = self.config.accuracy_bound
        return (
            f"On {self.network.name} ({self.config.images} images, "
            f"{fast.arch.array.multipliers} multipliers, accuracy within {bound:g} points of the "
            f"best) the fewest cycles are those of {fast.name}: {fast.result.cycles:,}, "
            f"{self.speedup(fast):.2f}x fewer than {self.baseline.name}"
            f"{self._against_rival(fast, lambda v: v.result.cycles, '{:.2f}x fewer than {}')}; "
            f"the smallest weights are those of {small.name}: "
            f"{small.result.bits.total / 8000:.1f} KB with indices"
            f"{self._against_rival(small, lambda v: v.result.bits.total, '{:.2f}x less than {}')}."
        )

    def _against_rival(self, winner: Variant, cost: Callable[[Variant], int], words: str) -> str:
        """Compare a winner with the best variant of the other side: index-decoding or systolic."""
        decodes = winner.arch.array.decodes_indices
        rivals = [v for v in self.eligible if v.arch.array.decodes_indices != decodes]
        if not rivals:
            return ""
        rival = min(rivals, key=cost)
        side = "systolic" if decodes else "index-decoding"
        named = f"{rival.name}, the best {side} one"
        return " and " + words.format(cost(rival) / max(1, cost(winner)), named)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "network": self.network.name,
            "images": self.config.images,
            "baseline": self.config.baseline,
            "answer": self.answer(),
            "variants": [self._row(variant) for variant in self.variants],
        }

    def _row(self, variant: Variant) -> dict[str, Any]:
        return {
            "variant": variant.name,
            "kind": variant.kind,
            "family": variant.arch.array.family,
            "checkpoint": variant.config.checkpoint,
            "accuracy": variant.accuracy,
            "accuracy_shipped_images": variant.accuracy_shipped,
            "weights": variant.nonzeros,
            "speedup": self.speedup(variant),
            "load_cycles": variant.load_cycles,
            **variant.result.to_dict(),
        }


def load(
    config: CompareConfig, source: str = "study"
) -> tuple[NetworkConfig, dict[str, ArchConfig]]:
    """Read the network and the designs, and check that the comparison is one of equals.

    Raises
    ------
    InputError
        A file is missing or bad, the designs differ in multipliers, or a layer to verify is
        unknown.
    """
    network = NetworkConfig.read(config.network)
    archs = {v.arch: ArchConfig.read(v.arch) for v in config.variants}
    multipliers = {name: arch.array.multipliers for name, arch in archs.items()}
    if len(set(multipliers.values())) > 1:
        raise InputError(
            source, "study.variants", multipliers, "must have the same number of multipliers"
        )
    known = [shape.layer.name for shape in network.shapes() if shape.has_weights]
    for layer in config.verify.layers:
        if layer not in known:
            raise InputError(
                source, "study.verify.layers", layer, f"must be one of: {', '.join(known)}"
            )
    return network, archs


def run(
    config: CompareConfig,
    source: str = "study",
    progress: Callable[[str], None] = lambda what: None,
) -> Comparison:
    """Simulate every variant on the first ``config.images`` shipped test images.

    Parameters
    ----------
    source
        File the study was read from, for error messages.
    progress
        Called with a variant's name before it is simulated.
    """
    network, archs = load(config, source)
    pixels, labels = shipped.images(1000)
    cache: dict[str, tuple[Checkpoint, float, dict[str, list[GEMM]]]] = {}
    variants = []
    for item in config.variants:
        progress(item.name)
        if item.checkpoint not in cache:
            path = shipped.find_checkpoint(item.checkpoint)
            checkpoint = Checkpoint.read(path)
            if checkpoint.network != network.name:
                raise InputError(
                    path, "network", checkpoint.network, f"must be {network.name}: the study's"
                )
            right = golden.accuracy(network, checkpoint, pixels, labels)
            operands = workload.real(network, checkpoint, pixels[: config.images])
            cache[item.checkpoint] = checkpoint, 100 * right, operands
        checkpoint, accuracy_shipped, operands = cache[item.checkpoint]
        arch = archs[item.arch]
        variants.append(
            Variant(
                config=item,
                arch=arch,
                kind=str(checkpoint.info.get("kind", "unknown")),
                accuracy=100 * float(checkpoint.info["accuracy"]),
                accuracy_shipped=accuracy_shipped,
                result=engine.simulate(arch, network, operands, images=config.images),
                nonzeros=sum(
                    int(np.count_nonzero(layer.weight)) for layer in checkpoint.layers.values()
                ),
            )
        )
    return Comparison(network, config, variants)
