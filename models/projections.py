"""Constraints on a layer's weights, as projections onto the set of tensors that obey them.

A projection returns the nearest tensor (Euclidean) inside its set. Magnitude pruning applies it
once and retrains inside; ADMM applies it to its split copy in every round. Rows and columns are
those of the ``(M, K)`` matrix: a row is a filter or neuron, a column one input position of every
filter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Chain", "Columns", "Filters", "Projection", "Support", "Unstructured"]


class Projection(ABC):
    """A set of tensors."""

    @abstractmethod
    def project(self, weight: Tensor) -> Tensor:
        """Compute the nearest member of the set."""


class Support(Projection):
    """A set given by which positions may be non-zero."""

    @abstractmethod
    def mask(self, weight: Tensor) -> Tensor:
        """Choose the positions to keep, ``bool`` of the weight's shape."""

    @abstractmethod
    def relaxed(self, progress: float) -> Support:
        """Make the constraint that prunes only ``progress`` (0..1) of what this one does."""

    def project(self, weight: Tensor) -> Tensor:
        """Zero every position outside the mask."""
        return weight * self.mask(weight)


@dataclass(frozen=True)
class _Keep(Support):
    #: Fraction of positions, rows or columns that stay; at least one does.
    keep: float

    def relaxed(self, progress: float) -> Support:
        """Keep more: 1 at ``progress`` 0, ``keep`` at 1."""
        return type(self)(1 - (1 - self.keep) * progress)

    def _largest(self, score: Tensor) -> Tensor:
        count = max(1, round(self.keep * score.numel()))
        chosen = torch.zeros(score.numel(), dtype=torch.bool)
        chosen[score.flatten().topk(count).indices] = True
        return chosen.view(score.shape)


class Unstructured(_Keep):
    """At most a fraction ``keep`` of the weights is non-zero: the largest in magnitude."""

    def mask(self, weight: Tensor) -> Tensor:
        """Keep single weights."""
        return self._largest(weight.abs())


class Filters(_Keep):
    """At most a fraction ``keep`` of the rows is non-zero: those of the largest norm."""

    def mask(self, weight: Tensor) -> Tensor:
        """Keep whole rows."""
        rows = self._largest(weight.flatten(1).norm(dim=1))
        return rows.view(-1, *[1] * (weight.dim() - 1)).expand_as(weight)


class Columns(_Keep):
    """At most a fraction ``keep`` of the columns is non-zero: those of the largest norm."""

    def mask(self, weight: Tensor) -> Tensor:
        """Keep whole columns."""
        columns = self._largest(weight.flatten(1).norm(dim=0))
        return columns.view(1, *weight.shape[1:]).expand_as(weight)


@dataclass(frozen=True)
class Chain(Support):
    """Constraints applied one after the other, each to what the earlier ones leave."""

    parts: tuple[Support, ...]

    def mask(self, weight: Tensor) -> Tensor:
        """Keep what every part keeps."""
        mask = torch.ones_like(weight, dtype=torch.bool)
        for part in self.parts:
            mask = mask & part.mask(weight * mask)
        return mask

    def relaxed(self, progress: float) -> Support:
        """Relax every part."""
        return Chain(tuple(part.relaxed(progress) for part in self.parts))
