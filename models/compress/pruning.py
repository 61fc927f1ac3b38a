"""Masks from constraints: the hard projection, and the removal of dead paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hwsim.config import LayerShape, read_by
from hwsim.models.constraints.joint import Budget, Joint
from hwsim.models.networks.network import Network
from hwsim.models.networks.slim import Masks

__all__ = ["clear_dead_biases", "find_masks", "purify"]


def find_masks(network: Network, weights: Mapping[str, Tensor], constraints: Joint) -> Masks:
    """Choose the weights that each layer keeps, without dead paths.

    Weights on a dead path have no effect, so a budget does not count them and keeps others instead.

    Parameters
    ----------
    network
        Its layers.
    weights
        Tensor per layer name: the network's weights, or ADMM's W + U.
    constraints
        The constraints that the weights have to obey.

    Returns
    -------
    masks
        ``bool`` tensor of the weight's shape per layer.

    Raises
    ------
    InputError
        A budget leaves a layer without weights.
    """
    shapes = network.shapes
    whole = {name: torch.ones_like(each, dtype=torch.bool) for name, each in weights.items()}
    if isinstance(constraints, Budget):
        return _spend(shapes, whole, constraints, weights)
    late = constraints.late
    chosen = {n: mask for n, mask in constraints.masks(weights).items() if n not in late}
    masks = purify(shapes, whole | chosen)
    # front to back: removed filters are gone before the next layer's columns are chosen
    for name, constraint in late.items():
        masks[name] &= constraint.mask(weights[name] * masks[name])
        masks = purify(shapes, masks)
    return masks


def _spend(
    shapes: Sequence[LayerShape], whole: Masks, budget: Budget, weights: Mapping[str, Tensor]
) -> Masks:
    """Bisect the number of weights to choose until the budget's number is alive."""
    choose, total = budget.choices(weights), sum(whole[name].numel() for name in budget.names)
    target = round(budget.keep * total)
    low, high = target, total
    best = purify(shapes, whole | choose(low))
    while high - low > 1 and target - _count(best, budget) > target // 1000:
        middle = (low + high) // 2
        masks = purify(shapes, whole | choose(middle))
        if _count(masks, budget) <= target:
            low, best = middle, masks
        else:
            high = middle
    return best


def _count(masks: Masks, budget: Budget) -> int:
    return sum(int(masks[name].sum()) for name in budget.names)


def purify(shapes: Sequence[LayerShape], masks: Masks) -> Masks:
    """Remove dead paths until none is left.

    A filter without weights computes a constant 0 (its bias is cleared, too), so the weights on its
    channel are removed, where that is not a sum with another filter's. A filter whose channel no
    weight reads is removed.

    Parameters
    ----------
    shapes
        The network's layers, in order; the last one gives what is read from outside.
    masks
        ``bool`` tensor of the weight's shape per layer; not changed.

    Returns
    -------
    masks
        The same without dead paths.
    """
    masks = {name: mask.clone() for name, mask in masks.items()}
    reads = read_by(shapes)
    before = -1
    while (left := sum(int(mask.sum()) for mask in masks.values())) != before:
        before = left
        _clear_unfed(shapes, reads, masks)
        _clear_unread(shapes, reads, masks)
    return masks


def _clear_unfed(
    shapes: Sequence[LayerShape], reads: Mapping[str, tuple[str, ...]], masks: Masks
) -> None:
    """Clear, in place, weights on channels that no filter with weights gives."""
    fed = {"input": torch.ones(shapes[0].ifmap.channels, dtype=torch.bool)}
    for shape in shapes:
        name = shape.layer.name
        sources = [fed[each] for each in reads[name]]
        if shape.has_weights:
            weights = _by_channel(shape, masks[name])
            weights &= sources[0].view(weights.shape[0], 1, -1, 1)
            fed[name] = masks[name].flatten(1).any(dim=1)
        else:
            fed[name] = torch.stack(sources).any(dim=0)


def _clear_unread(
    shapes: Sequence[LayerShape], reads: Mapping[str, tuple[str, ...]], masks: Masks
) -> None:
    """Clear, in place, filters whose channel no weight reads."""
    read = {"input": torch.zeros(shapes[0].ifmap.channels, dtype=torch.bool)}
    read |= {s.layer.name: torch.zeros(s.ofmap.channels, dtype=torch.bool) for s in shapes}
    read[shapes[-1].layer.name][:] = True
    for shape in reversed(shapes):
        name = shape.layer.name
        wanted = read[name]
        if shape.has_weights:
            masks[name][~wanted] = False
            wanted = _by_channel(shape, masks[name]).any(dim=(1, 3)).flatten()
        for source in reads[name]:
            read[source] |= wanted


def clear_dead_biases(network: Network, masks: Mapping[str, Tensor]) -> None:
    """Clear the biases of filters without weights, in place, except in the last layer.

    Parameters
    ----------
    network
        The network.
    masks
        ``bool`` tensor of the weight's shape per layer. A layer that is not named is whole.
    """
    layers = list(network.weighted())
    for shape, stage in layers[:-1]:
        if shape.layer.name in masks and stage.bias is not None:
            stage.bias.detach().mul_(masks[shape.layer.name].flatten(1).any(dim=1))


def _by_channel(shape: LayerShape, mask: Tensor) -> Tensor:
    # view as (G, M, channels per group, positions): fc columns are channel-major as well
    groups = shape.layer.G
    return mask.view(groups, mask.shape[0] // groups, shape.C, -1)
