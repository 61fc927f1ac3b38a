"""Constraints on a layer's weights, as projections onto the set of tensors that obey them.

A projection returns the nearest tensor (Euclidean) of its set. Magnitude pruning projects the
weights once and retrains inside the mask; ADMM projects its split copy in every iteration. Rows and
columns are those of the ``(M, K)`` matrix: a row is a filter or neuron, a column is one input
position of every filter. :class:`NM` and :class:`BankBalancedColumns` depend on the order of K,
which is not PyTorch's: :class:`Lowered` passes them the matrix as
:mod:`hwsim.workload.lowering` arranges it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "NM",
    "BankBalancedColumns",
    "Blocks",
    "Chain",
    "Channels",
    "Columns",
    "Connectivity",
    "Filters",
    "Lowered",
    "Pattern",
    "Projection",
    "Support",
    "Unstructured",
    "largest",
]


def largest(score: Tensor, count: int) -> Tensor:
    """Mark the ``count`` largest scores along the last axis; of equals, the first ones.

    A score of 0 or less is never marked: a weight that was removed must not be revived to fill up
    the count.

    Parameters
    ----------
    score
        ``(..., n)`` real numbers.
    count
        Scores to mark along the last axis, at most.

    Returns
    -------
    bool Tensor
        Of the score's shape.
    """
    order = score.argsort(dim=-1, descending=True, stable=True)
    chosen = torch.zeros_like(score, dtype=torch.bool).scatter_(-1, order[..., :count], True)
    return chosen & score.gt(0)


def _norm(weight: Tensor, *axes: int) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(weight, dim=axes)
    return norm


class Projection(ABC):
    """A set of tensors."""

    @abstractmethod
    def project(self, weight: Tensor) -> Tensor:
        """Compute the nearest member of the set."""


class Support(Projection):
    """A set defined by which weights may be non-zero."""

    @property
    def late(self) -> bool:
        """Whether ``pruning.find_masks`` applies it only after dead paths are removed."""
        return False

    @abstractmethod
    def mask(self, weight: Tensor) -> Tensor:
        """Choose the weights to keep: ``bool`` of the weight's shape."""

    @abstractmethod
    def relaxed(self, progress: float) -> Support:
        """Return a constraint that prunes only ``progress`` (0..1) of what this one prunes."""

    def begun(self, weight: Tensor) -> Support:
        """Return the same set, whose :meth:`relaxed` begins at what ``weight`` has left."""
        return self

    def frozen(self, weight: Tensor) -> Support:
        """Fix whatever the set derives from the weights, so that the set no longer changes."""
        return self

    def project(self, weight: Tensor) -> Tensor:
        """Clear every weight outside the mask."""
        return weight * self.mask(weight)


@dataclass(frozen=True)
class _Fraction(Support):
    """At most a fraction ``keep`` of a tensor's groups is non-zero: those of the largest norm.

    Parameters
    ----------
    keep
        Fraction of weights, rows, columns, tiles or kernels that are kept, 0..1; at least one is.
    start
        Fraction at which :meth:`relaxed` begins.
    """

    keep: float
    start: float = field(default=1.0, kw_only=True)

    @abstractmethod
    def norms(self, weight: Tensor) -> Tensor:
        """Compute the norm of each group."""

    @abstractmethod
    def spread(self, chosen: Tensor, weight: Tensor) -> Tensor:
        """Expand ``bool`` of the norms' shape to the weight's shape."""

    def mask(self, weight: Tensor) -> Tensor:
        """Keep whole groups."""
        norms = self.norms(weight)
        count = max(1, round(self.keep * norms.numel()))
        return self.spread(largest(norms.flatten(), count).view(norms.shape), weight)

    def begun(self, weight: Tensor) -> Self:
        """Relax from what these weights keep."""
        norms = self.norms(weight)
        return replace(self, start=max(self.keep, int(norms.count_nonzero()) / norms.numel()))

    def relaxed(self, progress: float) -> Self:
        """Keep more: ``start`` at ``progress`` 0, ``keep`` at 1."""
        return replace(self, keep=self.start - (self.start - self.keep) * progress)


class Unstructured(_Fraction):
    """At most a fraction ``keep`` of the weights is non-zero: the largest in magnitude."""

    def norms(self, weight: Tensor) -> Tensor:
        """Magnitudes."""
        return weight.abs()

    def spread(self, chosen: Tensor, weight: Tensor) -> Tensor:
        """Keep single weights."""
        return chosen


