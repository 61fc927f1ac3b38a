"""The constraints of a recipe on all layers of a network together, as one projection.

A constraint on one layer is a :class:`~hwsim.models.constraints.projections.Support`. Pruning and
ADMM need the whole network, because layers may share a budget: a :class:`Joint` projects all
constrained layers at once.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hwsim.config import ArchConfig, LayerShape, NetworkConfig
from hwsim.config.arrays.systolic import SystolicConfig
from hwsim.config.jobs.compress import ConstraintConfig, PruneConfig
from hwsim.errors import InputError
from hwsim.models.constraints.projections import (
    NM,
    BankBalancedColumns,
    Blocks,
    Chain,
    Channels,
    Columns,
    Connectivity,
    Filters,
    Lowered,
    Pattern,
    Support,
    Unstructured,
)

__all__ = ["Budget", "Joint", "PerLayer", "build", "check", "constraint"]

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


def build(config: PruneConfig, network: NetworkConfig) -> Joint:
    """Build the projection of a recipe.

    Parameters
    ----------
    config
        Constraints that passed :func:`check`.
    network
        The network.

    Returns
    -------
    Joint
        A :class:`Budget` where the recipe has one, otherwise a :class:`PerLayer`.
    """
    shapes = _weighted(network)
    multiples = None if config.fill is None else _extents("recipe", config.fill)
    layers = PerLayer(
        {name: constraint(each, shapes[name], multiples) for name, each in config.layers.items()}
    )
    if config.budget is None:
        return layers
    return Budget(config.budget.unstructured, tuple(shapes), layers)


def constraint(
    config: ConstraintConfig, shape: LayerShape, multiples: tuple[int, int] | None = None
) -> Support:
    """Build the projection of one layer's constraint.

    The parts are in the order of the least error. Patterns choose kernel by kernel, so all that
    removes kernels comes after them. N:M chooses row by row, so filters come after it.

    Parameters
    ----------
    config
        A constraint that fits the layer (:func:`check`).
    shape
        The layer.
    multiples
        ``rows, cols`` of an array: columns are kept in multiples of ``rows``, filters in multiples
        of ``cols``. By default in any number.
    """
    rows, cols = multiples or (1, 1)
    parts: list[Support] = []
    if config.pattern is not None:
        parts.append(Pattern(config.pattern.patterns))
    if config.channels is not None:
        parts.append(Channels(config.channels, shape.C))
    if config.nm is not None:
        within = shape.C if config.nm.taps else None
        parts.append(Lowered(shape.C, NM(config.nm.n, config.nm.m, within)))
    if config.filters is not None:
        parts.append(Filters(_rounded(config.filters, shape.ofmap.channels, cols)))
    if config.columns is not None:
        parts.append(
            Columns(_rounded(config.columns, shape.K, rows), multiple=rows)
            if config.banks is None
            else Lowered(shape.C, BankBalancedColumns(config.columns, config.banks))
        )
    if config.block is not None:
        block = config.block
        parts.append(Lowered(shape.C, Blocks(block.keep, block.rows, block.columns)))
    if config.unstructured is not None:
        parts.append(Unstructured(config.unstructured))
    if config.pattern is not None:
        parts.append(Connectivity(config.pattern.kernels))
    return Chain(tuple(parts))


def _rounded(keep: float, count: int, multiple: int) -> float:
    """Round ``keep`` of ``count`` groups to the nearest multiple: at least one, at most all."""
    multiples = max(1, math.floor(keep * count / multiple + 0.5)) * multiple
    return keep if multiple == 1 else min(multiples, count) / count


def _extents(source: str, fill: str) -> tuple[int, int]:
    """Rows and columns of a systolic design."""
    arch = ArchConfig.read(fill)
    if not isinstance(arch.array, SystolicConfig):
        rule = f"must be a systolic design, with rows and cols: {fill} is {arch.array.family}"
        raise InputError(source, "prune.fill", None, rule)
    return arch.array.rows, arch.array.cols


def check(source: str, config: PruneConfig, network: NetworkConfig) -> None:
    """Refuse constraints that the network's layers cannot obey.

    Parameters
    ----------
    source
        Name of the recipe, for messages.
    config
        The constraints.
    network
        The network that is to obey them.

    Raises
    ------
    InputError
        A layer is unknown or has no weights, a constraint does not fit its layer, or a budget
        cannot be met.
    """
    shapes = _weighted(network)
    if config.fill is not None:
        _extents(source, config.fill)
    for name, each in config.layers.items():
        key = f"prune.layers.{name}"
        if name not in shapes:
            rule = f"must be a layer with weights of {network.name}: {', '.join(shapes)}"
            raise InputError(source, key, None, rule)
        _fits(source, key, each, shapes[name])
    if config.budget is not None:
        keep, total = config.budget.unstructured, sum(shape.weights for shape in shapes.values())
        if round(keep * total) < len(shapes):
            rule = f"must keep a weight of each layer: at least {len(shapes)} of {total}"
            raise InputError(source, "prune.budget.unstructured", keep, rule)
        for name, each in config.layers.items():
            if each.banks is not None:
                rule = "must be absent with prune.budget, which would unbalance the banks"
                raise InputError(source, f"prune.layers.{name}.banks", each.banks, rule)


def _fits(source: str, key: str, config: ConstraintConfig, shape: LayerShape) -> None:
    """Check one layer's constraint against its shape."""
    for kind, value, fits, rule in _rules(config, shape):
        if not fits:
            raise InputError(source, f"{key}.{kind}", value, rule)


def _rules(config: ConstraintConfig, shape: LayerShape) -> Iterator[tuple[str, object, bool, str]]:
    """Yield key, value, whether it fits, and the rule, of each value that depends on the layer."""
    depth = f"must be at most the layer's K, {shape.K}"
    shares = [
        ("unstructured", config.unstructured, shape.weights, "weights"),
        ("filters", config.filters, shape.ofmap.channels, "filters"),
        ("channels", config.channels, shape.C, "channels"),
        ("columns", config.columns, shape.K, "columns"),
    ]
    if config.pattern is not None:
        layer = f"{shape.layer.type} {shape.R}x{shape.S}"
        yield "pattern", layer, layer == "conv 3x3", "must be on a conv of 3x3 kernels"
        kernels = shape.ofmap.channels * shape.C
        shares.append(("pattern.kernels", config.pattern.kernels, kernels, "kernels"))
    if config.block is not None:
        rows, columns = config.block.rows, config.block.columns
        yield "block.rows", rows, rows <= shape.M, f"must be at most the layer's M, {shape.M}"
        yield "block.columns", columns, columns <= shape.K, depth
        if shape.layer.G > 1:
            rule = f"must divide the M of a group, {shape.M}"
            yield "block.rows", rows, shape.M % rows == 0, rule
        tiles = math.ceil(shape.ofmap.channels / rows) * math.ceil(shape.K / columns)
        shares.append(("block.keep", config.block.keep, tiles, "tiles"))
    if config.nm is not None:
        yield "nm.m", config.nm.m, config.nm.m <= shape.K, depth
    if config.banks is not None:
        yield "banks", config.banks, config.banks <= shape.K, depth
    for kind, keep, count, what in shares:
        enough = keep is None or round(keep * count) >= 1
        yield kind, keep, enough, f"must keep at least one of the layer's {count} {what}"


def _weighted(network: NetworkConfig) -> dict[str, LayerShape]:
    return {shape.layer.name: shape for shape in network.shapes() if shape.has_weights}
