"""Constraints on all layers of a network together, as one projection.

A constraint on one layer is a :class:`~hwsim.models.constraints.projections.Support`. Pruning and
ADMM need the whole network, because layers may share a budget: a :class:`Joint` projects all
constrained layers at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hwsim.errors import InputError
from hwsim.models.constraints.projections import Support

__all__ = ["Budget", "Joint", "PerLayer", "Tensors"]

#: Weight tensors, or ``bool`` masks of their shapes, by layer name.
Tensors = Mapping[str, Tensor]


class Joint(ABC):
    """A set of weights of several layers together, defined by which of them may be non-zero."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the constrained layers."""

    @property
    @abstractmethod
    def late(self) -> Mapping[str, Support]:
        """Constraints, front to back, whose masks are chosen only after dead paths are removed."""

    @abstractmethod
    def masks(self, weights: Tensors) -> dict[str, Tensor]:
        """Choose the weights to keep: ``bool`` of the weight's shape per constrained layer."""

    @abstractmethod
    def relaxed(self, progress: float) -> Joint:
        """Return a constraint that prunes only ``progress`` (0..1) of what this one prunes."""

    @abstractmethod
    def begun(self, weights: Tensors) -> Joint:
        """Return the same constraint, whose :meth:`relaxed` begins at what ``weights`` keep."""

    @abstractmethod
    def frozen(self, weights: Tensors) -> Joint:
        """Fix the choices that must not change between projections, such as pattern libraries."""

    def project(self, weights: Tensors) -> dict[str, Tensor]:
        """Compute the nearest member of the set, by name of the constrained layer."""
        return {name: weights[name] * mask for name, mask in self.masks(weights).items()}


@dataclass(frozen=True)
class PerLayer(Joint):
    """A constraint for each layer on its own."""

    supports: Mapping[str, Support]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers that have a constraint."""
        return tuple(self.supports)

    @property
    def late(self) -> Mapping[str, Support]:
        """The layers' late constraints."""
        return {name: each for name, each in self.supports.items() if each.late}

    def masks(self, weights: Tensors) -> dict[str, Tensor]:
        """Choose layer by layer."""
        return {name: each.mask(weights[name]) for name, each in self.supports.items()}

    def relaxed(self, progress: float) -> PerLayer:
        """Relax every layer's constraint."""
        return PerLayer({name: each.relaxed(progress) for name, each in self.supports.items()})

    def begun(self, weights: Tensors) -> PerLayer:
        """Let every layer's constraint begin at what its weights keep."""
        return PerLayer({name: each.begun(weights[name]) for name, each in self.supports.items()})

    def frozen(self, weights: Tensors) -> PerLayer:
        """Freeze every layer's constraint."""
        return PerLayer({name: each.frozen(weights[name]) for name, each in self.supports.items()})


@dataclass(frozen=True)
class Budget(Joint):
    """At most a fraction ``keep`` of all the layers' weights is non-zero: the largest magnitudes.

    The densities of the layers are a result. Layers may also have constraints of their own, which
    are applied first; the budget chooses among the weights that they keep. The projection is exact
    where these constraints are unstructured or N:M (the greedy choice is optimal under nested
    bounds on counts), and a heuristic for other kinds.

    Parameters
    ----------
    keep
        Fraction of the weights of all these layers, 0..1.
    layers
        Layers that share the budget.
    within
        Constraints of single layers, applied before the budget.
    start
        Fraction at which :meth:`relaxed` begins.
    """

    keep: float
    layers: tuple[str, ...]
    within: PerLayer = PerLayer({})
    start: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """Layers that share the budget."""
        return self.layers

    @property
    def late(self) -> Mapping[str, Support]:
        """No constraints: :func:`check` refuses late ones beside a budget."""
        return {}

    def masks(self, weights: Tensors) -> dict[str, Tensor]:
        """Choose the largest weights of all layers.

        Raises
        ------
        InputError
            A layer would have no weight left, and the network would compute a constant.
        """
        return self.choices(weights)(round(self.keep * sum(weights[n].numel() for n in self.names)))

    def choices(self, weights: Tensors) -> Callable[[int], dict[str, Tensor]]:
        """Sort the weights once.

        Returns
        -------
        function
            Number of weights to keep -> masks of the layers. Raises :class:`InputError` like
            :meth:`masks`.
        """
        allowed = {name: weights[name] for name in self.layers} | self.within.project(weights)
        flat = torch.cat([weight.abs().flatten() for weight in allowed.values()])
        order = flat.argsort(descending=True, stable=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=order.device)
        ranks = torch.split(rank, [weight.numel() for weight in allowed.values()])

        def choose(count: int) -> dict[str, Tensor]:
            # a zero is never kept: the layer's own constraint may have removed it
            masks = {
                name: (part < count).view(weight.shape) & weight.ne(0)
                for (name, weight), part in zip(allowed.items(), ranks, strict=True)
            }
            for name, mask in masks.items():
                if not mask.any():
                    rule = f"must be larger: no weight of {name} is among those that stay"
                    raise InputError("recipe", "prune.budget.unstructured", self.keep, rule)
            return masks

        return choose

    def begun(self, weights: Tensors) -> Budget:
        """Begin at the fraction that these weights keep."""
        total = sum(weights[name].numel() for name in self.layers)
        left = sum(int(weights[name].count_nonzero()) for name in self.layers)
        start = max(self.keep, left / total)
        return replace(self, start=start, within=self.within.begun(weights))

    def relaxed(self, progress: float) -> Budget:
        """Keep more: ``start`` at ``progress`` 0, ``keep`` at 1."""
        keep = self.start - (self.start - self.keep) * progress
        return replace(self, keep=keep, within=self.within.relaxed(progress))

    def frozen(self, weights: Tensors) -> Budget:
        """Freeze the constraints of single layers."""
        return replace(self, within=self.within.frozen(weights))