class Filters(_Fraction):
    """At most a fraction ``keep`` of the rows is non-zero: those of the largest norm."""

    def norms(self, weight: Tensor) -> Tensor:
        """Norms of the rows."""
        return _norm(weight.flatten(1), 1)

    def spread(self, chosen: Tensor, weight: Tensor) -> Tensor:
        """Keep whole rows."""
        return chosen.view(-1, *[1] * (weight.dim() - 1)).expand_as(weight)


@dataclass(frozen=True)
class Columns(_Fraction):
    """At most a fraction ``keep`` of the columns is non-zero: those of the largest norm.

    Parameters
    ----------
    multiple
        The number of columns is a multiple of it, or the number of non-zero ones, if that is less
        than one multiple: an array of that many rows is then full.
    channels
        Input channels of a group. Where given, the strongest column of each non-zero channel comes
        before all others, so that no filter of the layer before dies.
    """

    multiple: int = 1
    channels: int | None = None

    @property
    def late(self) -> bool:
        """With a multiple: a column that died later would break it."""
        return self.multiple > 1

    def norms(self, weight: Tensor) -> Tensor:
        """Norms of the columns."""
        return _norm(weight.flatten(1), 0)

    def spread(self, chosen: Tensor, weight: Tensor) -> Tensor:
        """Keep whole columns."""
        return chosen.view(1, *weight.shape[1:]).expand_as(weight)

    def mask(self, weight: Tensor) -> Tensor:
        """Keep whole columns."""
        norms = self.norms(weight)
        alive = int(norms.count_nonzero())
        count = min(max(1, round(self.keep * len(norms))), alive)
        if count >= self.multiple:
            count -= count % self.multiple
        return self.spread(largest(self._ranked(norms), count), weight)

    def _ranked(self, norms: Tensor) -> Tensor:
        """Norms, raised above all others where a channel has its largest."""
        if self.channels is None:
            return norms
        by_channel = norms.view(self.channels, -1)
        first = by_channel.eq(by_channel.amax(dim=1, keepdim=True)) & by_channel.gt(0)
        return norms + first.flatten() * norms.max()

    def relaxed(self, progress: float) -> Self:
        """Keep more; the multiple holds at ``progress`` 1 only."""
        relaxed = super().relaxed(progress)
        return relaxed if progress == 1 else replace(relaxed, multiple=1)


@dataclass(frozen=True)
class Channels(_Fraction):
    """At most a fraction ``keep`` of the input channels is read: those of the largest norm.

    The weights on a channel are several columns: the ``R * S`` taps of all filters on it, or, in a
    fully connected layer, the pixels of one channel of its ifmap.

    Parameters
    ----------
    channels
        Input channels per group; both orders of weights are channel-major.
    """

    channels: int

    def norms(self, weight: Tensor) -> Tensor:
        """Norms of the channels."""
        return _norm(self._taps(weight), 0, 2)

    def spread(self, chosen: Tensor, weight: Tensor) -> Tensor:
        """Keep the columns of whole channels."""
        return chosen[None, :, None].expand_as(self._taps(weight)).reshape(weight.shape)

    def _taps(self, weight: Tensor) -> Tensor:
        return weight.reshape(len(weight), self.channels, -1)


@dataclass(frozen=True)
class Blocks(_Fraction):
    """At most a fraction ``keep`` of the tiles is non-zero: those of the largest norm.

    Tiles of ``rows`` x ``columns`` cover the ``(M, K)`` matrix from its first weight on; the last
    tiles of each row and column of tiles may be smaller.
    """

    rows: int
    columns: int

    def norms(self, weight: Tensor) -> Tensor:
        """Norms of the tiles, ``(tiles down, tiles across)``."""
        rows, depth = weight.shape
        padded = functional.pad(weight, (0, -depth % self.columns, 0, -rows % self.rows))
        # (tiles down, rows, tiles across, columns)
        across = padded.shape[1] // self.columns
        return _norm(padded.view(-1, self.rows, across, self.columns), 1, 3)

    def spread(self, chosen: Tensor, weight: Tensor) -> Tensor:
        """Keep whole tiles."""
        rows, depth = weight.shape
        tall = chosen.repeat_interleave(self.rows, dim=0)[:rows]
        return tall.repeat_interleave(self.columns, dim=1)[:, :depth]


