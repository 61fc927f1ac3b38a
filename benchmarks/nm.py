"""N:M against dense with the same multipliers: cycles of each layer, and the time to count them.

``python benchmarks/nm.py`` takes each N:M design beside the dense array of ``rows * n`` rows and as
many columns, and prints both arrays' exact cycles and their ratio, which is m / n where folds are
whole. The weights are full blocks. At the end it draws the convolutions of VGG-16 at 2 of 4 and
times an exact count of them, constraint checked. ``--log`` appends that to
benchmarks/results/nm.csv.
"""

from __future__ import annotations

import argparse
import sys

from common import append_log, timed

from hwsim.arrays.dense import array as dense
from hwsim.arrays.nm import array as nm
from hwsim.config import ArchConfig, DenseConfig, NetworkConfig, NMConfig
from hwsim.formats.nm import project
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import random_weights

PAIRS = [
    ("lenet5", "nm_2x4_4x8_ws"),
    ("lenet5", "nm_2x4_4x8_os"),
    ("lenet5", "nm_1x4_8x8_ws"),
    ("vgg16", "nm_2x4_8x16_ws"),
]
REPEATS = 5


def beside(arch: ArchConfig) -> ArchConfig:
    """Dense array with the multipliers, the columns and the accumulators of an N:M array."""
    array = arch.array_as(NMConfig)
    same = DenseConfig(
        family="dense",
        dataflow=array.dataflow,
        rows=array.rows * array.n,
        cols=array.cols,
        acc_depth=array.acc_depth,
    )
    return arch.model_copy(update={"name": "dense", "array": same})


def show(network: str, design: str) -> None:
    """Print one pair layer by layer."""
    arch = ArchConfig.read(design)
    same = beside(arch)
    print(f"\n{network} on {design} and dense {same.array.rows}x{same.array.cols}")
    print(f"{'layer':>8} {'M':>5} {'K':>6} {'N':>6} {'dense':>9} {'nm':>9} {'ratio':>6}")
    totals = [0, 0]
    for shape in NetworkConfig.read(network).shapes():
        if not shape.has_weights:
            continue
        size = (shape.M, shape.K, shape.pixels)
        cycles = [module.count_shape(a, *size).cycles for module, a in ((dense, same), (nm, arch))]
        totals = [total + count for total, count in zip(totals, cycles, strict=True)]
        sizes = f"{size[0]:5} {size[1]:6} {size[2]:6}"
        print(f"{shape.layer.name:>8} {sizes} {cycles[0]:9} {cycles[1]:9} {_ratio(cycles)}")
    print(f"{'total':>8} {'':19} {totals[0]:9} {totals[1]:9} {_ratio(totals)}")


def _ratio(cycles: list[int]) -> str:
    return f"{cycles[0] / cycles[1]:6.2f}"


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", action="store_true", help="append to benchmarks/results/")
    options = parser.parse_args()
    for pair in PAIRS:
        show(*pair)

    arch = ArchConfig.read("nm_2x4_8x16_ws")
    gemms = []
    for shape in NetworkConfig.read("vgg16").shapes():
        if shape.has_weights and shape.layer.name.startswith("conv"):
            (drawn,) = random_weights(shape, arch.numbers)
            weight = project(drawn, arch.array_as(NMConfig))
            gemms.append(GEMM(shape.M, shape.K, shape.pixels, weight, name=shape.layer.name))
    best, median = timed(lambda: [nm.count(arch, gemm) for gemm in gemms], REPEATS)
    cycles = sum(nm.count(arch, gemm).cycles for gemm in gemms)
    summary: dict[str, object] = {
        "cycles": cycles,
        "best_ms": round(best * 1e3, 1),
        "median_ms": round(median * 1e3, 1),
        "cycles_per_second": round(cycles / median),
        "under_2_s": median < 2,
    }
    print(f"\nconvolutions of vgg16 on {arch.name}")
    for name, value in summary.items():
        print(f"{name:>20} {value}")
    if options.log:
        print(f"logged in {append_log('nm', summary)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
