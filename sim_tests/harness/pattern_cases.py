"""Designs and operands for the tests of the pattern family."""

import numpy as np

from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.formats.pattern import project
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM

__all__ = ["CONVS", "arch_of", "conv_gemm", "gemm_of", "im2col", "product"]

#: (M, images, C, H, W, stride, padding) on arrays of up to 4 x 4 with 8 pixels and lines of 8.
CONVS = [
    (1, 1, 1, 1, 1, 1, 1),  # all edges but one tap
    (1, 1, 1, 3, 3, 1, 0),  # one window
    (5, 1, 6, 4, 3, 1, 1),
    (5, 1, 6, 5, 6, 2, 1),
    (4, 1, 5, 5, 4, 2, 0),
    (3, 4, 2, 2, 2, 1, 1),  # two images in a tile
    (2, 1, 2, 3, 12, 1, 1),  # lines longer than the buffers
    (2, 1, 3, 9, 1, 1, 1),  # patches one pixel wide
]


def arch_of(
    rows: int,
    cols: int,
    acc_depth: int = 8,
    line_depth: int = 8,
    patterns: int = 8,
    mac_latency: int = 1,
    *,
    carries: bool = False,
    **numbers: int | str,
) -> ArchConfig:
    """Small design."""
    array = {
        "family": "pattern", "rows": rows, "cols": cols, "acc_depth": acc_depth,
        "line_depth": line_depth, "patterns": patterns, "mac_latency": mac_latency,
        "carries": carries,
    }  # fmt: skip
    return parse(ArchConfig, {"name": "dut", "numbers": numbers, "array": array}, "test")


def im2col(ifmap: np.ndarray, conv: Conv) -> np.ndarray:
    """Activations ``(K, N)``, tap by tap, of ifmaps ``(images, C, H, W)``."""
    padded = np.pad(ifmap, [(0, 0), (0, 0), (conv.padding,) * 2, (conv.padding,) * 2])
    act = np.zeros((conv.R, conv.S, conv.C, conv.images, conv.P, conv.Q), dtype=np.int64)
    for r, s, p, q in np.ndindex(conv.R, conv.S, conv.P, conv.Q):
        pixel = padded[:, :, p * conv.stride + r, q * conv.stride + s]
        act[r, s, :, :, p, q] = pixel.T
    return act.reshape(conv.R * conv.S * conv.C, -1)


def _weights(rng: np.random.Generator, arch: ArchConfig, size: tuple[int, int]) -> np.ndarray:
    half = 1 << (arch.numbers.weight_width - 1)
    weight = rng.integers(1, half if half > 1 else 2, size) * rng.choice([-1, 1], size)
    if arch.numbers.weight_code == "int":
        weight[rng.random(size) < 0.1] = -half
        weight[rng.random(size) < 0.1] = 0
    return weight


def _acts(rng: np.random.Generator, arch: ArchConfig, size: tuple[int, ...]) -> np.ndarray:
    half = 1 << (arch.numbers.act_width - 1)
    act = rng.integers(-half, half, size)
    act[rng.random(size) < 0.1] = -half
    return act


def conv_gemm(
    rng: np.random.Generator, arch: ArchConfig, shape: tuple[int, ...], keep: float = 0.7
) -> GEMM:
    """3x3 layer with random operands, of whose kernels a fraction ``keep`` stays."""
    m, images, c, h, w, stride, padding = shape
    conv = Conv(images, c, h, w, 3, 3, stride, padding)
    weight = project(
        _weights(rng, arch, (m, 9 * c)), arch.array, c, keep, has_zero=arch.numbers.has_zero
    )
    return GEMM.of(weight, im2col(_acts(rng, arch, (images, c, h, w)), conv), "conv", conv)


def gemm_of(
    rng: np.random.Generator, arch: ArchConfig, shape: tuple[int, int, int], keep: float = 0.7
) -> GEMM:
    """Any other layer with random operands, of whose blocks of four K a fraction ``keep`` stays."""
    m, k, n = shape
    weight = _weights(rng, arch, (m, k))
    weight *= np.repeat(rng.random((m, -(-k // 4))) < keep, 4, axis=1)[:, :k]
    return GEMM.of(weight, _acts(rng, arch, (k, n)), "fc")


def product(arch: ArchConfig, gemm: GEMM) -> np.ndarray:
    """Reference: exact product in Python's integers, reduced to ``psum_width`` bits."""
    half = 1 << (arch.numbers.psum_width - 1)
    exact = gemm.weight.astype(object) @ gemm.act.astype(object)
    return ((exact + half) % (2 * half) - half).astype(np.int64)
