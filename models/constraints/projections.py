"""Constraints on a layer's weights, as projections onto the set of tensors that obey them.

A projection returns the nearest tensor (Euclidean) inside its set. Magnitude pruning applies it
once and retrains inside; ADMM applies it to its split copy in every round. Rows and columns are
those of the ``(M, K)`` matrix: a row is a filter or neuron, a column one input position of every
filter. :class:`NM` and :class:`BankBalancedColumns` depend on the order of K, which is not
PyTorch's: :class:`Lowered` shows them the matrix as :mod:`hwsim.workload.lowering` arranges it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from itertools import combinations

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
    """Mark the ``count`` largest scores of each last dimension; of equals, the first ones.

    What scores 0 or less is never marked, so that a path that was removed is not chosen to fill up
    the count and comes back to life.
    """
    order = score.argsort(dim=-1, descending=True, stable=True)
    chosen = torch.zeros_like(score, dtype=torch.bool).scatter_(-1, order[..., :count], True)
    return chosen & score.gt(0)


class Projection(ABC):
    """A set of tensors."""

    @abstractmethod
    def project(self, weight: Tensor) -> Tensor:
        """Compute the nearest member of the set."""


class Support(Projection):
    """A set given by which positions may be non-zero."""

    @property
    def late(self) -> bool:
        """Whether to choose only after dead paths went, in ``pruning.find_masks``."""
        return False

    @abstractmethod
    def mask(self, weight: Tensor) -> Tensor:
        """Choose the positions to keep, ``bool`` of the weight's shape."""

    @abstractmethod
    def relaxed(self, progress: float) -> Support:
        """Make the constraint that prunes only ``progress`` (0..1) of what this one does."""

    def frozen(self, weight: Tensor) -> Support:
        """Fix what the set itself takes from the weights, so that it no longer moves with them."""
        return self

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
        return largest(score.flatten(), count).view(score.shape)


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
class Channels(Support):
    """At most a fraction ``keep`` of the input channels is read: those of the largest norm.

    A channel is a group of columns: the ``R * S`` taps of all filters on it, or, of a fully
    connected layer, the pixels of one channel of its ifmap.

    Parameters
    ----------
    keep
        Fraction of the channels; at least one stays.
    channels
        Input channels of one group; both orders of weights are channel-major.
    """

    keep: float
    channels: int

    def mask(self, weight: Tensor) -> Tensor:
        """Keep the columns of whole channels."""
        taps = weight.reshape(len(weight), self.channels, -1)
        chosen = largest(taps.norm(dim=(0, 2)), max(1, round(self.keep * self.channels)))
        return chosen[None, :, None].expand_as(taps).reshape(weight.shape)

    def relaxed(self, progress: float) -> Support:
        """Keep more: 1 at ``progress`` 0, ``keep`` at 1."""
        return Channels(1 - (1 - self.keep) * progress, self.channels)


@dataclass(frozen=True)
class Blocks(Support):
    """At most a fraction ``keep`` of the tiles is non-zero: those of the largest norm.

    Tiles of ``rows`` x ``columns`` cover the matrix from its first weight on; the last ones of a
    row or column of tiles may be smaller. Takes an ``(M, K)`` matrix.
    """

    keep: float
    rows: int
    columns: int

    def mask(self, weight: Tensor) -> Tensor:
        """Keep whole tiles."""
        rows, depth = weight.shape
        padded = functional.pad(weight, (0, -depth % self.columns, 0, -rows % self.rows))
        # (tiles down, rows, tiles across, columns)
        across = padded.shape[1] // self.columns
        tiles = padded.view(-1, self.rows, across, self.columns)
        norms = tiles.norm(dim=(1, 3))
        count = max(1, round(self.keep * norms.numel()))
        chosen = largest(norms.flatten(), count).view(norms.shape)
        mask = chosen[:, None, :, None].expand_as(tiles).reshape(padded.shape)
        return mask[:rows, :depth]

    def relaxed(self, progress: float) -> Support:
        """Keep more: 1 at ``progress`` 0, ``keep`` at 1."""
        return Blocks(1 - (1 - self.keep) * progress, self.rows, self.columns)


@dataclass(frozen=True)
class NM(Support):
    """At most ``n`` of every ``m`` consecutive weights of a row are non-zero: the largest.

    The last block of a row may be shorter than ``m``. Takes an ``(M, K)`` matrix.
    """

    n: int
    m: int

    def mask(self, weight: Tensor) -> Tensor:
        """Keep ``n`` weights of each block."""
        rows, depth = weight.shape
        score = functional.pad(weight.abs(), (0, -depth % self.m))
        chosen = largest(score.view(rows, -1, self.m), self.n)
        return chosen.view(rows, -1)[:, :depth]

    def relaxed(self, progress: float) -> Support:
        """Keep more of each block: all at ``progress`` 0, ``n`` at 1."""
        return NM(self.m - round((self.m - self.n) * progress), self.m)


