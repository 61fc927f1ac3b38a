"""AlexNet fc6 (9216 x 4096, 9 % weights, 35.1 % activations) on 64 PEs: time to count it.

``python benchmarks/csc.py`` draws the layer, counts its cycles exactly on the index-decoding array,
and gives the wall time of a count once the recurrences are compiled; the target is 50 ms. ``--log``
appends the result to benchmarks/results/csc.csv.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from common import append_log, timed

from hwsim.arrays.csc.array import count
from hwsim.config import ArchConfig
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import sparse

ARCH = "csc_eie"
M, K = 4096, 9216
WEIGHT_DENSITY, ACT_DENSITY = 0.09, 0.351
REPEATS = 30


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", action="store_true", help="append to benchmarks/results/")
    options = parser.parse_args()

    arch = ArchConfig.read(ARCH)
    rng = np.random.default_rng(0)
    weight = sparse(rng, (M, K), WEIGHT_DENSITY, arch.numbers.weight_width)
    act = sparse(rng, (K, 1), ACT_DENSITY, arch.numbers.act_width)
    gemm = GEMM.of(weight, act, "fc6")
    start = time.perf_counter()
    counts = count(arch, gemm)
    first = time.perf_counter() - start
    best, median = timed(lambda: count(arch, gemm), REPEATS)
    summary: dict[str, object] = {
        "cycles": counts.cycles,
        "first_ms": round(first * 1e3, 1),
        "best_ms": round(best * 1e3, 2),
        "median_ms": round(median * 1e3, 2),
        "cycles_per_second": round(counts.cycles / median),
        "under_50_ms": median < 0.05,
    }
    for name, value in summary.items():
        print(f"{name:>20} {value}")
    if options.log:
        print(f"logged in {append_log('csc', summary)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
