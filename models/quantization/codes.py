"""Weight codes as a constraint, and training under it.

A layer's weights are an integer that has a code (:mod:`hwsim.formats.codes`) times one scale. The
set is a projection like those of :mod:`hwsim.models.constraints.projections`; :class:`Aware`
retrains a network that computes with the nearest member of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwsim.config import NumberConfig
from hwsim.formats import codes
from hwsim.models.constraints.projections import Projection
from hwsim.models.networks.network import Network

__all__ = ["Aware", "Codes"]

Floats = NDArray[np.float64]

#: Moves from one level to the next that are sorted to find the best scale.
_MOVES = 500_000
#: Scales that are tried where there are more.
_SCALES = 2000


@dataclass(frozen=True)
class Codes(Projection):
    """Weights that are a level times one scale.

    ``int`` is used symmetrically, without its most negative level. ``levels`` has no zero: what a
    mask removes is to be masked again by who removed it.
    """

    numbers: NumberConfig

    @cached_property
    def levels(self) -> Tensor:
        """Integers with a code, ascending, float32."""
        found = codes.levels(self.numbers)
        if self.numbers.weight_code == "int":
            found = found[1:]
        return torch.from_numpy(found.astype(np.float32))

    @property
    def largest(self) -> int:
        """Largest level."""
        return int(self.levels[-1])

    def project(self, weight: Tensor) -> Tensor:
        """Round to the levels of the scale that fits best."""
        scale = self.fit(weight)
        return self.nearest(weight, scale) * scale

    def nearest(self, weight: Tensor, scale: float) -> Tensor:
        """Choose the level nearest to each weight in units of the scale: integers as floats."""
        levels = self.levels.to(weight.device)
        wanted = (weight / scale).contiguous()
        return levels[torch.bucketize(wanted, (levels[1:] + levels[:-1]) / 2)]

    def fit(self, weight: Tensor) -> float:
        """Compute the scale of the least squared error; 1 where every weight is 0.

        No other pair of scale and levels is better, except for layers too large for that: there
        the scale is the best of a fine grid, refitted.
        """
        flat = weight.detach().flatten().double().cpu()
        magnitudes, levels = np.sort(flat.abs().numpy()), self.levels.double().numpy()
        if not magnitudes.any():
            return 1.0
        levels = levels[levels >= 0]
        find = _scan if len(magnitudes) * len(levels) <= _MOVES else _grid
        scale = find(magnitudes, levels)
        return self.refit(flat, self.nearest(flat, scale), scale)

    def refit(self, weight: Tensor, integers: Tensor, scale: float) -> float:
        """Compute the scale that fits these integers best; ``scale`` where all are 0."""
        power = float(integers.square().sum())
        product = float((weight * integers).sum())
        return product / power if power and product > 0 else scale


def _scan(magnitudes: Floats, levels: Floats) -> float:
    """Find the best scale of all.

    As the scale shrinks, magnitudes move up a level one by one, each when it passes the middle of
    two levels. In the order of these moves, running sums give the least error of every choice of
    levels that is nearest for some scale.
    """
    order = np.argsort(-magnitudes[:, None] / _middles(levels), axis=None)
    ones = np.ones_like(magnitudes)
    products = _running(np.outer(magnitudes, np.diff(levels)).ravel()[order])
    powers = _running(np.outer(ones, np.diff(levels**2)).ravel()[order])
    return _best(levels[0] * magnitudes.sum() + products, levels[0] ** 2 * len(magnitudes) + powers)


def _grid(magnitudes: Floats, levels: Floats) -> float:
    """Find the best scale of a grid, over ascending magnitudes.

    The best one takes the top level to the mean magnitude at least, as the mean weighted with the
    levels chosen, which rise with the magnitudes, is no smaller; and the least positive level to
    the largest magnitude at most.
    """
    low, high = magnitudes.mean() / levels[-1], magnitudes[-1] / levels[levels > 0][0]
    scales = np.geomspace(low, high, _SCALES)
    # magnitudes from here on lie above the middle
    above = np.searchsorted(magnitudes, scales[:, None] * _middles(levels))
    sums = _running(magnitudes)
    products = levels[0] * sums[-1] + (sums[-1] - sums[above]) @ np.diff(levels)
    powers = levels[0] ** 2 * len(magnitudes) + (len(magnitudes) - above) @ np.diff(levels**2)
    return _best(products, powers)


def _middles(levels: Floats) -> Floats:
    return (levels[1:] + levels[:-1]) / 2


def _best(products: Floats, powers: Floats) -> float:
    """Compute the scale ``product / power`` that leaves least of the squares' sum."""
    # no move at all has no power where zero is a level
    explained = np.divide(products**2, powers, out=np.zeros_like(products), where=powers > 0)
    best = int(explained.argmax())
    return float(products[best] / powers[best])


def _running(steps: Floats) -> Floats:
    """Sums of the first 0, 1, 2, ... of the steps."""
    return np.concatenate([[0.0], np.cumsum(steps)])


@dataclass
class Aware:
    """Quantization-aware training: compute with quantized weights, update the float ones.

    The gradient with respect to a quantized weight moves the float weight behind it, as if the
    rounding were not there (the straight-through estimator; BinaryConnect, 2015). The scale of a
    layer follows its weights: each step refits it to the levels chosen.

    Parameters
    ----------
    codes
        The set of quantized weights of each layer.
    masks
        What may be non-zero, by layer; a layer not named is whole.
    """

    codes: Mapping[str, Codes]
    masks: Mapping[str, Tensor]
    #: Scale of each layer, from the latest step on.
    scales: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def substituted(self, network: Network) -> Iterator[None]:
        """Give the network its quantized weights; on leaving, the float ones come back."""
        weights = network.weights()
        kept = {name: weight.clone() for name, weight in weights.items()}
        self.settle(network)
        try:
            yield
        finally:
            for name, weight in weights.items():
                weight.copy_(kept[name])

    @torch.no_grad()
    def settle(self, network: Network) -> None:
        """Quantize the weights for good, in place."""
        for name, weight in network.weights().items():
            codes, mask = self.codes[name], self.masks.get(name)
            if name not in self.scales:
                self.scales[name] = codes.fit(weight if mask is None else weight[mask])
            integers = codes.nearest(weight, self.scales[name])
            if mask is not None:
                integers = integers * mask
            self.scales[name] = codes.refit(weight, integers, self.scales[name])
            weight.copy_(integers * self.scales[name])
