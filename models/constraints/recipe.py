"""From the constraints of a recipe to one projection of the network, or one clear line."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hwsim.config import ArchConfig, LayerShape, NetworkConfig
from hwsim.config.arrays.systolic import SystolicConfig
from hwsim.config.jobs.compress import ConstraintConfig, PruneConfig
from hwsim.errors import InputError
from hwsim.models.constraints.joint import Budget, Joint, PerLayer
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

__all__ = ["build", "check", "constraint"]


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
    multiples = (1, 1) if config.fill is None else _extents("recipe", config.fill)
    layers = PerLayer(
        {name: constraint(each, shapes[name], multiples) for name, each in config.layers.items()}
    )
    if config.budget is None:
        return layers
    return Budget(config.budget.unstructured, tuple(shapes), layers)


def constraint(
    config: ConstraintConfig, shape: LayerShape, multiples: tuple[int, int] = (1, 1)
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
    rows, cols = multiples
    # an array is only filled while no filter dies because the next layer does not read it
    fed = None if multiples == (1, 1) else shape.C
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
            Columns(_rounded(config.columns, shape.K, rows), multiple=rows, channels=fed)
            if config.banks is None
            else Lowered(shape.C, BankBalancedColumns(config.columns, config.banks))
        )
    if config.block is not None:
        block = config.block
        parts.append(Lowered(shape.C, Blocks(block.keep, block.rows, block.columns)))
    if config.unstructured is not None:
        parts.append(Unstructured(config.unstructured))
    if config.pattern is not None:
        parts.append(Connectivity(config.pattern.kernels, config.pattern.group))
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
        kernels = math.ceil(shape.ofmap.channels / config.pattern.group) * shape.C
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
