"""Stored bits of one network's weights in every format that can hold them.

Formats of designs hold what their arrays consume, in codes as wide as the design's; the others have
no array and take each layer's own bits. ``plain`` is the reference: every weight, zeros too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import find_checkpoint, named_network, network_of
from hwsim.checkpoints.synthetic import is_synthetic, mark
from hwsim.config import ArchConfig, DenseConfig, LayerShape, NetworkConfig, NumberConfig
from hwsim.config.catalog import CONFIGS
from hwsim.errors import InputError
from hwsim.formats import gather, measure, nm
from hwsim.formats.base import Bits
from hwsim.formats.dense import kept
from hwsim.formats.generic import GENERIC, OWN_WIDTH
from hwsim.report.result import Result
from hwsim.workload import lowering
from hwsim.workload.layer import Layer
from hwsim.workload.outside import Outside, outside_of
from hwsim.workload.random import random_weights

__all__ = [
    "KINDS",
    "FormatSize",
    "GatherSize",
    "LayerSize",
    "Storage",
    "designs_of",
    "run",
    "smallest",
]

KINDS = ("values", "indices", "pointers", "padding")

Matrices = list[NDArray[np.integer]]


@dataclass(frozen=True)
class LayerSize:
    """One layer in one format; ``searched`` is the best index width, where one was searched."""

    name: str
    bits: Bits
    searched: int | None = None


@dataclass
class FormatSize:
    """A network in one format.

    ``violation`` is the first reason why the format cannot hold it, with the layer; ``""``: it can.
    """

    name: str
    family: str | None
    design: ArchConfig | None
    layers: list[LayerSize] = field(default_factory=list)
    violation: str = ""

    @property
    def fits(self) -> bool:
        """Whether the format holds every layer."""
        return not self.violation

    @property
    def total(self) -> Bits:
        """Bits of all layers."""
        return reduce(add, (layer.bits for layer in self.layers), Bits())

    @property
    def explicit_zeros(self) -> int | None:
        """Zeros that an N:M design stores to fill up blocks; ``None`` for any other, or none."""
        if self.family != "nm" or self.design is None or not self.fits:
            return None
        return sum(nm.explicit_zeros(self.design, layer.bits) for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: one format of ``results.json``; no sizes where it does not fit."""
        return {
            "format": self.name,
            "family": self.family,
            "arch": self.design.name if self.design else None,
            "weight_width": self.design.numbers.weight_width if self.design else None,
            "fits": self.fits,
            "violation": self.violation,
            "layers": [
                {"layer": row.name, "searched_width": row.searched, "bits": row.bits.to_dict()}
                for row in self.layers
            ],
            "total": self.total.to_dict() if self.fits else None,
            "explicit_zeros": self.explicit_zeros,
        }


@dataclass(frozen=True)
class GatherSize:
    """K folds of one layer on an array of ``rows`` that gathers from ``rows`` activation banks.

    ``columns`` are K, all groups; ``kept`` those with a weight; ``ideal`` the folds that these
    would take without banks. ``folds`` is for banks of K mod rows, as the array has them;
    ``channel_folds`` for banks of channel mod rows, where all taps of a channel share one.
    """

    layer: str
    rows: int
    columns: int
    kept: int
    folds: int
    channel_folds: int
    ideal: int


