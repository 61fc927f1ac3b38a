"""Designs of csc and random products for them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwsim.config import ArchConfig
from hwsim.fixedpoint import wrap
from hwsim.workload.gemm import GEMM

__all__ = ["BASE", "cases", "design", "draw_gemm", "product"]

BASE = {
    "family": "csc",
    "pes": 4,
    "lanes": 2,
    "index_bits": 2,
    "fifo_depth": 2,
    "window": 4,
    "load_pes": 2,
    "col_depth": 32,
    "entry_depth": 64,
    "acc_depth": 4,
}


def design(numbers=None, **array):
    return ArchConfig.model_validate(
        {"name": "csc_test", "array": BASE | array, "numbers": numbers or {}}
    )


def draw_gemm(rng, shape, weight_density, act_density, dtype=np.int8):
    m, k, n = shape

    def sparse(size, density):
        values = rng.integers(-128, 128, size, dtype=np.int8)
        return (values * (rng.random(size) < density)).astype(dtype)

    return GEMM.of(sparse((m, k), weight_density), sparse((k, n), act_density))


def product(arch, gemm):
    exact = gemm.weight.astype(np.int64) @ gemm.act.astype(np.int64)
    return wrap(exact, arch.numbers.psum_width)


@st.composite
def cases(draw):
    pes = draw(st.sampled_from([1, 2, 4, 8]))
    arch = design(
        pes=pes,
        lanes=(lanes := draw(st.sampled_from([1, 2, 4]))),
        drain_lanes=draw(st.sampled_from([d for d in (1, 2, 4) if d <= lanes])),
        drain_pes=draw(st.sampled_from([None, *(d for d in (1, 2, 4, 8) if d <= pes)])),
        load_pes=draw(st.sampled_from([n for n in (1, 2, 4, 8) if n <= pes])),
        fifo_depth=draw(st.sampled_from([1, 2, 3, 8])),
        window=draw(st.integers(1, 8)),
        index_bits=draw(st.integers(1, 4)),
        acc_depth=draw(st.sampled_from([1, 2, 8])),
        entry_depth=draw(st.sampled_from([32, 64])),
    )
    density = st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 32), st.integers(1, 14)))
    return arch, draw_gemm(rng, shape, draw(density), draw(density))
