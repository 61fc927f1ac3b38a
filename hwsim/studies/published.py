"""Hold the simulator to a published table, on random operands at the stated densities."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.arrays.base import array_model
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig, CSCConfig
from hwsim.config.arrays.base import depth_of
from hwsim.config.jobs.study import PublishedConfig, PublishedLayer
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import sparse

__all__ = ["Check", "LayerCheck", "run"]


@dataclass(frozen=True)
class LayerCheck:
    """One layer: our times beside the paper's, and efficiency against queue depth.

    ``theoretical_us`` is the time of the entries touched, padding zeros included, spread evenly
    over the PEs; ``actual_us`` the simulated time with the weights resident, as the paper measures.
    """

    layer: PublishedLayer
    theoretical_us: float
    actual_us: float
    cycles: int
    entries: int
    padding: int
    #: Queue depth -> load-balance efficiency: 1 - bubbles / (PEs x cycles).
    efficiency: dict[int, float]

    @property
    def differences(self) -> tuple[float, float]:
        """Relative differences from the published theoretical and actual times."""
        return (
            self.theoretical_us / self.layer.theoretical_us - 1,
            self.actual_us / self.layer.actual_us - 1,
        )

    @property
    def worst(self) -> float:
        """The larger relative difference, in absolute value."""
        return max(map(abs, self.differences))

    def to_dict(self) -> dict[str, Any]:
        """Plain data: one row of ``results.json``."""
        return {
            "layer": self.layer.name,
            "M": self.layer.M,
            "K": self.layer.K,
            "theoretical_us": self.theoretical_us,
            "theoretical_us_published": self.layer.theoretical_us,
            "theoretical_difference": self.differences[0],
            "actual_us": self.actual_us,
            "actual_us_published": self.layer.actual_us,
            "actual_difference": self.differences[1],
            "cycles": self.cycles,
            "entries": self.entries,
            "padding": self.padding,
            "outside": self.layer.outside or "",
            "efficiency": {str(depth): value for depth, value in self.efficiency.items()},
        }


@dataclass(frozen=True)
class Check:
    """Every layer of the table."""

    arch: ArchConfig
    config: PublishedConfig
    layers: list[LayerCheck]

    @property
    def outside(self) -> list[LayerCheck]:
        """Layers with a time outside of the tolerance."""
        return [layer for layer in self.layers if layer.worst > self.config.tolerance]

    @property
    def worst(self) -> float:
        """Largest relative difference of the layers that are within the tolerance."""
        return max((x.worst for x in self.layers if x not in self.outside), default=0.0)

    @property
    def passed(self) -> bool:
        """Whether just those layers are outside of the tolerance that say why."""
        return all((layer in self.outside) == bool(layer.layer.outside) for layer in self.layers)

    @property
    def knee(self) -> int:
        """Queue depth at the knee of the mean efficiency, on a logarithmic axis of depth.

        The point farthest above the chord from the first to the last point, both axes scaled to
        0..1 (Satopaa et al., "Finding a Kneedle in a Haystack", 2011).
        """
        depths = sorted(self.layers[0].efficiency)
        mean = np.array([np.mean([c.efficiency[d] for c in self.layers]) for d in depths])
        x, y = np.log2(depths), mean - mean[0]
        if y[-1] <= 0:
            return depths[0]
        return depths[int(np.argmax(y / y[-1] - (x - x[0]) / (x[-1] - x[0])))]

    def answer(self) -> str:
        """How close, and why some layers are not."""
        number, outside = len(self.layers), self.outside
        within = number - len(outside)
        said = f"{within} of {number} layers have both times within {self.config.tolerance:.0%} of "
        said += f"those published (worst {self.worst:.1%})" if within else "those published"
        if outside:
            named = (
                f"{each.layer.name}, {each.worst:.0%}: "
                + (each.layer.outside or "NOT known why").rstrip(".")
                for each in outside
            )
            said += f"; outside are {'; '.join(named)}"
        stale = [
            each.layer.name for each in self.layers if each.layer.outside and each not in outside
        ]
        if stale:
            said += f"; within, but said to be outside: {', '.join(stale)}"
        return f"{said}. The knee of efficiency against queue depth is at {self.knee}."

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "arch": self.arch.name,
            "source": self.config.source,
            "tolerance": self.config.tolerance,
            "worst_difference": self.worst,
            "passed": self.passed,
            "knee": self.knee,
            "answer": self.answer(),
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer, without efficiency by depth."""
        return [
            {key: value for key, value in layer.to_dict().items() if key != "efficiency"}
            for layer in self.layers
        ]


def run(config: PublishedConfig, progress: Callable[[str], None] = lambda what: None) -> Check:
    """Simulate every layer of the table, and each queue depth of the plot.

    Raises
    ------
    InputError
        The design is not of the family that the table is about.
    """
    arch = ArchConfig.read(config.arch)
    if not isinstance(arch.array, CSCConfig):
        raise InputError(config.arch, "array.family", arch.array.family, "must be csc")
    mhz = config.clock_mhz
    checks = []
    for layer in config.layers:
        progress(layer.name)
        deep = _deep_enough(arch, layer)
        gemm = _draw(config, layer, deep)
        counts = array_model(deep).count(deep, gemm)
        pe = counts.causes["pe"]
        run_cycles = _resident(counts)
        entries = pe["mac"] + pe["padding"]
        checks.append(
            LayerCheck(
                layer=layer,
                theoretical_us=entries / arch.array.pes / mhz,
                actual_us=run_cycles / mhz,
                cycles=run_cycles,
                entries=entries,
                padding=pe["padding"],
                efficiency={
                    depth: _efficiency(_with_depth(deep, depth), gemm)
                    for depth in config.fifo_depths
                },
            )
        )
    return Check(arch, config, checks)


def _deep_enough(arch: ArchConfig, layer: PublishedLayer) -> ArchConfig:
    """The design, with memories for as many columns as a layer has, where these are too many."""
    array = arch.array_as(CSCConfig)
    depth = max(array.col_depth, depth_of(layer.K, 1))
    return arch.model_copy(update={"array": array.model_copy(update={"col_depth": depth})})


def _draw(config: PublishedConfig, layer: PublishedLayer, arch: ArchConfig) -> GEMM:
    rng = np.random.default_rng([config.seed, zlib.crc32(layer.name.encode())])
    numbers = arch.numbers
    return GEMM.of(
        sparse(rng, (layer.M, layer.K), layer.weight_density, numbers.weight_width),
        sparse(rng, (layer.K, 1), layer.act_density, numbers.act_width),
        layer.name,
    )


def _resident(counts: Counts) -> int:
    control = counts.causes["control"]
    return counts.cycles - control["load"] - control["weight"]


def _with_depth(arch: ArchConfig, depth: int) -> ArchConfig:
    return arch.model_copy(update={"array": arch.array.model_copy(update={"fifo_depth": depth})})


def _efficiency(arch: ArchConfig, gemm: GEMM) -> float:
    counts = array_model(arch).count(arch, gemm)
    pe = counts.causes["pe"]
    busy = pe["mac"] + pe["padding"] + pe["column"]
    return busy / (arch.array.multipliers * _resident(counts))
