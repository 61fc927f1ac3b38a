"""Run a network on a design in the fast exact form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig, LayerShape, NetworkConfig
from hwsim.engine.results import LayerResult, NetworkResult
from hwsim.errors import InputError
from hwsim.fixedpoint import check_range, overflows
from hwsim.formats import lists, measure, nonzeros, project
from hwsim.inference import golden
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer
from hwsim.workload.outside import outside_of
from hwsim.workload.random import random_layer

__all__ = ["arranged", "simulate", "simulate_layer", "synthetic_layers"]


def simulate(
    arch: ArchConfig,
    network: NetworkConfig,
    operands: Mapping[str, Layer] | None = None,
    images: int = 1,
    seed: int = 0,
    progress: Callable[[str], None] = lambda layer: None,
) -> NetworkResult:
    """Count every layer with weights of a network on a design.

    Parameters
    ----------
    operands
        Layers with real operands (:mod:`hwsim.inference.operands`); without them, synthetic ones
        at the densities of the network file.
    images
        Batch: the N of a product is ``images`` x output pixels. With ``operands``, what they hold.
    progress
        Called with the name of each layer once it is counted.

    Raises
    ------
    InputError
        No layer has weights; or one has no operands, holds another batch than ``images``, or does
        not fit the design.
    """
    network.must_have_weights()
    layers = []
    for shape in network.shapes():
        if not shape.has_weights:
            continue
        name = shape.layer.name
        note = ""
        if operands is None:
            layer, note = _synthetic(arch, shape, images, seed)
        elif name in operands:
            layer = _checked(arch, network, shape, operands[name], images)
        else:
            raise InputError(network.name, f"layers.{name}", None, "has no operands")
        layers.append(simulate_layer(arch, layer, note))
        progress(name)
    border, outside = images * network.border, outside_of(network)
    return NetworkResult(arch, network.name, images, layers, border, outside=outside)


def arranged(arch: ArchConfig, layer: Layer) -> tuple[Layer, str]:
    """A layer in a form that the design's format holds, and the change in words (``""``: none)."""
    change = getattr(array_model(arch), "arranged", None)
    return (layer, "") if change is None else change(arch, layer)


def simulate_layer(arch: ArchConfig, layer: Layer, note: str = "") -> LayerResult:
    """Count the products of the groups of one layer, one after the other.

    ``note`` says what was done to its operands.
    """
    model, gemms = array_model(arch), layer.gemms()
    # groups without tensors are all alike
    distinct, times = (gemms[:1], layer.groups) if layer.is_shape else (gemms, 1)
    run, change = arranged(arch, layer)
    products = run.gemms()[: len(distinct)]
    bits = reduce(
        add, (measure(arch, g.weight, (g.M, g.K), g.channels, layer.name) for g in products)
    )
    beside = reduce(
        add, (lists(arch, g.weight, run.taps, g.channels, layer.name) for g in products)
    )
    counts = reduce(add, (model.count(arch, gemm) for gemm in products))
    return LayerResult(
        name=layer.name,
        shape=(layer.M, layer.K, layer.N),
        groups=layer.groups,
        macs=layer.macs,
        useful_macs=sum(_useful(arch, gemm) for gemm in distinct) * times,
        nonzeros=sum(_nonzeros(arch, gemm) for gemm in distinct) * times,
        counts=counts.scaled(times),
        bits=bits.scaled(times),
        lists=beside.scaled(times),
        multipliers=arch.array.multipliers,
        overflows=sum(_overflows(arch, gemm) for gemm in distinct) * times,
        note=", ".join(filter(None, (note, change))),
    )


def _checked(
    arch: ArchConfig, network: NetworkConfig, shape: LayerShape, layer: Layer, images: int
) -> Layer:
    """Layer with operands that are of the network, of ``images`` images, and of the design's width.

    What else a code may lack is found where the format encodes it.
    """
    needed = (shape.M, shape.K, shape.pixels * images)
    if needed != (layer.M, layer.K, layer.N):
        rule = f"must have operands M, K, N = {needed} for {images} images"
        key = f"layers.{shape.layer.name}"
        raise InputError(network.name, key, (layer.M, layer.K, layer.N), rule)
    numbers = arch.numbers
    if layer.ifmap is not None and numbers.act_width > 1:
        check_range(f"{arch.name}, {layer.name}", "ifmap", layer.ifmap, numbers.act_width)
    if numbers.weight_code == "int":
        for weight in layer.weights or ():
            check_range(f"{arch.name}, {layer.name}", "weight", weight, numbers.weight_width)
    return layer


def synthetic_layers(
    arch: ArchConfig, network: NetworkConfig, names: Collection[str], images: int, seed: int = 0
) -> dict[str, Layer]:
    """Layers of a network with random operands at the densities of its file, by name.

    Weights are those of :func:`simulate`: what the design's format holds.
    """
    return {
        shape.layer.name: _drawn(arch, shape, images, seed)[0]
        for shape in network.shapes()
        if shape.has_weights and shape.layer.name in names
    }


def _synthetic(arch: ArchConfig, shape: LayerShape, images: int, seed: int) -> tuple[Layer, str]:
    """Layer at the densities of the network file, and weights that were left out, in words.

    Where the densities are 1, the shape alone counts.
    """
    if shape.layer.weight_density == shape.layer.act_density == 1.0:
        layer = Layer.of_shape(shape, images)
        (gemm, *_) = layer.gemms()
        return layer, _kept(_nonzeros(arch, gemm), gemm.M * gemm.K)
    return _drawn(arch, shape, images, seed)


def _drawn(arch: ArchConfig, shape: LayerShape, images: int, seed: int) -> tuple[Layer, str]:
    """Layer with random operands, of what the design's format holds, and what that leaves out."""
    layer = random_layer(shape, arch.numbers, images, seed)
    assert layer.weights is not None
    channels = layer.gemms()[0].channels
    held = tuple(project(arch, w, channels) for w in layer.weights)
    counts = [sum(map(np.count_nonzero, each)) for each in (held, layer.weights)]
    return replace(layer, weights=held), _kept(*map(int, counts))


def _kept(held: int, drawn: int) -> str:
    return "" if held == drawn else f"pruned to the format: {held:,} of {drawn:,} weights"


def _overflows(arch: ArchConfig, gemm: GEMM) -> int:
    """Sums of products that the design's partial sums cannot hold; 0 where only shapes are known.

    They are computed where the largest weight and activation could exceed the width.
    """
    width, values = arch.numbers.psum_width, gemm.matrix if gemm.ifmap is None else gemm.ifmap
    if gemm.weight is None or values is None:
        return 0
    weight, act = (
        max(abs(int(each.min(initial=0))), abs(int(each.max(initial=0))))
        for each in (gemm.weight, values)
    )
    if gemm.K * weight * act < 1 << (width - 1):
        return 0
    assert gemm.act is not None
    return overflows(golden.gemm(gemm.weight, gemm.act, psum_width=63), width)


def _useful(arch: ArchConfig, gemm: GEMM) -> int:
    if gemm.weight is None:
        return _nonzeros(arch, gemm) * gemm.N
    return int(np.count_nonzero(gemm.weight, axis=0) @ gemm.nonzero_acts())


def _nonzeros(arch: ArchConfig, gemm: GEMM) -> int:
    if gemm.weight is None:
        return nonzeros(arch, (gemm.M, gemm.K), gemm.channels)
    return int(np.count_nonzero(gemm.weight))
