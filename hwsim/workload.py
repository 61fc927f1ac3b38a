"""Operands of a network's weighted layers: real, from a checkpoint, or synthetic at a density."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import GEMM, Conv
from hwsim.config import LayerShape, NetworkConfig, NumberConfig
from hwsim.formats import codes

if TYPE_CHECKING:
    from hwsim.checkpoint import Checkpoint

__all__ = [
    "act_levels",
    "conv_of",
    "real",
    "shapes_only",
    "sparse",
    "synthetic",
    "synthetic_weight",
]


def conv_of(shape: LayerShape, images: int) -> Conv | None:
    """Geometry of one group of a convolution; ``None`` for any other layer, and for dilation.

    A layer whose ofmap is rounded up to another size is no such convolution either.
    """
    layer = shape.layer
    if layer.type != "conv" or layer.dilation != 1:
        return None
    conv = Conv(
        images, shape.C, shape.ifmap.height, shape.ifmap.width, shape.R, shape.S,
        layer.stride, layer.padding,
    )  # fmt: skip
    return conv if (shape.ofmap.height, shape.ofmap.width) == (conv.P, conv.Q) else None


def shapes_only(shape: LayerShape, images: int) -> list[GEMM]:
    """GEMMs of one layer without operands: one for each group."""
    size = (shape.M, shape.K, shape.pixels * images)
    gemm = GEMM(*size, name=shape.layer.name, conv=conv_of(shape, images))
    return [gemm] * shape.layer.G


def synthetic(shape: LayerShape, numbers: NumberConfig, images: int, seed: int = 0) -> list[GEMM]:
    """GEMMs of one layer with random operands at the layer's weight and activation densities.

    Each position is non-zero independently. The same layer name and seed give the same operands.
    """
    rng = _rng(shape, seed, "act")
    size = (shape.K, shape.pixels * images)
    gemms = []
    for weight in synthetic_weight(shape, numbers, seed):
        act = sparse(rng, size, shape.layer.act_density, numbers.act_width)
        gemms.append(GEMM.of(weight, act, shape.layer.name, conv_of(shape, images)))
    return gemms


def synthetic_weight(
    shape: LayerShape, numbers: NumberConfig, seed: int = 0
) -> list[NDArray[np.integer]]:
    """Random weights of one layer at its density, ``(M, K)`` for each group."""
    rng = _rng(shape, seed, "weight")
    size = (shape.M, shape.K)
    return [_weight(rng, size, shape.layer.weight_density, numbers) for _ in range(shape.layer.G)]


def _rng(shape: LayerShape, seed: int, operand: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(f"{shape.layer.name}.{operand}".encode())])


def sparse(
    rng: np.random.Generator, size: tuple[int, int], density: float, width: int
) -> NDArray[np.integer]:
    """Matrix non-zero with probability ``density`` at each place, uniform over ``width`` bits.

    One bit is binary: +1 and -1 everywhere.
    """
    if width == 1:
        binary: NDArray[np.int8] = rng.choice(np.array([-1, 1], dtype=np.int8), size)
        return binary
    dtype = np.int8 if width <= 8 else np.int16
    high = 1 << (width - 1)
    values = rng.integers(-high, high - 1, size, dtype=dtype)
    values += values >= 0  # zero is not a value: [-high, -1] and [1, high - 1]
    if density < 1:
        values *= rng.random(size, dtype=np.float32) < density
    return values


def _weight(
    rng: np.random.Generator, size: tuple[int, int], density: float, numbers: NumberConfig
) -> NDArray[np.integer]:
    """Weights non-zero with probability ``density``, uniform over the levels of their code."""
    if numbers.weight_code == "int":
        return sparse(rng, size, density, numbers.weight_width)
    levels = codes.levels(numbers)
    dtype = np.int8 if levels[-1] < 128 else np.int16
    choices: NDArray[np.signedinteger] = levels[levels != 0].astype(dtype)
    values: NDArray[np.signedinteger] = choices[rng.integers(0, np.count_nonzero(levels), size)]
    if density < 1:
        values *= rng.random(size, dtype=np.float32) < density
    return values


def act_levels(numbers: NumberConfig) -> NDArray[np.int64]:
    """Every integer that an activation may be, ascending."""
    if numbers.act_width == 1:
        return np.array([-1, 1])
    half = 1 << (numbers.act_width - 1)
    return np.arange(-half, half)


def real(
    network: NetworkConfig,
    checkpoint: Checkpoint,
    images: NDArray[np.uint8] | NDArray[np.floating],
) -> dict[str, list[GEMM]]:
    """GEMMs of every weighted layer: a checkpoint's weights on what images become at its input.

    Parameters
    ----------
    images
        ``(images, height, width)`` or ``(images, C, height, width)``: unsigned 8-bit pixels, or
        the real values that the float network takes.
    """
    from hwsim import golden, lowering

    trace = golden.run(network, checkpoint, golden.input_act(images, checkpoint.input_scale))
    operands = {}
    for shape in network.shapes():
        if shape.has_weights:
            name = shape.layer.name
            weights = lowering.lower_weight(shape, checkpoint.layers[name].weight)
            acts = lowering.lower_act(shape, trace.ifmap[name])
            conv = conv_of(shape, len(images))
            operands[name] = [
                GEMM.of(weight, act, name, conv) for weight, act in zip(weights, acts, strict=True)
            ]
    return operands