@dataclass(frozen=True)
class NM(Support):
    """At most ``n`` of every ``m`` consecutive weights of a row are non-zero: the largest.

    Blocks begin with every ``within`` weights of a row of the ``(M, K)`` matrix, or with the row;
    the last one may be shorter than ``m``.
    """

    n: int
    m: int
    within: int | None = None

    def mask(self, weight: Tensor) -> Tensor:
        """Keep ``n`` weights of each block."""
        depth = self.within or weight.shape[1]
        score = functional.pad(weight.abs().reshape(-1, depth), (0, -depth % self.m))
        chosen = largest(score.view(len(score), -1, self.m), self.n)
        return chosen.view(len(score), -1)[:, :depth].reshape(weight.shape)

    def relaxed(self, progress: float) -> Support:
        """Keep more of each block: all at ``progress`` 0, ``n`` at 1."""
        return NM(self.m - round((self.m - self.n) * progress), self.m, self.within)


@dataclass(frozen=True)
class BankBalancedColumns(Support):
    """The same number of non-zero columns in each of ``banks`` banks; column k is in k % banks.

    An array each of whose rows reads one bank then fills every fold but the last. Each bank keeps
    its columns of the largest norm. Their number is ``keep * K / banks``, or the number of non-zero
    columns of the bank that has fewest, if that is less, and at least 1. Takes an ``(M, K)``
    matrix.
    """

    keep: float
    banks: int

    @property
    def late(self) -> bool:
        """Always: a column that died later would unbalance the banks."""
        return True

    def mask(self, weight: Tensor) -> Tensor:
        """Keep whole columns."""
        depth = weight.shape[1]
        norms = functional.pad(weight.norm(dim=0), (0, -depth % self.banks)).view(-1, self.banks)
        left = int(norms.count_nonzero(dim=0).min())
        count = max(1, min(round(self.keep * depth / self.banks), left))
        chosen = largest(norms.T, count).T
        return chosen.flatten()[:depth].expand_as(weight)

    def relaxed(self, progress: float) -> Support:
        """Keep more: 1 at ``progress`` 0, ``keep`` at 1."""
        return BankBalancedColumns(1 - (1 - self.keep) * progress, self.banks)


@dataclass(frozen=True)
class Lowered(Support):
    """A constraint on the ``(M, K)`` matrix of :func:`hwsim.workload.lowering.lower_weight`.

    Parameters
    ----------
    channels
        Input channels per group; K is ordered (r, s, channel).
    part
        Constraint on the matrix; the matrices of a layer's groups are stacked along M.
    """

    channels: int
    part: Support

    @property
    def late(self) -> bool:
        """As of the part."""
        return self.part.late

    def mask(self, weight: Tensor) -> Tensor:
        """Keep the weights that the part keeps; ``weight`` is in PyTorch's order."""
        mask = self.part.mask(self._matrix(weight)).reshape(len(weight), -1, self.channels)
        return mask.transpose(1, 2).reshape(weight.shape)

    def relaxed(self, progress: float) -> Support:
        """Relax the part."""
        return Lowered(self.channels, self.part.relaxed(progress))

    def begun(self, weight: Tensor) -> Support:
        """Let the part begin at what these weights keep."""
        return Lowered(self.channels, self.part.begun(self._matrix(weight)))

    def frozen(self, weight: Tensor) -> Support:
        """Freeze the part."""
        return Lowered(self.channels, self.part.frozen(self._matrix(weight)))

    def _matrix(self, weight: Tensor) -> Tensor:
        rows = len(weight)
        return weight.reshape(rows, self.channels, -1).transpose(1, 2).reshape(rows, -1)


