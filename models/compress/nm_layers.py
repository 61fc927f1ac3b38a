"""Choose n of every m for each layer by itself, so that a fraction of all weights stays.

Every layer begins with the n of the rule. One weight per block less costs a layer the energy (sum
of squares) of the smallest weight of each block; relative to the layer's energy, and per weight
that goes, the cheapest step of all layers is taken next.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError

__all__ = ["chosen_n"]

Matrices = list[NDArray[np.floating]]


def chosen_n(
    layers: Mapping[str, Matrices], given: Mapping[str, int], n: int, m: int, keep: float
) -> dict[str, int]:
    """Choose n of each layer.

    Parameters
    ----------
    layers
        Weights ``(M, K)`` of each group, by layer.
    given
        n of layers that the user has chosen, which stay.
    n, m
        Largest n of the others, and m of all.
    keep
        Fraction of the weights of all layers that stays at most.

    Raises
    ------
    InputError
        More than that stays with n = 1 in every layer.
    """
    found = {name: given.get(name, n) for name in layers}
    sizes = {name: sum(each.size for each in matrices) for name, matrices in layers.items()}
    losses = {name: _losses(matrices, m) for name, matrices in layers.items() if name not in given}
    total = sum(sizes.values())
    while sum(sizes[name] * each for name, each in found.items()) > keep * m * total:
        steps = {
            name: (losses[name][found[name] - 1] - losses[name][found[name]]) / sizes[name]
            for name in losses
            if found[name] > 1
        }
        if not steps:
            least = sum(sizes[name] * each for name, each in found.items()) / m / total
            rule = f"must be at least {least:.3g}: with n = 1 of every {m} that much stays"
            raise InputError("arguments", "keep", keep, rule)
        found[min(steps, key=steps.__getitem__)] -= 1
    return found


def _losses(matrices: Matrices, m: int) -> list[float]:
    """Fraction of a layer's energy that goes where n of every m stay, for n = 0 to m."""
    kept = np.zeros(m + 1)
    for weight in matrices:
        padded = np.pad(weight.astype(np.float64) ** 2, ((0, 0), (0, -weight.shape[1] % m)))
        blocks = -np.sort(-padded.reshape(-1, m), axis=1)
        kept[1:] += blocks.sum(axis=0).cumsum()
    energy = kept[m] or 1.0
    return [float(1 - each / energy) for each in kept]
