"""Measurements of one point of a sweep."""

from __future__ import annotations

from hwsim.engine.network import simulate
from hwsim.sweeps.grid import Point

__all__ = ["evaluate"]


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
        "time_us": result.microseconds,
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
