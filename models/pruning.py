"""Magnitude pruning with masked retraining, in rounds, and the removal of dead paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor

from hwsim.config import LayerShape
from models.networks import Network
from models.projections import Support
from models.training import Epoch, Masks, apply_masks

__all__ = ["find_masks", "prune", "purify"]

#: Retrains a network in place under masks: ``retrain(stage, masks, last)`` returns the log.
Retrain = Callable[[str, Masks, bool], list[Epoch]]


def prune(
    network: Network, constraints: Mapping[str, Support], rounds: int, retrain: Retrain
) -> tuple[Masks, list[Epoch]]:
    """Prune in place to ``constraints`` in ``rounds`` steps, retraining after each.

    The pruned part grows as ``1 - (1 - round / rounds) ** 3`` of the whole (Zhu and Gupta, "To
    prune, or not to prune", 2017): most goes early, while the network can still recover.

    Returns
    -------
    masks, log
        The final masks, and the epochs of every round.
    """
    log: list[Epoch] = []
    masks: Masks = {}
    for number in range(1, rounds + 1):
        progress = 1 - (1 - number / rounds) ** 3
        masks = find_masks(network, constraints, progress)
        apply_masks(network, masks)
        clear_dead_biases(network, masks)
        log += retrain(f"prune {number}/{rounds}", masks, number == rounds)
    return masks, log


def find_masks(network: Network, constraints: Mapping[str, Support], progress: float) -> Masks:
    """Choose what stays of each layer, ``progress`` (0..1) of the way, with dead paths removed."""
    shapes = [shape for shape, _ in network.weighted()]
    weights = network.weights()
    relaxed = {name: constraint.relaxed(progress) for name, constraint in constraints.items()}
    masks = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    for name, constraint in relaxed.items():
        if not constraint.late:
            masks[name] = constraint.mask(weights[name]).clone()
    masks = purify(shapes, masks)
    # front to back: removed filters are gone before the next layer's columns are chosen
    for name, weight in weights.items():
        if name in relaxed and relaxed[name].late:
            masks[name] &= relaxed[name].mask(weight * masks[name])
            masks = purify(shapes, masks)
    return masks


def purify(shapes: list[LayerShape], masks: Masks) -> Masks:
    """Remove paths that end nowhere until none is left; layers follow each other in ``shapes``.

    A filter without weights is a constant 0 (its bias goes too), so the next layer's weights on its
    channel are removed; a filter whose channel no weight reads is removed.
    """
    masks = {name: mask.clone() for name, mask in masks.items()}
    pairs = list(pairwise(shapes))
    before = -1
    while (left := sum(int(mask.sum()) for mask in masks.values())) != before:
        before = left
        for shape, following in pairs:
            mask = masks[shape.layer.name]
            reads = _by_channel(following, masks[following.layer.name], shape.ofmap.channels)
            alive = mask.flatten(1).any(dim=1) & reads.any(dim=(1, 3)).flatten()
            mask[~alive] = False
            reads &= alive.view(reads.shape[0], 1, reads.shape[2], 1)
    return masks


def clear_dead_biases(network: Network, masks: Mapping[str, Tensor]) -> None:
    """Zero, in place, the biases of filters that have no weights; the last layer's stay."""
    layers = list(network.weighted())
    for shape, stage in layers[:-1]:
        if shape.layer.name in masks and stage.bias is not None:
            stage.bias.detach().mul_(masks[shape.layer.name].flatten(1).any(dim=1))


def _by_channel(shape: LayerShape, mask: Tensor, channels: int) -> Tensor:
    # view (G, M, channels of a group, positions): fc columns are channel-major as well
    groups = shape.layer.G
    return mask.view(groups, mask.shape[0] // groups, channels // groups, -1)
