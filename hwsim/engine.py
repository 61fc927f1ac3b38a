"""Run a network on a design in the fast exact form: cycles by cause, storage by kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from hwsim import workload
from hwsim.arrays.base import GEMM, Counts, family
from hwsim.config import ArchConfig, LayerShape, NetworkConfig
from hwsim.errors import InputError
from hwsim.formats import measure, project
from hwsim.formats.base import Bits

__all__ = ["LayerResult", "NetworkResult", "simulate", "simulate_layer"]


@dataclass(frozen=True)
class LayerResult:
    """One layer on one design.

    ``macs`` is the dense work of the layer; ``useful_macs`` counts those whose weight and
    activation are both non-zero, or all of them where only shapes are known.
    """

    name: str
    shape: tuple[int, int, int]
    groups: int
    macs: int
    useful_macs: int
    nonzeros: int
    counts: Counts
    bits: Bits
    multipliers: int

    @property
    def cycles(self) -> int:
        """Clocks from the first command to the last partial sum."""
        return self.counts.cycles

    @property
    def utilization(self) -> float:
        """Useful MACs / (multipliers x cycles)."""
        slots = self.multipliers * self.cycles
        return self.useful_macs / slots if slots else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data: one row of ``results.json``."""
        return {
            "layer": self.name,
            "M": self.shape[0],
            "K": self.shape[1],
            "N": self.shape[2],
            "groups": self.groups,
            "macs": self.macs,
            "useful_macs": self.useful_macs,
            "nonzeros": self.nonzeros,
            "cycles": self.cycles,
            "utilization": self.utilization,
            "causes": self.counts.causes,
            "bits": self.bits.to_dict(),
        }


@dataclass(frozen=True)
class NetworkResult:
    """Every weighted layer of a network on one design, run one after the other."""

    arch: ArchConfig
    network: str
    images: int
    layers: list[LayerResult]

    @property
    def counts(self) -> Counts:
        """Counts of all layers."""
        return reduce(add, (layer.counts for layer in self.layers), Counts(0))

    @property
    def cycles(self) -> int:
        """Clocks of all layers."""
        return self.counts.cycles

    @property
    def macs(self) -> int:
        """Dense multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def useful_macs(self) -> int:
        """Multiply-accumulates whose operands are both non-zero."""
        return sum(layer.useful_macs for layer in self.layers)

    @property
    def bits(self) -> Bits:
        """Weight storage of all layers."""
        return reduce(add, (layer.bits for layer in self.layers), Bits())

    @property
    def utilization(self) -> float:
        """Useful MACs / (multipliers x cycles)."""
        slots = self.arch.array.multipliers * self.cycles
        return self.useful_macs / slots if slots else 0.0

    @property
    def microseconds(self) -> float:
        """Time of all layers at the design's clock."""
        return self.cycles / self.arch.clock_mhz

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "arch": self.arch.name,
            "network": self.network,
            "images": self.images,
            "multipliers": self.arch.array.multipliers,
            "cycles": self.cycles,
            "microseconds": self.microseconds,
            "macs": self.macs,
            "useful_macs": self.useful_macs,
            "utilization": self.utilization,
            "causes": self.counts.causes,
            "bits": self.bits.to_dict(),
            "layers": [layer.to_dict() for layer in self.layers],
        }


def simulate(
    arch: ArchConfig,
    network: NetworkConfig,
    operands: dict[str, list[GEMM]] | None = None,
    images: int = 1,
    seed: int = 0,
    progress: Callable[[str], None] = lambda layer: None,
) -> NetworkResult:
    """Count every weighted layer of a network on a design.

    Parameters
    ----------
    operands
        Real operands of each weighted layer (:func:`hwsim.workload.real`); without them,
        synthetic ones at the densities of the network file.
    images
        Batch: the GEMM's N is ``images`` x output pixels. With ``operands``, how many they hold.
    progress
        Called with each layer's name when it is done.
    """
    layers = []
    for shape in network.shapes():
        if not shape.has_weights:
            continue
        name = shape.layer.name
        if operands is not None and name not in operands:
            raise InputError(network.name, f"layers.{name}", None, "has no operands")
        gemms = _draw(arch, shape, images, seed) if operands is None else operands[name]
        layers.append(simulate_layer(arch, name, gemms))
        progress(name)
    return NetworkResult(arch, network.name, images, layers)


def simulate_layer(arch: ArchConfig, name: str, gemms: list[GEMM]) -> LayerResult:
    """Count the GEMMs of one layer's groups, one after the other."""
    first = gemms[0]
    model = family(arch)
    # groups of the same shape and no operands are all alike
    alike = all(gemm is first for gemm in gemms)
    distinct, times = ([first], len(gemms)) if alike else (gemms, 1)
    bits = reduce(add, (measure(arch, g.weight, (g.M, g.K), g.channels, name) for g in distinct))
    counts = reduce(add, (model.count(arch, gemm) for gemm in distinct))
    return LayerResult(
        name=name,
        shape=(first.M, first.K, first.N),
        groups=len(gemms),
        macs=sum(gemm.macs for gemm in gemms),
        useful_macs=sum(_useful(gemm) for gemm in gemms),
        nonzeros=sum(_nonzeros(gemm) for gemm in gemms),
        counts=counts.scaled(times),
        bits=bits.scaled(times),
        multipliers=arch.array.multipliers,
    )


def _draw(arch: ArchConfig, shape: LayerShape, images: int, seed: int) -> list[GEMM]:
    layer = shape.layer
    if arch.array.family == "dense" and layer.weight_density == layer.act_density == 1.0:
        return workload.shapes_only(shape, images)
    gemms = []
    for gemm in workload.synthetic(shape, arch.numbers, images, seed):
        assert gemm.weight is not None
        gemms.append(replace(gemm, weight=project(arch, gemm.weight, gemm.channels)))
    return gemms


def _useful(gemm: GEMM) -> int:
    if gemm.weight is None or gemm.act is None:
        return gemm.macs
    per_k = np.count_nonzero(gemm.weight, axis=0) @ np.count_nonzero(gemm.act, axis=1)
    return int(per_k)


def _nonzeros(gemm: GEMM) -> int:
    return gemm.M * gemm.K if gemm.weight is None else int(np.count_nonzero(gemm.weight))
