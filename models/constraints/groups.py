"""A budget of weights in whole rows and columns, over all layers together.

A row is a filter; it goes with the columns that read its channel in the next layer. A column is one
input position of every filter. Groups are removed one after the other, that with the least energy
for each weight that it frees first, so that the shares of the layers are a result. A greedy choice:
the nearest member of the set is as hard to find as the best rows and columns of one layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hwsim.config import LayerShape
from hwsim.errors import InputError
from hwsim.models.constraints.joint import Joint, Tensors
from hwsim.models.constraints.projections import Support

__all__ = ["GroupBudget"]


@dataclass(frozen=True)
class GroupBudget(Joint):
    """At most a fraction ``keep`` of all weights is left, in rows and columns that stay whole.

    Each layer keeps a row, and each filter a column that reads it in the next layer. The rows of
    the last layer stay.

    Parameters
    ----------
    keep
        Fraction of the weights of all layers, 0..1.
    shapes
        Layers with weights, in order, none with groups of channels.
    rows, cols
        Of an array to fill: columns go in steps that leave multiples of ``rows``, filters in steps
        that leave multiples of ``cols``. A layer that has fewer keeps them.
    start
        Fraction at which :meth:`relaxed` begins.
    """

    keep: float
    shapes: tuple[LayerShape, ...]
    rows: int = 1
    cols: int = 1
    start: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """All layers."""
        return tuple(shape.layer.name for shape in self.shapes)

    @property
    def late(self) -> Mapping[str, Support]:
        """No constraints."""
        return {}

    def masks(self, weights: Tensors) -> dict[str, Tensor]:
        """Remove rows and columns until the budget is met.

        Raises
        ------
        InputError
            The budget is smaller than what each layer has to keep.
        """
        target = round(self.keep * sum(weights[name].numel() for name in self.names))
        greedy = _Greedy([_Layer(each, weights[each.layer.name]) for each in self.shapes])
        while True:
            steps = greedy.steps(self.rows, self.cols)
            if greedy.left() <= target:
                steps = [step for step in steps if step.rounds]
                if not steps:
                    break
            elif not steps:
                rule = "must be larger: every layer is at the least that it has to keep"
                raise InputError("recipe", "prune.budget.structured", self.keep, rule)
            greedy.take(min(steps, key=lambda step: step.price))
        return {
            name: layer.mask().view(weights[name].shape)
            for name, layer in zip(self.names, greedy.layers, strict=True)
        }

    def begun(self, weights: Tensors) -> GroupBudget:
        """Begin at the fraction that these weights keep."""
        total = sum(weights[name].numel() for name in self.names)
        left = sum(int(weights[name].count_nonzero()) for name in self.names)
        return replace(self, start=max(self.keep, left / total))

    def relaxed(self, progress: float) -> GroupBudget:
        """Keep more: ``start`` at ``progress`` 0, ``keep`` at 1."""
        return replace(self, keep=self.start - (self.start - self.keep) * progress)

    def frozen(self, weights: Tensors) -> GroupBudget:
        """Nothing to fix."""
        return self


class _Layer:
    """Energy of a layer's weights, and its rows and columns that are left."""

    def __init__(self, shape: LayerShape, weight: Tensor) -> None:
        self.energy = weight.flatten(1).double().square()
        self.channels = shape.ifmap.channels
        self.rows = self.energy.any(dim=1)
        self.columns = self.energy.any(dim=0)

    def mask(self) -> Tensor:
        """``(M, K)`` bool."""
        return self.rows[:, None] & self.columns

    def row_energy(self) -> Tensor:
        return self.energy @ self.columns.double()

    def column_energy(self) -> Tensor:
        return self.rows.double() @ self.energy

    def by_channel(self, columns: Tensor) -> Tensor:
        """View values per column as ``(channels, positions)``."""
        return columns.view(self.channels, -1)

    def free_columns(self) -> Tensor:
        """Columns that may go: all but the strongest one of each channel."""
        energy = torch.where(self.columns, self.column_energy(), -1.0)
        strongest = self.by_channel(energy).argmax(dim=1, keepdim=True)
        held = torch.zeros_like(self.by_channel(self.columns)).scatter_(1, strongest, True)
        return self.columns & ~held.flatten()


@dataclass(frozen=True)
class _Step:
    """Rows or columns of one layer that can go together."""

    #: Energy that goes, for each weight that goes.
    price: float
    #: Whether the layer has no multiple of the array's rows or columns before.
    rounds: bool
    layer: int
    is_rows: bool
    indices: Tensor


class _Greedy:
    """All layers, from which the cheapest step is taken again and again."""

    def __init__(self, layers: list[_Layer]) -> None:
        self.layers = layers
        for index in range(len(layers) - 1):
            self._settle(index)

    def left(self) -> int:
        """Count the weights that are left."""
        return sum(int(each.rows.sum()) * int(each.columns.sum()) for each in self.layers)

    def steps(self, rows: int, cols: int) -> list[_Step]:
        """List the steps that can be taken, at most two of a layer."""
        every = [self._columns(index, rows) for index in range(len(self.layers))]
        every += [self._rows(index, cols) for index in range(len(self.layers) - 1)]
        return [step for step in every if step is not None]

    def take(self, step: _Step) -> None:
        """Remove the groups of a step, and what only they fed or read."""
        layer = self.layers[step.layer]
        if step.is_rows:
            layer.rows[step.indices] = False
            self._settle(step.layer)
        else:
            layer.columns[step.indices] = False

    def _settle(self, index: int) -> None:
        """Remove the columns that read filters that are gone, and filters that none reads."""
        layer, following = self.layers[index], self.layers[index + 1]
        columns = following.by_channel(following.columns)
        columns &= layer.rows[:, None]
        layer.rows &= columns.any(dim=1)

    def _rows(self, index: int, multiple: int) -> _Step | None:
        """Step that removes filters of a layer."""
        layer, following = self.layers[index], self.layers[index + 1]
        readers = following.by_channel(following.columns).sum(dim=1)
        energy = layer.row_energy()
        energy += following.by_channel(following.column_energy() * following.columns).sum(dim=1)
        freed = int(layer.columns.sum()) + readers * int(following.rows.sum())
        return self._step(index, True, layer.rows, layer.rows, energy, freed, multiple)

    def _columns(self, index: int, multiple: int) -> _Step | None:
        """Step that removes columns of a layer."""
        layer = self.layers[index]
        energy = layer.column_energy()
        freed = torch.full_like(energy, int(layer.rows.sum()))
        free = layer.free_columns()
        return self._step(index, False, layer.columns, free, energy, freed, multiple)

    @staticmethod
    def _step(
        index: int, is_rows: bool, alive: Tensor, free: Tensor, energy: Tensor, freed: Tensor,
        multiple: int,
    ) -> _Step | None:  # fmt: skip
        """Choose the cheapest groups: so many that a multiple is left, and at least one."""
        left = int(alive.sum())
        over = left % multiple
        count = over or multiple
        if count >= left or count > int(free.sum()):
            return None
        prices = torch.where(free, energy / freed, torch.inf)
        lowest = prices.argsort(stable=True)[:count]
        price = float(energy[lowest].sum() / freed[lowest].sum())
        return _Step(price, over > 0, index, is_rows, lowest)
