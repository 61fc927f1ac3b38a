"""What a verification gives: every comparison, and whether simulator and RTL are equal."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwsim.config import ArchConfig
from hwsim.report.result import Result
from hwsim.verification.compare import Comparison
from hwsim.workload.outside import Outside

__all__ = ["Verification"]


@dataclass(frozen=True)
class Verification(Result):
    """A design on its simulator and in RTL, case by case."""

    arch: ArchConfig
    #: Verilog simulator.
    simulator: str
    comparisons: list[Comparison]
    #: Verilog that was simulated.
    verilog: Path
    #: Wall time.
    seconds: float
    #: Seed of the random cases.
    seed: int = 0
    #: Weights of the layers among the cases, in words; ``None`` without layers.
    weights: str | None = None
    #: Layers of the network that run outside the array, in floating point.
    outside: list[Outside] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.arch.name}: simulator and Verilog"

    @property
    def different(self) -> list[Comparison]:
        """Comparisons that are not equal."""
        return [comparison for comparison in self.comparisons if not comparison.equal]

    @property
    def equal(self) -> bool:
        """Whether simulator and RTL are equal in every case."""
        return not self.different

    @property
    def cycles(self) -> int:
        """Cycles of all cases in RTL."""
        return sum(comparison.rtl.cycles for comparison in self.comparisons)

    @property
    def models(self) -> dict[str, int]:
        """Number of cases that ran on the cycle model, and on the fast form."""
        names = [comparison.model for comparison in self.comparisons]
        return {model: names.count(model) for model in ("cycle model", "fast form")}

    def summary(self) -> str:
        """One sentence: cases that are equal, and the model that they ran on."""
        cases = len(self.comparisons)
        on = self.models
        return (
            f"{cases - len(self.different)} of {cases} cases equal"
            f"{f', layers of {self.weights}' if self.weights else ''}; "
            f"{on['cycle model']} of {cases} cases on the cycle model, "
            f"{on['fast form']} on the fast form"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "arch": self.arch.name,
            "simulator": self.simulator,
            "seed": self.seed,
            "weights": self.weights,
            "equal": self.equal,
            "different": len(self.different),
            "models": self.models,
            "cycles": self.cycles,
            "seconds": self.seconds,
            "verilog": str(self.verilog),
            "cases": [comparison.to_dict() for comparison in self.comparisons],
            "outside": [layer.to_dict() for layer in self.outside],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per case."""
        return [comparison.to_row() for comparison in self.comparisons]
