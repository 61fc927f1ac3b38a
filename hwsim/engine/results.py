"""Results of a network on a design: cycles by cause, events, stored bits, per layer, in total."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig
from hwsim.formats.base import Bits
from hwsim.formats.lists import NONE, Lists
from hwsim.report.result import Result
from hwsim.workload.outside import Outside

__all__ = ["LayerResult", "NetworkResult"]


@dataclass(frozen=True)
class LayerResult:
    """One layer on one design.

    ``shape`` is (M, K, N) of one group. ``macs`` is the dense work of the layer; ``useful_macs``
    counts those whose weight and activation are both non-zero, or all of them where only shapes are
    known.
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
    #: Sums that ``psum_width`` bits cannot hold, and that wrap.
    overflows: int = 0
    #: What was changed for the design's format, in words: passes, order of K, weights left out.
    note: str = ""
    #: Gather lists that lie beside the weights.
    lists: Lists = NONE

    @property
    def cycles(self) -> int:
        """Cycles from the first command to the last partial sum."""
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
            "overflows": self.overflows,
            "cycles": self.cycles,
            "utilization": self.utilization,
            "causes": self.counts.causes,
            "events": self.counts.events,
            "bits": self.bits.to_dict(),
            "lists": self.lists.to_dict(),
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any], multipliers: int) -> LayerResult:
        """Layer on a design of so many multipliers, from what :meth:`to_dict` gives."""
        return cls(
            name=raw["layer"],
            shape=(raw["M"], raw["K"], raw["N"]),
            groups=raw["groups"],
            macs=raw["macs"],
            useful_macs=raw["useful_macs"],
            nonzeros=raw["nonzeros"],
            overflows=raw["overflows"],
            note=raw["note"],
            counts=Counts(raw["cycles"], raw["causes"], raw["events"]),
            bits=Bits.from_dict(raw["bits"]),
            lists=Lists.from_dict(raw["lists"]),
            multipliers=multipliers,
        )

    def to_row(self) -> dict[str, Any]:
        """Flat row of plain values; cycles by cause as ``<group>.<cause>``."""
        return {
            "layer": self.name,
            "M": self.shape[0],
            "K": self.shape[1],
            "N": self.shape[2],
            "groups": self.groups,
            "macs": self.macs,
            "useful_macs": self.useful_macs,
            "nonzeros": self.nonzeros,
            "overflows": self.overflows,
            "cycles": self.cycles,
            "utilization": self.utilization,
            "bits": self.bits.total,
            **_flat(self.counts),
        }


def _flat(counts: Counts) -> dict[str, int]:
    """Cycles by cause as ``<group>.<cause>``."""
    return {
        f"{group}.{cause}": cycles
        for group, causes in counts.causes.items()
        for cause, cycles in causes.items()
    }


@dataclass(frozen=True)
class NetworkResult(Result):
    """Every layer with weights of a network on one design, run one after the other."""

    arch: ArchConfig
    network: str
    #: Batch.
    images: int
    layers: list[LayerResult]
    #: Values of the network's input and outputs, all images.
    border: int = 0
    #: Where the operands come from, in words: ``operands`` and ``inputs``.
    origin: dict[str, str] = field(default_factory=dict)
    #: Clock, where it is known.
    mhz: float | None = None
    #: Layers that run outside the array, in floating point.
    outside: list[Outside] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Title of the table: network, design, batch, operands."""
        parts = [f"{self.network} on {self.arch.name}", f"{self.images} image(s)"]
        return ", ".join([*parts, *self.origin.values()])

    @property
    def counts(self) -> Counts:
        """Counts of all layers."""
        return reduce(add, (layer.counts for layer in self.layers), Counts(0))

    @property
    def cycles(self) -> int:
        """Cycles of all layers."""
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
    def overflows(self) -> int:
        """Sums of all layers that wrap."""
        return sum(layer.overflows for layer in self.layers)

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
    def microseconds(self) -> float | None:
        """Time of all layers, where the clock is known."""
        return None if self.mhz is None else self.cycles / self.mhz

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "arch": self.arch.name,
            "network": self.network,
            "images": self.images,
            "multipliers": self.arch.array.multipliers,
            "cycles": self.cycles,
            "mhz": self.mhz,
            "microseconds": self.microseconds,
            "macs": self.macs,
            "useful_macs": self.useful_macs,
            "overflows": self.overflows,
            "utilization": self.utilization,
            "causes": self.counts.causes,
            "events": self.counts.events,
            "bits": self.bits.to_dict(),
            "layers": [layer.to_dict() for layer in self.layers],
            "outside": [layer.to_dict() for layer in self.outside],
            **self.origin,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer, then their total: work, cycles by cause, stored bits."""
        rows = [layer.to_row() for layer in self.layers]
        total = {
            "layer": "total",
            "macs": self.macs,
            "useful_macs": self.useful_macs,
            "nonzeros": sum(layer.nonzeros for layer in self.layers),
            "overflows": self.overflows,
            "cycles": self.cycles,
            "utilization": self.utilization,
            "bits": self.bits.total,
        }
        return [*rows, total | _flat(self.counts)]
