"""VGG-16's convolutions on every family, 256 multipliers, 90 % pruned: time to count them exactly.

``python benchmarks/families.py`` draws non-structured weights of density 0.1 and activations of
density 0.4, brings them to what each family's format can hold, and counts every convolution, one
core, compiled. The target is 2 seconds a family. Simulated cycles a second stand beside those of
STONNE's SIGMA, 1,000 to 7,000 from its README-level build (a figure given to us, not measured in
this run; the sparse example of its README has 128 multipliers, these designs have 256), and whether
they are more than 10,000 times either. ``--log`` appends the result to
benchmarks/results/families.csv.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from common import append_log

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig, LayerShape, NetworkConfig, PatternConfig
from hwsim.formats import pattern, project
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import random_layer

DESIGNS = ("dense_16x16_ws", "nm_2x4_8x16_ws", "pattern_16x4", "csc_16x16", "bitmask_256")
WEIGHT_DENSITY, ACT_DENSITY = 0.1, 0.4
#: Simulated cycles a second of STONNE's SIGMA, slow and fast end.
STONNE = 1_000, 7_000
#: Times that to exceed.
BOUND = 10_000


def draw(arch: ArchConfig, shape: LayerShape) -> GEMM:
    """Operands of a layer, pruned to the density as the design's format has it."""
    # kernels of 4 taps are pruned from dense weights, whole kernels making up the rest
    is_pattern = isinstance(arch.array, PatternConfig)
    density = 1.0 if is_pattern else WEIGHT_DENSITY
    layer = shape.layer.model_copy(update={"weight_density": density, "act_density": ACT_DENSITY})
    (gemm,) = random_layer(replace(shape, layer=layer), arch.numbers, images=1).gemms()
    assert gemm.weight is not None
    if isinstance(arch.array, PatternConfig):
        keep = WEIGHT_DENSITY * 9 / 4
        return replace(gemm, weight=pattern.project(gemm.weight, arch.array, shape.C, keep))
    return replace(gemm, weight=project(arch, gemm.weight, shape.C))


def measure(design: str) -> dict[str, object]:
    """Count all convolutions on one design; the first layer is counted once before, to compile."""
    arch = ArchConfig.read(design)
    seconds, cycles, dense_macs = 0.0, 0, 0
    compiled = False
    for shape in NetworkConfig.read("vgg16").shapes():
        if shape.layer.type != "conv":
            continue
        gemm = draw(arch, shape)
        if not compiled:
            array_model(arch).count(arch, gemm)
            compiled = True
        start = time.perf_counter()
        counts = array_model(arch).count(arch, gemm)
        seconds += time.perf_counter() - start
        cycles += counts.cycles
        dense_macs += gemm.macs
    slow, fast = (cycles / seconds / stonne for stonne in STONNE)
    return {
        "design": design,
        "multipliers": arch.array.multipliers,
        "cycles": cycles,
        "speedup_over_ideal_dense": round(dense_macs / arch.array.multipliers / cycles, 2),
        "seconds": round(seconds, 4),
        "under_2_s": seconds < 2,
        "cycles_per_second": round(cycles / seconds),
        "times_stonne": round(fast),
        "times_stonne_slow": round(slow),
        "exceeds_bound_of": "fast end" if fast > BOUND else "slow end" if slow > BOUND else "none",
    }


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", action="store_true", help="append to benchmarks/results/")
    options = parser.parse_args()
    for design in DESIGNS:
        row = measure(design)
        print(", ".join(f"{key} {value}" for key, value in row.items()))
        if options.log:
            append_log("families", row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
