"""A network configuration with real weights, executed in floating point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerShape, NetworkConfig, read_by
from hwsim.errors import InputError
from hwsim.models.importers.grid import Grid
from hwsim.workload import float_graph
from hwsim.workload.activation import activate
from hwsim.workload.local_response import factors, square_sums
from hwsim.workload.lowering import (
    inside,
    lower_act,
    lower_weight,
    raise_ofmap,
    weight_shape,
    windows,
)
from hwsim.workload.rearrange import rearranged

__all__ = ["FloatModel", "LayerFloats"]

#: Values of a layer's matrix of activations, ``K x pixels`` of a group, at most: half a gigabyte.
LOWERED = 1 << 27
#: K that are summed at once: the rounding error of one long sum in single precision grows with it.
_SUMMED = 1024

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LayerFloats:
    """One layer's weight (:func:`hwsim.workload.lowering.weight_shape`), and its ``(M,)`` bias."""

    weight: Floats
    bias: Floats
    #: Step of each channel's weights, where they are integers of a quantized file: ``(M,)``.
    steps: NDArray[np.float64] | None = None

    def normalized(
        self,
        gamma: NDArray[np.floating],
        beta: NDArray[np.floating],
        mean: NDArray[np.floating],
        var: NDArray[np.floating],
        eps: float,
    ) -> LayerFloats:
        """Fold a batch normalization in: ``gamma * (y - mean) / sqrt(var + eps) + beta``.

        The arithmetic is in double precision, so that folding adds no error of its own.

        Parameters
        ----------
        gamma, beta, mean, var
            ``(M,)``: one value per output channel.
        eps
            Added to the variance.

        Returns
        -------
        LayerFloats
            Layer that includes the normalization.
        """
        with np.errstate(invalid="ignore", divide="ignore"):  # the model refuses what comes of it
            factor = gamma.astype(np.float64) / np.sqrt(var.astype(np.float64) + eps)
            shift = beta - mean.astype(np.float64) * factor
        return self.scaled(factor, shift)

    def scaled(self, scale: NDArray[np.floating], shift: NDArray[np.floating]) -> LayerFloats:
        """Fold ``scale * y + shift`` in, each ``(M,)`` or one number; in double precision."""
        factor = np.broadcast_to(scale.astype(np.float64), len(self.bias))
        with np.errstate(over="ignore", invalid="ignore"):  # the model refuses what comes of it
            weight = self.weight * factor.reshape(-1, *[1] * (self.weight.ndim - 1))
            bias = self.bias * factor + shift
            steps = None if self.steps is None else self.steps * np.abs(factor)
            return LayerFloats(weight.astype(np.float32), bias.astype(np.float32), steps)


