"""Step the cycle model under stalls, and check it against the product.

Run: python examples/step_through.py
"""

from __future__ import annotations

import numpy as np

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import sparse


def main() -> None:
    rng = np.random.default_rng(0)
    arch = ArchConfig.read("dense_8x8_ws")
    model = array_model(arch)
    weight, act = sparse(rng, (11, 20), 1.0, 8), sparse(rng, (20, 13), 1.0, 8)
    gemm = GEMM.of(weight, act)
    job = model.compile(arch, gemm)
    for what, pauses in {
        "no stalls": {},
        "slow memory": {"act": np.array([True, True, False])},
        "slow consumer": {"ofmap": np.array([True, True, True, False])},
    }.items():
        run = model.simulate(arch, job, pauses)
        exact = weight.astype(np.int64) @ act.astype(np.int64)
        assert (run.ofmap == exact).all()
        spent = {c: n for c, n in run.counts.causes["array"].items() if n}
        print(f"{what}: {run.counts.cycles} cycles {spent}")


if __name__ == "__main__":
    main()
