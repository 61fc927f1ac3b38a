"""How deep must an index-decoding PE's queue be? Sweep it in code rather than in a YAML file.

Run: python examples/queue_depth.py
"""

from __future__ import annotations

import numpy as np

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import sparse


def main() -> None:
    rng = np.random.default_rng(0)
    gemm = GEMM.of(sparse(rng, (512, 1000), 0.1, 8), sparse(rng, (1000, 16), 0.4, 8))
    base = ArchConfig.read("csc_16x4")
    for depth in (1, 2, 4, 8, 16, 32):
        array = base.array.model_copy(update={"fifo_depth": depth})
        arch = base.model_copy(update={"array": array})
        counts = array_model(arch).count(arch, gemm)
        stalled = counts.causes["control"]["full"]
        print(f"depth {depth:2}: {counts.cycles:,} cycles, broadcast stalled in {stalled:,}")


if __name__ == "__main__":
    main()