@dataclass(frozen=True)
class BankBalancedColumns(Support):
    """As many columns in each of ``banks`` banks, the bank of column k being ``k % banks``.

    An array whose rows each read one bank then fills every fold but the last. Each bank keeps
    the columns of the largest norm; their number is ``keep`` of K, shared evenly, or what the
    scarcest bank has left where that is less, and at least 1. Takes an ``(M, K)`` matrix.
    """

    keep: float
    banks: int

    @property
    def late(self) -> bool:
        """A column that dies later would unbalance the banks."""
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
        Input channels of one group; K is ordered (r, s, channel).
    part
        What the matrix obeys. The matrices of a layer's groups stand on top of each other.
    """

    channels: int
    part: Support

    @property
    def late(self) -> bool:
        """Of the part."""
        return self.part.late

    def mask(self, weight: Tensor) -> Tensor:
        """Keep what the part keeps; ``weight`` is in PyTorch's order."""
        mask = self.part.mask(self._matrix(weight)).reshape(len(weight), -1, self.channels)
        return mask.transpose(1, 2).reshape(weight.shape)

    def relaxed(self, progress: float) -> Support:
        """Relax the part."""
        return Lowered(self.channels, self.part.relaxed(progress))

    def frozen(self, weight: Tensor) -> Support:
        """Freeze the part."""
        return Lowered(self.channels, self.part.frozen(self._matrix(weight)))

    def _matrix(self, weight: Tensor) -> Tensor:
        rows = len(weight)
        return weight.reshape(rows, self.channels, -1).transpose(1, 2).reshape(rows, -1)


@dataclass(frozen=True)
class Pattern(Support):
    """A 3x3 kernel keeps its centre and ``taps - 1`` others, in one of at most ``patterns`` ways.

    The library holds the patterns that most kernels would choose (PatDNN, ASPLOS 2020, section
    4.1); each kernel then takes the one of them that keeps most of its energy. Given the library,
    no member of the set is nearer. Takes ``(M, C / G, 3, 3)``.

    A library that is chosen anew at every projection moves the set itself, and ADMM would chase
    it: :meth:`frozen` chooses once.
    """

    patterns: int
    taps: int = 4
    #: Places in the list of all patterns; chosen from the kernels where absent.
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
        """Fix the library that these kernels choose."""
        return replace(self, library=self.library or self._choose(weight))

    def _choose(self, weight: Tensor) -> tuple[int, ...]:
        every = self._every(weight)
        kernels = weight.reshape(-1, 9)
        # removed kernels have no say
        kernels = kernels[kernels.any(dim=1)]
        votes = (kernels.square() @ every.T.to(weight.dtype)).argmax(dim=1)
        counts = votes.bincount(minlength=len(every))
        order = counts.sort(descending=True, stable=True).indices
        return tuple(order[: self.patterns].tolist())

    def _every(self, weight: Tensor) -> Tensor:
        """Every pattern, ``(patterns, 9)`` bool."""
        ways = combinations((0, 1, 2, 3, 5, 6, 7, 8), self.taps - 1)
        every = [[tap == 4 or tap in way for tap in range(9)] for way in ways]
        return torch.tensor(every, device=weight.device)


class Connectivity(_Keep):
    """At most a fraction ``keep`` of the kernels is non-zero: those of the largest norm."""

    def mask(self, weight: Tensor) -> Tensor:
        """Keep whole kernels of ``(M, C / G, R, S)``."""
        kernels = self._largest(weight.flatten(2).norm(dim=2))
        return kernels[:, :, None, None].expand_as(weight)


@dataclass(frozen=True)
class Chain(Support):
    """Constraints applied one after the other, each to what the earlier ones leave.

    That is the projection onto what obeys all of them where the later parts remove groups whole
    inside which the earlier ones chose each on its own: a fixed library of patterns, then
    connectivity, channels or filters; N:M, then filters. Elsewhere it lands in the set, but a
    nearer member may exist: the best rows to keep depend on which columns stay, and the best
    columns on the rows, and no order knows both.
    """

    parts: tuple[Support, ...]

    @property
    def late(self) -> bool:
        """Where any part is."""
        return any(part.late for part in self.parts)

    def mask(self, weight: Tensor) -> Tensor:
        """Keep what every part keeps."""
        mask = torch.ones_like(weight, dtype=torch.bool)
        for part in self.parts:
            mask = mask & part.mask(weight * mask)
        return mask

    def relaxed(self, progress: float) -> Support:
        """Relax every part but those before a late one: it must choose among what will stay."""
        first = next((index for index, part in enumerate(self.parts) if part.late), 0)
        relaxed = [part.relaxed(progress) for part in self.parts[first:]]
        return Chain((*self.parts[:first], *relaxed))

    def frozen(self, weight: Tensor) -> Support:
        """Freeze each part on what the earlier ones leave."""
        parts: list[Support] = []
        for part in self.parts:
            parts.append(part.frozen(weight))
            weight = parts[-1].project(weight)
        return Chain(tuple(parts))