@dataclass(frozen=True)
class Pattern(Support):
    """Each 3x3 kernel keeps its centre and ``taps - 1`` other weights, in one of few patterns.

    The library has at most ``patterns`` patterns, those that most kernels would choose (PatDNN,
    ASPLOS 2020, section 4.1). Each kernel then takes the pattern of the library that keeps most of
    its energy, which is the projection for this library. Takes ``(M, C / G, 3, 3)``.

    :meth:`frozen` fixes the library. A library that is chosen anew in every projection would change
    the set, and ADMM might not converge.
    """

    patterns: int
    taps: int = 4
    #: Indices in the list of all patterns; by default chosen for the kernels.
    library: tuple[int, ...] | None = None

    def mask(self, weight: Tensor) -> Tensor:
        """Keep ``taps`` weights of each kernel."""
        library = self._every(weight)[list(self.library or self._choose(weight))]
        energy = weight.reshape(-1, 9).square() @ library.T.to(weight.dtype)
        return library[energy.argmax(dim=1)].view(weight.shape)

    def relaxed(self, progress: float) -> Support:
        """Keep more taps: all nine at ``progress`` 0, ``taps`` at 1."""
        taps = 9 - round((9 - self.taps) * progress)
        return self if taps == self.taps else Pattern(self.patterns, taps)

    def frozen(self, weight: Tensor) -> Support:
        """Fix the library that is best for these kernels."""
        return replace(self, library=self.library or self._choose(weight))

    def _choose(self, weight: Tensor) -> tuple[int, ...]:
        every = self._every(weight)
        kernels = weight.reshape(-1, 9)
        # removed kernels do not vote
        kernels = kernels[kernels.any(dim=1)]
        votes = (kernels.square() @ every.T.to(weight.dtype)).argmax(dim=1)
        counts = votes.bincount(minlength=len(every))
        order = counts.sort(descending=True, stable=True).indices
        return tuple(order[: self.patterns].tolist())

    def _every(self, weight: Tensor) -> Tensor:
        """List every pattern: ``(patterns, 9)`` bool."""
        ways = combinations((0, 1, 2, 3, 5, 6, 7, 8), self.taps - 1)
        every = [[tap == 4 or tap in way for tap in range(9)] for way in ways]
        return torch.tensor(every, device=weight.device)


@dataclass(frozen=True)
class Connectivity(_Fraction):
    """At most a fraction ``keep`` of the kernels is non-zero: those of the largest norm.

    Parameters
    ----------
    group
        Consecutive filters whose kernels on one channel stay or go together; the last group may
        have fewer. An array whose columns read one list of channels then stores no kernel of zeros.
    """

    group: int = 1

    def norms(self, weight: Tensor) -> Tensor:
        """Norms of the kernels of ``(M, C / G, R, S)`` of each group: ``(groups, C / G)``."""
        kernels = _norm(weight.flatten(2), 2)
        padded = functional.pad(kernels, (0, 0, 0, -len(kernels) % self.group))
        return _norm(padded.view(-1, self.group, kernels.shape[1]), 1)

    def spread(self, chosen: Tensor, weight: Tensor) -> Tensor:
        """Keep whole kernels."""
        kernels = chosen.repeat_interleave(self.group, dim=0)[: len(weight)]
        return kernels[:, :, None, None].expand_as(weight)


@dataclass(frozen=True)
class Chain(Support):
    """Constraints applied one after the other, each to the weights that the earlier ones keep.

    The result is the exact projection onto the intersection where each later part removes whole
    groups, and the earlier parts chose inside each group independently: a fixed library of
    patterns, then connectivity, channels or filters; or N:M, then filters. In other orders the
    result is in the intersection, but a nearer member may exist: the best rows depend on the
    columns that are kept, and the best columns on the rows.
    """

    parts: tuple[Support, ...]

    @property
    def late(self) -> bool:
        """Whether any part is."""
        return any(part.late for part in self.parts)

    def mask(self, weight: Tensor) -> Tensor:
        """Keep the weights that every part keeps."""
        mask = torch.ones_like(weight, dtype=torch.bool)
        for part in self.parts:
            mask = mask & part.mask(weight * mask)
        return mask

    def begun(self, weight: Tensor) -> Support:
        """Let every part begin at what these weights keep."""
        return Chain(tuple(part.begun(weight) for part in self.parts))

    def relaxed(self, progress: float) -> Support:
        """Relax every part except those before a late one, which needs their final choice."""
        relaxed = [part.relaxed(progress) for part in self.parts]
        first = next((index for index, part in enumerate(relaxed) if part.late), 0)
        return Chain((*self.parts[:first], *relaxed[first:]))

    def frozen(self, weight: Tensor) -> Support:
        """Freeze each part for the weights that the earlier ones keep."""
        parts: list[Support] = []
        for part in self.parts:
            parts.append(part.frozen(weight))
            weight = parts[-1].project(weight)
        return Chain(tuple(parts))
