"""Designs and operands for the tests of the N:M family."""

import numpy as np
from hypothesis import strategies as st

from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.formats.codes import levels
from hwsim.formats.nm import project
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import act_levels

__all__ = ["KINDS", "NUMBERS", "SHAPES", "arch_of", "designs", "gemm_of"]

#: n of m.
KINDS = [(1, 2), (2, 4), (1, 4), (2, 8), (4, 8), (1, 1), (4, 4), (3, 4), (1, 16)]

#: Word widths and codes: each code, binary activations with and without a zero weight.
NUMBERS = [
    {},
    {"weight_width": 3},
    {"weight_code": "levels", "weight_width": 4},
    {"weight_code": "levels", "weight_width": 1, "act_width": 1},
    {"weight_code": "ternary", "weight_width": 2, "act_width": 1},
    {"weight_code": "pow2", "weight_width": 4},
]

#: (M, K, N) around arrays of 3 x 2 PEs: smallest, edges in each dimension, whole folds.
SHAPES = [(1, 1, 1), (5, 27, 5), (2, 3, 9), (7, 12, 2), (3, 48, 4)]


def arch_of(
    dataflow: str,
    rows: int,
    cols: int,
    n: int,
    m: int,
    acc_depth: int = 4,
    mac_latency: int = 1,
    *,
    carries: bool = False,
    **numbers: object,
) -> ArchConfig:
    """Small design; ``acc_depth`` is for ``ws`` alone."""
    array = {"family": "nm", "dataflow": dataflow, "rows": rows, "cols": cols, "n": n, "m": m}
    array |= {"mac_latency": mac_latency, "carries": carries}
    if dataflow == "ws":
        array["acc_depth"] = acc_depth
    return parse(ArchConfig, {"name": "dut", "numbers": numbers, "array": array}, "test")


def gemm_of(
    rng: np.random.Generator, arch: ArchConfig, shape: tuple[int, int, int], density: float = 1.0
) -> GEMM:
    """Random operands that fit; weights are non-zero with ``density`` where the code has a zero."""
    m, k, n = shape
    values = levels(arch.numbers)
    weight = rng.choice(values[values != 0], (m, k))
    if arch.numbers.has_zero:
        weight *= rng.random(weight.shape) < density
    act = rng.choice(act_levels(arch.numbers), (k, n))
    return GEMM.of(project(weight, arch.array), act)


@st.composite
def designs(draw) -> tuple[ArchConfig, int]:
    """Design of any kind and code, and a seed."""
    n, m = draw(st.sampled_from(KINDS))
    arch = arch_of(
        draw(st.sampled_from(["ws", "os"])),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
        n,
        m,
        1 << draw(st.integers(0, 4)),
        draw(st.integers(1, 3)),
        carries=draw(st.booleans()),
        **draw(st.sampled_from(NUMBERS)),
        psum_width=draw(st.sampled_from([17, 32])),
    )
    return arch, draw(st.integers(0, 1 << 20))
