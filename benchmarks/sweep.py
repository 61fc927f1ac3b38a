"""Points per second of a sweep, and its memory, against the number of points; two processes.

``python benchmarks/sweep.py`` looks at 1,000, 10,000 and 100,000 dense arrays on LeNet-5's shapes:
the cheapest points there are, so that what a sweep itself takes shows. Then it looks at 42 costly
points, real weights on index-decoding arrays with fitted memories, with one process and with two.
Each sweep runs in a process of its own. Writes ``benchmarks/results/sweep.csv``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import time
from typing import Any

from common import ROOT, machine, write_csv

#: Points -> rows x columns x depths of the accumulator x latencies of a PE.
CHEAP = {1_000: (10, 10, 10, 1), 10_000: (25, 40, 10, 1), 100_000: (50, 100, 10, 2)}
FOLDER = ROOT / "build" / "benchmark-sweep"


def cheap(points: int) -> dict[str, Any]:
    """Sweep of so many dense arrays, of which shapes alone count."""
    rows, cols, depths, latencies = CHEAP[points]
    return {
        "name": "cheap",
        "arch": "dense_8x8_ws",
        "network": "lenet5",
        "grid": {
            "arch.array.rows": list(range(1, rows + 1)),
            "arch.array.cols": list(range(1, cols + 1)),
            "arch.array.acc_depth": [1 << n for n in range(depths)],
            "arch.array.mac_latency": list(range(1, latencies + 1)),
        },
        "objectives": {"cycles": "min", "multipliers": "min"},
    }


def costly() -> dict[str, Any]:
    """Sweep of real weights on index-decoding arrays, memories fitted."""
    factors = (12, 40, 85, 167, 230, 348)
    return {
        "name": "costly",
        "arch": "csc_16x4",
        "network": "lenet5",
        "multipliers": 64,
        "images": 256,
        "weights": [f"lenet5_nonstructured_{factor}x" for factor in factors],
        "technology": "sg13g2",
        "fit": True,
        "objectives": {"time_us": "min", "energy_uj": "min"},
    }


def measure(raw: dict[str, Any], jobs: int, rows: Any) -> None:
    """Run a sweep, and again when everything is known."""
    import hwsim
    from hwsim.config.base import parse
    from hwsim.config.jobs.sweep import SweepConfig

    shutil.rmtree(FOLDER, ignore_errors=True)
    small = cheap(1_000)
    small["grid"] = {"arch.array.rows": [4, 8]}
    hwsim.sweep(parse(SweepConfig, small, "benchmark"), FOLDER / "warm")
    config, before = parse(SweepConfig, raw, "benchmark"), _peak()
    seconds, busy = [], []
    for _ in range(2):
        wall, cpu = time.perf_counter(), _cpu()
        found = hwsim.sweep(config, FOLDER, jobs=jobs)
        seconds.append(time.perf_counter() - wall)
        busy.append(_cpu() - cpu)
    points = len(found.results)
    assert found.ran == 0
    rows.put(
        {
            "sweep": raw["name"],
            "points": points,
            "processes": jobs,
            "points_per_second": round(points / seconds[0], 2),
            "points_per_core_second": round(points / busy[0], 2),
            "known_per_second": round(points / seconds[1], 1),
            "memory_mib": round(_peak()),
            "grown_mib": round(_peak() - before),
            "store_mib": round((FOLDER / "points.sqlite").stat().st_size / (1 << 20), 1),
        }
    )


def _cpu() -> float:
    """CPU seconds of this process and of its workers that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak() -> float:
    """Most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure each sweep in a new process."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    context = multiprocessing.get_context("spawn")
    table = []
    for raw, jobs in [*((cheap(points), 1) for points in CHEAP), (costly(), 1), (costly(), 2)]:
        rows = context.Queue()
        process = context.Process(target=measure, args=(raw, jobs, rows))
        process.start()
        table.append(rows.get())
        process.join()
        print(table[-1], flush=True)
    print(machine())
    write_csv("sweep.csv", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
