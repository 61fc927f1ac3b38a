"""Random 3x3 layers for verification: the array sees the geometry of a convolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, LayerConfig, LayerShape, PatternConfig, TensorShape
from hwsim.formats.pattern import project
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import conv_of

__all__ = ["draw_case"]

#: Draws values of a shape at a density: of weights, and of activations.
Draw = Callable[[tuple[int, ...], float], NDArray[np.int64]]

#: Kinds of 3x3 layers, in turn; every third case is a matrix product.
KINDS = ("fits", "one", "large-m", "large-c", "tiles", "images", "line", "removed", "any")


def draw_case(
    arch: ArchConfig, index: int, rng: np.random.Generator, weights: Draw, acts: Draw
) -> tuple[str, GEMM] | None:
    """Kind and operands of case ``index`` on a pattern design; ``None`` for a matrix product.

    Stride, padding and densities are drawn; shapes are around the array's, its accumulator's and
    its line buffers' size.
    """
    array = arch.array_as(PatternConfig)
    if index % 3 == 2:
        return None
    kind = KINDS[(index - index // 3) % len(KINDS)]
    stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, 2))
    smallest = 3 - 2 * padding
    images, height, width = (int(n) for n in rng.integers(smallest, 8, 3))
    num_filters = int(rng.integers(1, 2 * array.cols + 2))
    channels = int(rng.integers(1, 2 * array.rows + 2))
    depth = array.acc_depth or 1
    if kind == "fits":
        num_filters, channels = array.cols, array.rows
    elif kind == "one":
        num_filters, channels, height, width = 1, 1, smallest, smallest
    elif kind == "large-m":
        num_filters += 3 * array.cols
    elif kind == "large-c":
        channels += 3 * array.rows
    elif kind == "tiles":
        height = width = min(int(1.5 * depth**0.5), 40) + smallest
    elif kind == "line":
        height, width = smallest, min(array.line_depth, 70) + int(rng.integers(1, 4))
    images = min(images, 3) if kind == "images" else 1
    layer = LayerConfig(
        name="conv", type="conv", M=num_filters, R=3, stride=stride, padding=padding
    )
    ifmap = TensorShape(channels=channels, height=height, width=width)
    out = [(size + 2 * padding - 3) // stride + 1 for size in (height, width)]
    shape = LayerShape(layer, ifmap, TensorShape(channels=num_filters, height=out[0], width=out[1]))
    has_zero = arch.numbers.has_zero
    density = float(rng.choice([0.5, 0.8, 1])) if has_zero else 1.0
    keep = float(rng.choice([0.1, 0.3, 0.6])) if kind == "removed" else float(rng.choice([0.7, 1]))
    weight = project(weights((shape.M, shape.K), density), array, channels, keep, has_zero=has_zero)
    pixels = acts((images, channels, height, width), float(rng.choice([0.3, 1])))
    conv = conv_of(shape, images)
    assert conv is not None
    size = (shape.M, shape.K, shape.pixels * images)
    return kind, GEMM(*size, weight, None, f"random {index}", conv, pixels)
