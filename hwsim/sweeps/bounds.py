"""What is known of a point before it is simulated: enough to drop many that miss a bound."""

from __future__ import annotations

from dataclasses import dataclass, field

from hwsim.config import ArchConfig
from hwsim.cost.book import Book
from hwsim.sweeps.point import Point
from hwsim.workload.outside import outside_of

__all__ = ["Bounds", "Known"]

#: Designs that are kept: points of one design follow each other, or come again in a round of this.
KEPT = 4096


@dataclass(frozen=True)
class Known:
    """Metrics without a simulation: those that are exact, and those of which the least is known."""

    exact: dict[str, float]
    least: dict[str, float] = field(default_factory=dict)


class Bounds:
    """Metrics of designs that no simulation is needed for.

    Parameters
    ----------
    book
        Silicon of designs; ``None`` where no technology is named.
    """

    def __init__(self, book: Book | None) -> None:
        self._book = book
        self._designs: dict[tuple[str, bool], Known] = {}

    def of(self, point: Point) -> Known:
        """Metrics of a valid point.

        Raises
        ------
        InputError
            A part of the design cannot be measured.
        """
        assert point.arch is not None
        assert point.network is not None
        is_fitted = point.slack is not None
        key = (point.arch.digest, is_fitted)
        if key not in self._designs:
            if len(self._designs) >= KEPT:
                self._designs.clear()
            self._designs[key] = self._design(point.arch, is_fitted)
        design = self._designs[key]
        work = {"macs": point.images * sum(shape.macs for shape in point.network.shapes())}
        if beside := outside_of(point.network):
            work["outside_macs"] = point.images * sum(layer.macs for layer in beside)
        exact = {**design.exact, **point.accuracy, **work}
        if beside:
            exact["outside_share"] = sum(layer.share for layer in beside)
        return Known(exact, design.least)

    def _design(self, arch: ArchConfig, fit: bool) -> Known:
        ports = arch.array.port_bits(arch.numbers)
        exact: dict[str, float] = {"multipliers": arch.array.multipliers}
        if ports:
            exact["port_bits"] = sum(ports.values())
            exact |= {f"{stream}_port_bits": bits for stream, bits in ports.items()}
        if self._book is None:
            return Known(exact)
        area = self._book.area(arch)
        exact["mhz"] = self._book.clock(arch).mhz
        if not fit:
            silicon = {"area_mm2": area.total / 1e6, "memories_mm2": area.memory / 1e6}
            return Known(exact | silicon)
        # memories are still to be fitted
        return Known(exact, {"area_mm2": (area.total - area.memory) / 1e6})
