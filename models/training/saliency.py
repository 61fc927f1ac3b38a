"""How much the loss depends on each weight, from the gradients of training.

Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019, equation 8: to
remove a weight w changes the loss by about ``gradient * w``, and its importance is the square of
that, averaged over batches. The importance of a group is the sum of its weights'. All layers have
one scale, so that one budget can be split among them by importance.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hwsim.models.networks.network import Network
from hwsim.models.networks.slim import Slim

__all__ = ["Saliency"]


class Saliency:
    """Sums over optimizer steps of ``(gradient * w) ** 2`` and of the gradient, per weight."""

    def __init__(self) -> None:
        self._steps = 0
        self._changes: dict[str, Tensor] = {}
        self._gradients: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, worker: Network) -> None:
        """Take in the gradients of one step, before the weights move.

        Parameters
        ----------
        worker
            The same network, or slim copy, in each call.
        """
        self._steps += 1
        for shape, stage in worker.weighted():
            gradient = stage.weight.grad
            assert gradient is not None
            change = (gradient * stage.weight).square_()
            for sums, each in ((self._changes, change), (self._gradients, gradient)):
                if shape.layer.name in sums:
                    sums[shape.layer.name].add_(each)
                else:
                    sums[shape.layer.name] = each.clone()

    def give_back(self, copy: Slim, network: Network) -> None:
        """Expand the sums from the slim copy to the network: 0 where the copy has no weight."""
        for name, weight in network.weights().items():
            for sums in (self._changes, self._gradients):
                whole = torch.zeros_like(weight)
                copy.put(name, sums[name], whole)
                sums[name] = whole

    def scores(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor], *, regrow: bool
    ) -> dict[str, Tensor]:
        """Compute the square root of each weight's importance, in units of the loss.

        Their norm over a group is the root of the group's importance: constraints take them in
        place of magnitudes.

        Parameters
        ----------
        weights
            Weights by layer name.
        masks
            ``bool`` of the weight's shape per layer; a layer that is not named is whole.
        regrow
            Whether a weight outside its mask may score: as much as a typical weight of the layer
            (its root mean square) would change the loss by the mean gradient. That removed weights
            return by the magnitude of their gradient is RigL's rule (Evci et al., ICML 2020).
            Otherwise such a weight scores 0.

        Returns
        -------
        scores
            Tensors of the weights' shapes, at least 0.
        """
        scores = {}
        for name, weight in weights.items():
            score = (self._changes[name] / self._steps).sqrt()
            mask = masks.get(name)
            if mask is not None:
                typical = weight[mask].square().mean().sqrt() if regrow else 0.0
                drift = (self._gradients[name] / self._steps).abs()
                score = torch.where(mask, score, drift * typical)
            scores[name] = score
        return scores
