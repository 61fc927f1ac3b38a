"""Designs and operands for the tests of the density-bound-block family."""

import numpy as np
from hypothesis import strategies as st

from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.formats.codes import levels
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import act_levels

__all__ = ["KINDS", "NUMBERS", "SHAPES", "arch_of", "designs", "gemm_of"]

#: n of m.
KINDS = [(1, 2), (2, 4), (1, 4), (3, 4), (2, 8), (4, 8), (1, 16), (3, 16)]

#: Word widths and codes.
NUMBERS = [
    {},
    {"weight_width": 3, "act_width": 4},
    {"act_width": 16, "psum_width": 32},
    {"weight_code": "levels", "weight_width": 4},
    {"weight_code": "ternary", "weight_width": 2},
    {"weight_code": "pow2", "weight_width": 4},
]

#: (M, K, N) around arrays of 3 x 2 PEs: smallest, edges in each dimension, whole folds.
SHAPES = [(1, 1, 1), (5, 27, 5), (2, 3, 9), (7, 12, 2), (3, 48, 4)]


def arch_of(
    rows: int, cols: int, n: int, m: int, mac_latency: int = 1, **numbers: object
) -> ArchConfig:
    """Small design."""
    array = {"family": "dbb", "rows": rows, "cols": cols, "n": n, "m": m}
    array["mac_latency"] = mac_latency
    return parse(ArchConfig, {"name": "dut", "numbers": numbers, "array": array}, "test")


def gemm_of(
    rng: np.random.Generator, arch: ArchConfig, shape: tuple[int, int, int], density: float = 0.5
) -> GEMM:
    """Random operands that fit; activations are non-zero with ``density``."""
    m, k, n = shape
    values = levels(arch.numbers)
    act = rng.choice(act_levels(arch.numbers), (k, n)) * (rng.random((k, n)) < density)
    return GEMM.of(rng.choice(values[values != 0], (m, k)), act)


@st.composite
def designs(draw) -> tuple[ArchConfig, int]:
    """Design of any kind and code, and a seed."""
    arch = arch_of(
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
        *draw(st.sampled_from(KINDS)),
        draw(st.integers(1, 3)),
        **{"psum_width": draw(st.sampled_from([24, 32]))} | draw(st.sampled_from(NUMBERS)),
    )
    return arch, draw(st.integers(0, 1 << 20))
