"""What a workload costs on a design in a technology: time, area and energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwsim.config import ArchConfig
from hwsim.cost.area import Area
from hwsim.cost.book import Book
from hwsim.cost.energy import Energy, Supply, energy
from hwsim.cost.fit import Run, fit
from hwsim.engine.results import NetworkResult

__all__ = ["SiliconCost", "cost_of", "fitted_cost"]

#: What feeds an array where nothing else is said.
SUPPLY = Supply()


@dataclass(frozen=True)
class SiliconCost:
    """Area, time and energy of one workload on one design."""

    area: Area
    energy: Energy

    @property
    def arch(self) -> ArchConfig:
        """The design, its memories as the area has them."""
        return self.energy.arch

    @property
    def mhz(self) -> float:
        """Clock of the design."""
        return self.energy.mhz

    @property
    def microseconds(self) -> float:
        """Time at that clock."""
        return self.energy.microseconds

    @property
    def mm2(self) -> float:
        """Area with memories."""
        return self.area.total / 1e6

    @property
    def time_area(self) -> float:
        """Time x area, us mm2."""
        return self.microseconds * self.mm2

    @property
    def microjoules(self) -> float:
        """Energy with what feeds the array."""
        return self.energy.total / 1e6

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        array = self.arch.array
        return {
            "technology": self.area.technology,
            "mhz": self.mhz,
            "time_us": self.microseconds,
            "area_mm2": self.mm2,
            "memories_mm2": self.area.memory / 1e6,
            "time_area_us_mm2": self.time_area,
            "energy_uj": self.microjoules,
            "array_energy_uj": self.energy.array / 1e6,
            "depths": {name: getattr(array, name) for name in array.DEPTHS},
        }


def cost_of(
    book: Book,
    result: NetworkResult,
    *,
    supply: Supply = SUPPLY,
    logic: ArchConfig | None = None,
) -> SiliconCost:
    """Find what a workload costs on the design that it was counted on.

    Parameters
    ----------
    logic
        Design whose logic and clock are taken: that of ``result``, before its memories were fitted.
        What smaller memories save in addresses is left out.

    Raises
    ------
    InputError
        A part of the design cannot be measured.
    """
    arch = result.arch if logic is None else logic
    # the streams that were counted are the array's: a machine around it is left out
    area = book.area(arch.bare, result.arch.array.memories(arch.numbers))
    spent = energy(result, area, book.activity(arch), book.clock(arch).mhz, supply)
    return SiliconCost(area, spent)


def fitted_cost(book: Book, arch: ArchConfig, run: Run) -> SiliconCost:
    """Fit a design's memories to a workload, and find what the workload costs on it.

    Parameters
    ----------
    run
        Counts the workload on a design; raises :class:`InputError` where it does not fit.

    Raises
    ------
    InputError
        The workload does not fit the design, or a part of it cannot be measured.
    """
    return cost_of(book, fit(arch, run, technology=book.technology).after, logic=arch)