@dataclass(frozen=True)
class Storage(Result):
    """A network's layers ``(name, weights, non-zeros, bits of a weight)`` in every format.

    ``gathers`` are of the weight-stationary dense designs among the formats.
    """

    name: str
    layers: list[tuple[str, int, int, int]]
    formats: list[FormatSize]
    gathers: list[GatherSize]
    #: Whether the weights are random.
    is_synthetic: bool = False
    #: Layers that run outside the array, in floating point; their constants are not counted.
    outside: list[Outside] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What a table or a picture calls the weights: synthetic ones are marked."""
        return mark(self.name) if self.is_synthetic else self.name

    @property
    def plain(self) -> Bits:
        """Every weight, zeros too, in its layer's bits."""
        return Bits(values=sum(weights * width for _, weights, _, width in self.layers))

    @property
    def fitting(self) -> list[FormatSize]:
        """Formats that hold the network, the smallest first; designs with equal sizes once."""
        distinct: dict[object, FormatSize] = {}
        for size in self.formats:
            if size.fits:
                bits = tuple(layer.bits for layer in size.layers)
                distinct.setdefault((size.family or size.name, bits), size)
        return sorted(distinct.values(), key=lambda size: size.total.total)

    @property
    def representatives(self) -> list[FormatSize]:
        """Of :attr:`fitting`, the smallest design of each family and every format without one."""
        smallest: dict[str, FormatSize] = {}
        for size in self.fitting:
            smallest.setdefault(size.family or size.name, size)
        return list(smallest.values())

    @property
    def families(self) -> dict[str, bool]:
        """Families of the designs, and whether one of them holds the network."""
        fits: dict[str, bool] = {}
        for size in self.formats:
            if size.family:
                fits[size.family] = fits.get(size.family, False) or size.fits
        return dict(sorted(fits.items()))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        keys = ("layer", "weights", "nonzeros", "weight_width")
        return {
            "name": self.name,
            "operands": self.title,
            "layers": [dict(zip(keys, layer, strict=True)) for layer in self.layers],
            "plain": self.plain.to_dict(),
            "formats": [size.to_dict() for size in self.formats],
            "families": self.families,
            "gathers": [asdict(size) for size in self.gathers],
            "outside": [layer.to_dict() for layer in self.outside],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer and format that holds the network: bits by kind."""
        return [
            {
                "format": size.name,
                "family": size.family or "",
                "layer": name,
                "weights": weights,
                "nonzeros": nonzeros,
                "searched_width": layer.searched or "",
                **layer.bits.to_dict(),
                "plain": weights * width,
            }
            for size in self.formats
            if size.fits
            for (name, weights, nonzeros, width), layer in zip(
                self.layers, size.layers, strict=True
            )
        ]


def designs_of(multipliers: int) -> list[ArchConfig]:
    """Shipped designs with this number of multipliers, by name."""
    designs = (ArchConfig.read(path) for path in sorted((CONFIGS / "arch").glob("*.yaml")))
    return [design for design in designs if design.array.multipliers == multipliers]


def run(
    weights: str | Checkpoint | NetworkConfig,
    designs: Sequence[ArchConfig],
    seed: int = 0,
    progress: Callable[[str], None] = lambda what: None,
    network: str | NetworkConfig | None = None,
) -> Storage:
    """Measure a checkpoint's or a synthetic network's weights in every format.

    Parameters
    ----------
    weights
        Name or path of a checkpoint or of a network, or one of these.
    designs
        Their formats are measured beside the generic ones.
    progress
        Called with each layer's name before it is measured.
    network
        Of a checkpoint, by name or as it is; by default the one that it names.
    """
    formats = [FormatSize(name, None, None) for name in GENERIC]
    formats += [FormatSize(d.name, d.array.family, d) for d in designs]
    layers, gathers = [], []
    synthetic = False
    rows = sorted(
        {
            d.array.rows
            for d in designs
            if isinstance(d.array, DenseConfig) and d.array.dataflow == "ws"
        }
    )
    source, known = _resolved(weights, network)
    known.must_have_weights()
    for layer in _layers(source, known, seed):
        progress(layer.name)
        synthetic |= layer.is_synthetic
        own = layer.matrices(layer.numbers)
        nonzeros = sum(int(np.count_nonzero(matrix)) for matrix in own)
        layers.append((layer.name, sum(m.size for m in own), nonzeros, layer.numbers.weight_width))
        gathers += [_gather(layer, own, count) for count in rows]
        for size in formats:
            if size.design is None:
                bits, searched = GENERIC[size.name](own, layer.numbers)
                size.layers.append(LayerSize(layer.name, bits, searched))
            elif size.fits:
                _measure_design(size, layer, size.design)
    return Storage(_name(weights), layers, formats, gathers, synthetic, outside_of(known))


def smallest(weights: str | Checkpoint, network: str | None = None) -> tuple[str, Bits]:
    """Smallest format of a checkpoint in which each layer has its own bits, and its size.

    One of :data:`GENERIC`, or ``dense`` codes without the rows and columns that are all zero.
    ``network`` as in :func:`run`.
    """
    totals = dict.fromkeys(OWN_WIDTH, Bits())
    for layer in _layers(*_resolved(weights, network), seed=0):
        matrices = layer.matrices(layer.numbers)
        for name in list(totals):
            try:
                totals[name] += OWN_WIDTH[name](matrices, layer.numbers)[0]
            except InputError:  # a code without a zero, in a layer pruned weight by weight
                del totals[name]
    return min(totals.items(), key=lambda item: item[1].total)


def _gather(layer: _Layer, matrices: Matrices, rows: int) -> GatherSize:
    columns = [kept(matrix)[1] for matrix in matrices]
    depth = matrices[0].shape[1]
    gathers = [gather.pack(own, depth, rows) for own in columns]
    by_channel = [gather.pack(own, depth, rows, layer.bank_channels) for own in columns]
    return GatherSize(
        layer=layer.name,
        rows=rows,
        columns=sum(matrix.shape[1] for matrix in matrices),
        kept=sum(each.kept for each in gathers),
        folds=sum(each.folds for each in gathers),
        channel_folds=sum(each.folds for each in by_channel),
        ideal=sum(each.ideal for each in gathers),
    )


def _measure_design(size: FormatSize, layer: _Layer, design: ArchConfig) -> None:
    """Add a layer's size, or the reason why it has none."""
    name, matrices = layer.name, layer.matrices(design.numbers)
    try:
        shape = (matrices[0].shape[0], matrices[0].shape[1])
        bits = reduce(add, (measure(design, m, shape, layer.channels, name) for m in matrices))
    except (InputError, ValueError) as error:
        source = f"{error.source}: " if isinstance(error, InputError) else ""
        size.violation = f"{name}: {str(error).removeprefix(source)}"
        size.layers.clear()
    else:
        size.layers.append(LayerSize(name, bits))


class _Layer:
    """One layer's weights: a checkpoint's, or drawn anew for each design's numbers."""

    def __init__(
        self,
        shape: LayerShape,
        numbers: NumberConfig,
        draw: Callable[[NumberConfig], Matrices],
        *,
        is_synthetic: bool,
    ) -> None:
        self.name = shape.layer.name
        self.is_synthetic = is_synthetic
        #: Width and code of its own weights, apart from any design.
        self.numbers = numbers
        self.channels = Layer.of_shape(shape, 1).gemms()[0].channels
        #: Input channels of a convolution's group; ``None`` where every K index is its own channel.
        self.bank_channels = shape.C if shape.layer.type == "conv" else None
        self._draw = draw
        self._drawn: dict[NumberConfig, Matrices] = {}

    def matrices(self, numbers: NumberConfig) -> Matrices:
        """Weights ``(M, K)`` of each group."""
        if numbers not in self._drawn:
            self._drawn[numbers] = self._draw(numbers)
        return self._drawn[numbers]


def _name(weights: str | Checkpoint | NetworkConfig) -> str:
    if isinstance(weights, NetworkConfig):
        return weights.name
    return Path(weights if isinstance(weights, str) else weights.source).stem


def _resolved(
    weights: str | Checkpoint | NetworkConfig, network: str | NetworkConfig | None
) -> tuple[Checkpoint | NetworkConfig, NetworkConfig]:
    """Weights, or a network whose weights are synthetic; and the network."""
    if isinstance(weights, str) and network is not None:
        # the network need not lie beside the file
        weights = Checkpoint.read(find_checkpoint(weights))
    elif isinstance(weights, str):
        named = named_network(weights)
        weights = named.network if named.checkpoint is None else named.checkpoint
    if isinstance(weights, NetworkConfig):
        return weights, weights
    known = named_network(network).network if isinstance(network, str) else network
    known = network_of(weights) if known is None else known
    weights.check(known)
    return weights, known


def _layers(
    weights: Checkpoint | NetworkConfig, network: NetworkConfig, seed: int
) -> Iterator[_Layer]:
    for shape in network.shapes():
        if not shape.has_weights:
            continue
        if isinstance(weights, NetworkConfig):
            draw = partial(random_weights, shape, seed=seed)
            yield _Layer(shape, NumberConfig(), draw, is_synthetic=True)
            continue
        layer = weights.layers[shape.layer.name]
        lowered: Matrices = list(lowering.lower_weight(shape, layer.weight))
        own = partial(_same, lowered)
        yield _Layer(shape, layer.numbers, own, is_synthetic=is_synthetic(weights))


def _same(matrices: Matrices, numbers: NumberConfig) -> Matrices:
    return matrices
