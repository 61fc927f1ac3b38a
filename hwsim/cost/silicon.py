"""What a workload costs on a design in a technology: time, area and energy, memories fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwsim.config import ArchConfig, NetworkConfig
from hwsim.cost.area import Area
from hwsim.cost.book import Book
from hwsim.cost.energy import Energy, Supply, border_bits, energy
from hwsim.cost.fit import Run, fit
from hwsim.engine.results import NetworkResult

__all__ = ["Silicon", "silicon"]

#: What feeds an array where nothing else is said.
SUPPLY = Supply()


@dataclass(frozen=True)
class Silicon:
    """Area, clock and energy of one workload on one design."""

    #: The design with memories sized for the workload; cycles are those with them.
    result: NetworkResult
    area: Area
    energy: Energy
    mhz: float

    @property
    def fitted(self) -> ArchConfig:
        """The design with memories sized for the workload."""
        return self.result.arch

    @property
    def mm2(self) -> float:
        """Area with memories."""
        return self.area.total / 1e6

    @property
    def microseconds(self) -> float:
        """Time at the design's own clock."""
        return self.result.cycles / self.mhz

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
        array = self.fitted.array
        return {
            "technology": self.area.technology,
            "mhz": self.mhz,
            "time_us": self.microseconds,
            "area_mm2": self.mm2,
            "memories_mm2": self.area.memory / 1e6,
            "time_area_us_mm2": self.time_area,
            "energy_uj": self.microjoules,
            "array_energy_uj": self.energy.array / 1e6,
            "fitted": {name: getattr(array, name) for name in array.DEPTHS},
        }


def silicon(
    book: Book,
    arch: ArchConfig,
    network: NetworkConfig,
    run: Run,
    *,
    images: int,
    supply: Supply = SUPPLY,
) -> Silicon:
    """Fit a design's memories to a workload, and find what the workload costs on it.

    The logic, and the clock, are those of the design as configured: what smaller memories save in
    addresses is left out.

    Parameters
    ----------
    run
        Counts the workload on a design; raises :class:`InputError` where it does not fit.

    Raises
    ------
    InputError
        The workload does not fit the design, or a part of it cannot be measured.
    """
    result = fit(arch, run, technology=book.technology).after
    area = book.area(arch, result.arch.array.memories(arch.numbers))
    mhz = book.mhz(arch)
    return Silicon(
        result,
        area,
        energy(
            result,
            area,
            book.activity(arch),
            mhz,
            supply=supply,
            border_bits=images * border_bits(network, arch.numbers.act_width),
        ),
        mhz,
    )