@dataclass(frozen=True)
class FloatModel:
    """A network with the weights of every ``conv`` and ``fc`` layer, by layer name.

    Raises
    ------
    InputError
        A weight or bias is not finite, or a layer is too large to be run.
    """

    config: NetworkConfig
    layers: dict[str, LayerFloats]
    #: File of the weights, for messages and records.
    source: str
    #: Files beside it that hold some of them.
    files: tuple[str, ...] = ()
    #: Values that a quantized file allows the activations of ``input`` and of layers.
    grids: Mapping[str, Grid] = field(default_factory=dict)
    #: What the ``float`` layers compute, as of :func:`hwsim.workload.float_graph.run`.
    graphs: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config.must_chain(self.source)
        for shape in self.config.shapes():
            if not shape.has_weights:
                continue
            lowered = shape.K * shape.pixels
            if lowered > LOWERED:
                rule = f"must have at most {LOWERED:,} values when it is lowered, not {lowered:,}"
                raise InputError(self.source, shape.layer.name, None, rule)
            layer = self.layers[shape.layer.name]
            assert layer.weight.shape == weight_shape(shape), shape.layer.name
            for what, values in (("weight", layer.weight), ("bias", layer.bias)):
                if not np.isfinite(values).all():
                    raise InputError(
                        self.source, f"{shape.layer.name}.{what}", None, "must hold finite numbers"
                    )

    def logits(self, images: Floats) -> Floats:
        """Compute ``(images, classes)``, what the last layer gives, from ``(images, C, H, W)``."""
        return self.outputs(images)[self.config.layers[-1].name]

    def outputs(self, images: Floats) -> dict[str, Floats]:
        """Compute the outputs by layer, ``(images, values)``, from ``(images, C, H, W)``."""
        found = dict.fromkeys(self.config.ends, images)
        for name, act in self.activations(images):
            if name in found:
                found[name] = act.reshape(len(images), -1)
        return found

    def activations(self, images: Floats) -> Iterator[tuple[str, Floats]]:
        """Yield ``input``, then each layer's name, with the activations ``(images, M, P, Q)``.

        Activations are freed after the last layer that reads them.

        Parameters
        ----------
        images
            ``(images, C, H, W)``.

        Raises
        ------
        InputError
            An activation exceeds single precision.
        """
        shapes = self.config.shapes()
        sources = list(read_by(shapes).values())
        last_use = {name: index for index, names in enumerate(sources) for name in names}
        known: dict[str, Floats] = {"input": self._rounded("input", images)}
        yield "input", known["input"]
        for index, (shape, names) in enumerate(zip(shapes, sources, strict=True)):
            name = shape.layer.name
            with np.errstate(over="ignore", invalid="ignore"):
                known[name] = self.act(shape, [known[source] for source in names])
            if not np.isfinite(known[name]).all():
                rule = "must give activations within single precision: some are above 3.4e38"
                raise InputError(self.source, name, None, rule)
            yield name, known[name]
            for source in set(names):
                if last_use[source] == index:
                    del known[source]

    def act(self, shape: LayerShape, sources: Sequence[Floats]) -> Floats:
        """Activations of one layer: ``(images, M, P, Q)``, from those of its inputs."""
        return self.rectified(shape, self.sums(shape, sources))

    def rectified(self, shape: LayerShape, sums: Floats) -> Floats:
        """Activations of one layer from what it gives without its ReLU."""
        layer = shape.layer
        found = np.clip(sums, 0, layer.relu_max) if layer.relu else sums
        return self._rounded(layer.name, found)

    def _rounded(self, name: str, values: Floats) -> Floats:
        """Activations of a layer as a quantized file rounds them."""
        return self.grids[name](values) if name in self.grids else values

    def sums(self, shape: LayerShape, sources: Sequence[Floats]) -> Floats:
        """What one layer gives without its ReLU: ``(images, M, P, Q)``."""
        layer, act = shape.layer, sources[0]
        result: Floats
        if shape.has_weights:
            own = self.layers[layer.name]
            pairs = zip(lower_weight(shape, own.weight), lower_act(shape, act), strict=True)
            result = raise_ofmap(shape, [_product(*pair) for pair in pairs], len(act))
            result += own.bias[:, None, None]
        elif layer.type == "maxpool":
            result = windows(shape, act, fill=-np.inf).max(axis=(4, 5))
        elif layer.type == "avgpool":
            taps = windows(shape, act, fill=0)
            count = shape.R * shape.S if layer.count_include_pad else inside(shape)
            result = (taps.sum(axis=(4, 5)) / count).astype(np.float32)
        elif layer.type == "globalavgpool":
            result = act.mean(axis=(2, 3), keepdims=True)
        elif layer.type == "concat":
            result = np.concatenate(sources, axis=1)
        elif layer.moves:
            result = rearranged(layer, act)
        elif layer.type == "float":
            result = float_graph.run(self.graphs[layer.name], sources)
        elif layer.type == "mul":
            result = sources[0] * sources[1]
        elif layer.type == "lrn":
            real = act.astype(np.float64)
            result = (real * factors(layer, square_sums(layer, real))).astype(np.float32)
        elif layer.type == "activation":
            result = activate(layer, act).astype(np.float32)
        else:
            result = np.add.reduce(sources)
        return result


def _product(weight: Floats, act: Floats) -> Floats:
    """Multiply ``(M, K)`` by ``(K, N)``: sums of a part of K each, which are added."""
    total: Floats = weight[:, :_SUMMED] @ act[:_SUMMED]
    for first in range(_SUMMED, len(act), _SUMMED):
        part = slice(first, first + _SUMMED)
        total += weight[:, part] @ act[part]
    return total
