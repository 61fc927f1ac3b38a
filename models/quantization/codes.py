"""Weight codes as a constraint, and training under it.

Each weight of a layer is an integer that has a code (:mod:`hwsim.formats.codes`) times the layer's
scale. The set of such weights is a projection like those of
:mod:`hwsim.models.constraints.projections`; :class:`Aware` trains a network that computes with the
nearest member of the set.
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

#: Largest number of moves (from one level to the next) that are sorted to find the best scale.
_MOVES = 500_000
#: Scales that are tried where there are more moves.
_SCALES = 2000


@dataclass(frozen=True)
class Codes(Projection):
    """The set of weight tensors whose every weight is a level times one scale.

    ``int`` is used symmetrically, without its most negative level. ``levels`` has no zero, so
    whoever removes weights by a mask has to apply the mask again after a projection.

    Parameters
    ----------
    numbers
        Width and code of a weight.
    """

    numbers: NumberConfig

    @cached_property
    def levels(self) -> Tensor:
        """Integers with a code, ascending, float32."""
        levels = codes.levels(self.numbers)
        if self.numbers.weight_code == "int":
            levels = levels[1:]
        return torch.from_numpy(levels.astype(np.float32))

    @property
    def largest(self) -> int:
        """Largest level."""
        return int(self.levels[-1])

    def project(self, weight: Tensor) -> Tensor:
        """Round to the levels times the scale of the least squared error."""
        scale = self.fit(weight)
        return self.nearest(weight, scale) * scale

    def nearest(self, weight: Tensor, scale: float) -> Tensor:
        """Choose the level nearest to each weight / scale.

        Returns
        -------
        Tensor
            Integers as float32, of the weight's shape.
        """
        levels = self.levels.to(weight.device)
        scaled = (weight / scale).contiguous()
        return levels[torch.bucketize(scaled, (levels[1:] + levels[:-1]) / 2)]

    def fit(self, weight: Tensor) -> float:
        """Compute the scale of the least squared error; 1 where every weight is 0.

        The scale is optimal for layers of up to ``_MOVES`` moves. Larger layers get the best scale
        of a fine grid, refitted to the levels chosen.

        Parameters
        ----------
        weight
            Any shape.
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
        """Compute the scale of the least squared error for integers already chosen.

        Returns
        -------
        float
            ``scale`` itself where every integer is 0 or no positive scale fits.
        """
        power = float(integers.square().sum())
        product = float((weight * integers).sum())
        return product / power if power and product > 0 else scale


def _scan(magnitudes: Floats, levels: Floats) -> float:
    """Find the optimal scale for ascending magnitudes.

    As the scale shrinks, magnitudes move up to the next level one by one, each when magnitude /
    scale passes the middle of two levels. Running sums in the order of these moves give the least
    squared error of every assignment of levels that is nearest for some scale.
    """
    order = np.argsort(-magnitudes[:, None] / _middles(levels), axis=None)
    ones = np.ones_like(magnitudes)
    products = _running(np.outer(magnitudes, np.diff(levels)).ravel()[order])
    powers = _running(np.outer(ones, np.diff(levels**2)).ravel()[order])
    return _best(levels[0] * magnitudes.sum() + products, levels[0] ** 2 * len(magnitudes) + powers)


def _grid(magnitudes: Floats, levels: Floats) -> float:
    """Find the best scale of a grid for ascending magnitudes.

    The grid spans every possible optimum. At the low end the top level stands for the mean
    magnitude: the levels chosen rise with the magnitudes, so the mean that they weight is no
    smaller. At the high end the least positive level stands for the largest magnitude.
    """
    low, high = magnitudes.mean() / levels[-1], magnitudes[-1] / levels[levels > 0][0]
    scales = np.geomspace(low, high, _SCALES)
    # index of the first magnitude above each middle
    above = np.searchsorted(magnitudes, scales[:, None] * _middles(levels))
    sums = _running(magnitudes)
    products = levels[0] * sums[-1] + (sums[-1] - sums[above]) @ np.diff(levels)
    powers = levels[0] ** 2 * len(magnitudes) + (len(magnitudes) - above) @ np.diff(levels**2)
    return _best(products, powers)


def _middles(levels: Floats) -> Floats:
    return (levels[1:] + levels[:-1]) / 2


def _best(products: Floats, powers: Floats) -> float:
    """Compute the scale ``product / power`` of the least squared error."""
    # power is 0 before the first move where zero is a level
    explained = np.divide(products**2, powers, out=np.zeros_like(products), where=powers > 0)
    best = int(explained.argmax())
    return float(products[best] / powers[best])


def _running(steps: Floats) -> Floats:
    """Compute the sums of the first 0, 1, 2, ... steps."""
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
        The set of quantized weights, by layer.
    masks
        ``bool`` tensor of the weight's shape per layer: weights outside are 0. A layer that is not
        named is whole.
    scales
        Scale of each layer from the latest step; filled by the first step.
    """

    codes: Mapping[str, Codes]
    masks: Mapping[str, Tensor]
    scales: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def substituted(self, network: Network) -> Iterator[None]:
        """Substitute the quantized weights within the context; restore the float weights after."""
        weights = network.weights()
        floats = {name: weight.clone() for name, weight in weights.items()}
        self.settle(network)
        try:
            yield
        finally:
            for name, weight in weights.items():
                weight.copy_(floats[name])

    @torch.no_grad()
    def settle(self, network: Network) -> None:
        """Quantize the weights in place."""
        for name, weight in network.weights().items():
            codes, mask = self.codes[name], self.masks.get(name)
            if name not in self.scales:
                self.scales[name] = codes.fit(weight if mask is None else weight[mask])
            integers = codes.nearest(weight, self.scales[name])
            if mask is not None:
                integers = integers * mask
            self.scales[name] = codes.refit(weight, integers, self.scales[name])
            weight.copy_(integers * self.scales[name])
