"""Count one layer on two designs: the same pruned weights, dense and index-decoding.

Run: python examples/count_cycles.py
"""

from __future__ import annotations

import numpy as np

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.formats import measure
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import sparse


def main() -> None:
    rng = np.random.default_rng(0)
    weight = sparse(rng, (64, 576), density=0.1, width=8)  # 90 % of the weights pruned
    act = sparse(rng, (576, 196), density=0.5, width=8)  # 14 x 14 pixels, half of them zero
    gemm = GEMM.of(weight, act)
    for name in ("dense_8x8_ws", "csc_16x4"):
        arch = ArchConfig.read(name)
        counts = array_model(arch).count(arch, gemm)
        bits = measure(arch, weight, (gemm.M, gemm.K))
        print(f"{name}: {counts.cycles:,} cycles, {bits.total / 8000:.1f} KB of weights")
        for group, causes in counts.causes.items():
            spent = ", ".join(f"{cause} {cycles:,}" for cause, cycles in causes.items() if cycles)
            print(f"  {group}: {spent}")


if __name__ == "__main__":
    main()
