"""Measurements of one point of a sweep."""

from __future__ import annotations

from functools import lru_cache

from hwsim.cost.book import Book
from hwsim.cost.silicon import cost_of
from hwsim.engine.network import simulate
from hwsim.engine.results import NetworkResult
from hwsim.sweeps.grid import Point

__all__ = ["evaluate"]

#: Book of a technology, one in each process.
_book = lru_cache(Book)


def evaluate(point: Point) -> dict[str, float]:
    """Simulate a point: the columns of ``METRICS``, then cycles by cause as ``<group>.<cause>``.

    Without varied densities a dense design needs the shapes only; otherwise operands are synthetic.
    """
    if point.arch is None or point.network is None:
        raise ValueError(f"an invalid point cannot be simulated: {point.error}")
    result = simulate(point.arch, point.network, images=point.images, seed=point.seed)
    bits = result.bits
    return {
        "cycles": result.cycles,
        **({} if point.technology is None else _silicon(result, point.technology)),
        "multipliers": point.arch.array.multipliers,
        "utilization": result.utilization,
        "macs": result.macs,
        "useful_macs": result.useful_macs,
        "nonzeros": sum(layer.nonzeros for layer in result.layers),
        "bits": bits.total,
        "bits_values": bits.values,
        "bits_indices": bits.indices,
        "bits_pointers": bits.pointers,
        "bits_padding": bits.padding,
        **{
            f"{group}.{cause}": cycles
            for group, causes in result.counts.causes.items()
            for cause, cycles in causes.items()
        },
    }


def _silicon(result: NetworkResult, technology: str) -> dict[str, float]:
    """Columns of time, area and energy: memories are those of the point."""
    cost = cost_of(_book(technology), result)
    return {
        "time_us": cost.microseconds,
        "area_mm2": cost.mm2,
        "time_area": cost.time_area,
        "energy_uj": cost.microjoules,
        "mhz": cost.mhz,
    }
