"""Designs and operands for the tests of the dense family."""

import numpy as np

from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.formats import codes
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import act_levels

__all__ = [
    "SHAPES", "arch_of", "bitmask_arch_of", "gather_arch_of", "gemm_of", "product", "pruned",
    "punched",
]  # fmt: skip

#: (M, K, N) on arrays of up to 4 x 4: smallest, primes, larger in each dimension, whole folds.
SHAPES = [
    (1, 1, 1),
    (7, 11, 5),
    (9, 2, 2),
    (2, 13, 2),
    (2, 2, 17),
    (4, 8, 8),
    (3, 5, 1),
    (1, 1, 9),
]


def arch_of(
    dataflow: str,
    rows: int,
    cols: int,
    acc_depth: int = 8,
    mac_latency: int = 1,
    *,
    carries: bool = False,
    fold_lists: bool = False,
    **numbers: int,
) -> ArchConfig:
    """Small design; ``acc_depth`` is for ``ws`` alone."""
    array = {"family": "dense", "dataflow": dataflow, "rows": rows, "cols": cols}
    array |= {"carries": carries, "fold_lists": fold_lists}
    array["mac_latency"] = mac_latency
    if dataflow == "ws":
        array["acc_depth"] = acc_depth
    return parse(ArchConfig, {"name": "dut", "numbers": numbers, "array": array}, "test")


def gemm_of(
    rng: np.random.Generator, arch: ArchConfig, shape: tuple[int, int, int], keep: float = 1.0
) -> GEMM:
    """Random operands over the whole range; each row and column stays with probability ``keep``."""
    m, k, n = shape
    high = 1 << (arch.numbers.weight_width - 1)
    weight = rng.integers(-high, high, (m, k))
    weight[rng.random(weight.shape) < 0.1] = -high
    weight *= (rng.random((m, 1)) < keep) & (rng.random((1, k)) < keep)
    high = 1 << (arch.numbers.act_width - 1)
    act = rng.integers(-high, high, (k, n))
    act[rng.random(act.shape) < 0.1] = -high
    return GEMM.of(weight, act)


def product(arch: ArchConfig, gemm: GEMM) -> np.ndarray:
    """Reference: exact product in Python's integers, reduced to ``psum_width`` bits."""
    half = 1 << (arch.numbers.psum_width - 1)
    exact = gemm.weight.astype(object) @ gemm.act.astype(object)
    return ((exact + half) % (2 * half) - half).astype(np.int64)


def gather_arch_of(
    rows: int, cols: int, acc_depth: int, gather_depth: int = 32, mac_latency: int = 1
) -> ArchConfig:
    """Small weight-stationary design that gathers its activations from banks."""
    array = {
        "family": "dense", "dataflow": "ws", "rows": rows, "cols": cols, "acc_depth": acc_depth,
        "gather_depth": gather_depth, "mac_latency": mac_latency,
    }  # fmt: skip
    return parse(ArchConfig, {"name": "dut", "array": array}, "test")


def bitmask_arch_of(dataflow: str, rows: int, cols: int, acc_depth: int = 8, **more) -> ArchConfig:
    """Small design behind a decompressor; ``more`` is ``port``, ``carries``, and numbers."""
    carries = more.pop("carries", False)
    plain = arch_of(dataflow, rows, cols, acc_depth, carries=carries)
    array = plain.array.model_dump(exclude_none=True)
    array |= {"weight_stream": "bitmask"}
    if "port" in more:
        array["weight_port"] = more.pop("port")
    return parse(ArchConfig, {"name": "dut", "numbers": more, "array": array}, "test")


def pruned(rng: np.random.Generator, arch: ArchConfig, shape: tuple[int, int, int]) -> GEMM:
    """Random operands whose weights are pruned one by one, each row and column more or less."""
    m, k, n = shape
    levels = codes.levels(arch.numbers)
    act = rng.choice(act_levels(arch.numbers), (k, n))
    density = rng.choice([0, 0.2, 0.6, 1], (m, 1)) * rng.choice([0.1, 0.7, 1], (1, k))
    weight = np.where(rng.random((m, k)) < density, rng.choice(levels[levels != 0], (m, k)), 0)
    return GEMM.of(weight, act)


def punched(rng: np.random.Generator, arch: ArchConfig, shape: tuple[int, int, int]) -> GEMM:
    """Random operands whose blocks of as many filters as the array takes share their columns."""
    m, k, _ = shape
    cols = arch.array.cols
    gemm = gemm_of(rng, arch, shape)
    keep = rng.random((-(-m // cols), k)) < rng.choice([0, 0.2, 0.6, 1], (-(-m // cols), 1))
    assert gemm.weight is not None
    assert gemm.act is not None
    return GEMM.of(gemm.weight * np.repeat(keep, cols, axis=0)[:m], gemm.act)
