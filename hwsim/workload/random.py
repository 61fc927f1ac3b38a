"""Random operands: weights and activations that are non-zero at given densities."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerShape, NumberConfig
from hwsim.formats import codes
from hwsim.workload.layer import Layer, conv_of

__all__ = ["act_levels", "positions", "random_layer", "random_weights", "sparse", "stream"]


def random_layer(shape: LayerShape, numbers: NumberConfig, images: int, seed: int = 0) -> Layer:
    """Layer with random operands at its weight and activation densities.

    Each position is non-zero independently. The same layer name and seed give the same operands.
    """
    rng = stream(seed, f"{shape.layer.name}.act")
    size = (shape.K, shape.pixels * images)
    weights = tuple(random_weights(shape, numbers, seed))
    acts = tuple(sparse(rng, size, shape.layer.act_density, numbers.act_width) for _ in weights)
    return Layer(
        shape.layer.name, shape.M, shape.K, size[1], shape.layer.G, weights,
        matrices=acts, conv=conv_of(shape, images),
    )  # fmt: skip


def random_weights(
    shape: LayerShape, numbers: NumberConfig, seed: int = 0
) -> list[NDArray[np.integer]]:
    """Random weights of one layer at its density, ``(M, K)`` for each group."""
    rng = stream(seed, f"{shape.layer.name}.weight")
    size = (shape.M, shape.K)
    return [_weight(rng, size, shape.layer.weight_density, numbers) for _ in range(shape.layer.G)]


def stream(seed: int, name: str) -> np.random.Generator:
    """Generator of a seed and a name: layers drawn in any order get the same numbers."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def sparse(
    rng: np.random.Generator, size: tuple[int, int], density: float, width: int
) -> NDArray[np.integer]:
    """Matrix non-zero with probability ``density`` at each position, uniform over ``width`` bits.

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


def positions(rng: np.random.Generator, size: int, count: int) -> NDArray[np.int64]:
    """Ascending positions of exactly ``count`` of ``size``, each such set as likely as any other.

    Takes time and memory in proportion to the smaller of kept and removed, but for the result.
    """
    if 2 * count > size:
        kept = np.ones(size, dtype=bool)
        kept[positions(rng, size, size - count)] = False
        return np.flatnonzero(kept)
    drawn: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    while len(drawn) < count:
        # duplicates fall out; whatever is short is drawn again
        more = rng.integers(size, size=count - len(drawn) + count // 8 + 8)
        drawn = np.sort(np.concatenate([drawn, more]))  # np.unique is many times slower here
        drawn = drawn[np.diff(drawn, prepend=-1) > 0]
    surplus = rng.choice(len(drawn), len(drawn) - count, replace=False)
    return np.delete(drawn, surplus)
