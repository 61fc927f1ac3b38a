"""Points per second of a sweep, and its memory, against the number of points.

``python benchmarks/sweep.py`` looks at 1,000, 10,000 and 100,000 dense arrays on LeNet-5's shapes,
the cheapest points there are, so that what a sweep itself takes shows. Each size runs in a process
of its own; ``--jobs N`` in addition evaluates in N processes. The table is
``benchmarks/results/sweep.csv``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import sys
import time

from common import ROOT, machine, write_csv

SIZES = (1_000, 10_000, 100_000)
#: Rows x columns x depths of the accumulator x latencies of a PE.
AXES = {1_000: (10, 10, 10, 1), 10_000: (25, 40, 10, 1), 100_000: (50, 100, 10, 2)}
FOLDER = ROOT / "build" / "benchmark-sweep"


def sweep(size: int, jobs: int, rows: multiprocessing.Queue) -> None:
    """Run a sweep of ``size`` points twice, and report."""
    import hwsim
    from hwsim.config.base import parse
    from hwsim.config.jobs.sweep import SweepConfig

    height, width, depths, latencies = AXES[size]
    config = parse(
        SweepConfig,
        {
            "name": "many",
            "arch": "dense_8x8_ws",
            "network": "lenet5",
            "grid": {
                "arch.array.rows": list(range(1, height + 1)),
                "arch.array.cols": list(range(1, width + 1)),
                "arch.array.acc_depth": [1 << n for n in range(depths)],
                "arch.array.mac_latency": list(range(1, latencies + 1)),
            },
            "objectives": {"cycles": "min", "multipliers": "min"},
        },
        "benchmark",
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
    hwsim.sweep(config.model_copy(update={"grid": {"arch.array.rows": [4, 8]}}), FOLDER / "warm")
    before = _peak()
    seconds, cores = [], []
    for _ in range(2):
        start, busy = time.perf_counter(), time.process_time()
        found = hwsim.sweep(config, FOLDER, jobs=jobs)
        seconds.append(time.perf_counter() - start)
        cores.append(time.process_time() - busy)
    assert len(found.results) == size
    assert found.ran == 0
    rows.put(
        {
            "points": size,
            "processes": jobs,
            "points_per_second": round(size / seconds[0], 1),
            "points_per_core_second": round(size / cores[0], 1) if jobs == 1 else "",
            "known_per_second": round(size / seconds[1], 1),
            "memory_mib": round(_peak()),
            "grown_mib": round(_peak() - before),
            "store_mib": round((FOLDER / "points.sqlite").stat().st_size / (1 << 20), 1),
        }
    )


def _peak() -> float:
    """Most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure each size."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=1, help="also evaluate in so many processes")
    options.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    chosen = options.parse_args()
    context = multiprocessing.get_context("spawn")
    table = []
    for size in chosen.sizes:
        for jobs in sorted({1, chosen.jobs}):
            rows = context.Queue()
            process = context.Process(target=sweep, args=(size, jobs, rows))
            process.start()
            table.append(rows.get())
            process.join()
            print(table[-1], flush=True)
    print(machine())
    write_csv("sweep.csv", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
