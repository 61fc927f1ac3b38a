"""Kernel patterns against dense with the same multipliers, and what the filter reorder gives.

``python benchmarks/pattern.py`` draws VGG-16's convolutions, projects them onto 8 patterns and onto
the kernels of largest norm, and prints for each layer how many times fewer cycles than its MACs
over the multipliers it takes: with patterns alone, and with ``--keep`` of the kernels in the
patterns. ``folds`` are those of groups in the layer's own order, after the reorder, and of lists
that every filter of a group shared. Norms are drawn independently of each other (``random``), or
with one of four profiles over the channels for each filter (``alike``). At the end it prints the
time of the exact counts. ``--log`` appends that to benchmarks/results/pattern.csv.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np
from common import append_log, timed
from numpy.typing import NDArray

from hwsim.arrays.pattern import array as pattern
from hwsim.config import ArchConfig, LayerShape, NetworkConfig, PatternConfig
from hwsim.formats.pattern import TAPS, plan, project
from hwsim.formats.pattern_groups import cut
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import random_layer

REPEATS = 3
PROFILES = 4


def draw(arch: ArchConfig, shape: LayerShape, keep: float, alike: bool) -> GEMM:
    """One layer with projected weights."""
    (gemm,) = random_layer(shape, arch.numbers, 1).gemms()
    assert gemm.weight is not None
    weight = gemm.weight.astype(np.int64)
    if alike:
        rng = np.random.default_rng(0)
        scale = 0.3 + 2 * rng.random((PROFILES, shape.C))
        kernels = weight.reshape(shape.M, -1, shape.C)
        kernels = kernels * scale[rng.integers(0, PROFILES, shape.M)][:, None]
        weight = kernels.astype(np.int64).reshape(shape.M, -1)
    return replace(gemm, weight=project(weight, arch.array_as(PatternConfig), shape.C, keep))


def folds(arch: ArchConfig, gemm: GEMM) -> tuple[int, int, int]:
    """Folds in the layer's own order, after the reorder, and of lists that all filters share."""
    array = arch.array_as(PatternConfig)
    assert gemm.weight is not None
    masks, groups = plan(gemm.weight, array, gemm.channels)
    present: NDArray[np.bool_] = masks != 0
    own = cut(present, np.flatnonzero(present.any(axis=1)), array.cols)
    shared = round(np.count_nonzero(present) / array.cols / array.rows)
    return own.folds(array.rows), groups.folds(array.rows), shared


def main() -> int:
    """Print the table; log the times."""
    parser = argparse.ArgumentParser(description="Kernel patterns against dense.")
    parser.add_argument("--arch", default="pattern_16x4")
    parser.add_argument("--keep", type=float, default=0.225, help="kernels that stay")
    parser.add_argument("--log", action="store_true", help="append to benchmarks/results/")
    options = parser.parse_args()
    arch = ArchConfig.read(options.arch)
    shapes = [s for s in NetworkConfig.read("vgg16").shapes() if s.layer.type == "conv"]
    print(f"vgg16 on {arch.name}, {TAPS} of 9 taps; {options.keep:.1%} of the kernels")
    print(f"{'layer':>8} {'patterns':>8} {'random':>7} {'folds':>18} {'alike':>7} {'folds':>18}")
    kept = []
    for shape in shapes:
        cells = []
        for keep, alike in ((1.0, False), (options.keep, False), (options.keep, True)):
            gemm = draw(arch, shape, keep, alike)
            cycles = pattern.count(arch, gemm).cycles
            cells.append(f"{gemm.macs / arch.array.multipliers / cycles:7.2f}")
            if keep < 1:
                cells.append("{:6}{:6}{:6}".format(*folds(arch, gemm)))
                kept.append(gemm)
        print(f"{shape.layer.name:>8}  {' '.join(cells)}", flush=True)
    half = kept[::2]
    best, median = timed(lambda: [pattern.count(arch, gemm) for gemm in half], REPEATS)
    print(f"exact counts of all layers, random: {best:.3f} s best, {median:.3f} s median")
    if options.log:
        append_log(
            "pattern", {"arch": arch.name, "best_s": round(best, 4), "median_s": round(median, 4)}
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
