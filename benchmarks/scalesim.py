"""ResNet-50 on a 32x32 weight-stationary array: our cycle-exact count against SCALE-Sim v3.

``python benchmarks/scalesim.py`` installs SCALE-Sim in an environment of its own under build/, runs
the layers there one after the other (minutes, up to a few GB), counts the same layers here, and
compares time and cycles. Every difference in cycles is explained by a closed form; the command
exits 1 where the explanation is off by as much as one cycle.

The ratio takes SCALE-Sim's processor time, which a busy machine does not stretch, and our wall
time, which it does.

Options: ``--layers N`` for the first N layers only, ``--log`` to append the result to
benchmarks/results/scalesim.csv.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

from common import ROOT, append_log, machine, timed

from hwsim.arrays.dense.array import count
from hwsim.config import ArchConfig, DenseConfig, LayerShape, NetworkConfig
from hwsim.engine.network import simulate
from hwsim.report.page import Report, write_csv, write_json
from hwsim.workload.gemm import GEMM

ARCH, NETWORK = "dense_32x32_ws", "resnet50"
#: numpy 2.4 breaks the published package.
REQUIREMENTS = ("scalesim==3.0.*", "numpy<2.4")
BUILD = ROOT / "build" / "benchmarks" / "scalesim"
REPEATS = 200


@dataclass(frozen=True)
class Compared:
    """One layer: SCALE-Sim's compute cycles, ours, and what the difference is made of."""

    layer: str
    M: int
    K: int
    N: int
    folds: int
    scalesim: int
    ours: int
    #: SCALE-Sim preloads, fills and drains in every fold; ours only once.
    overlap: int
    #: Ours waits for weights where a fold has fewer pixels than the array has rows.
    preload_gaps: int
    #: Our command, swap, product and output registers; SCALE-Sim gives the last cycle's number,
    #: from 0.
    registers: int
    #: Processor and wall time of SCALE-Sim.
    scalesim_seconds: float
    scalesim_wall_seconds: float

    @property
    def difference(self) -> int:
        """SCALE-Sim's cycles less ours."""
        return self.scalesim - self.ours

    @property
    def explained(self) -> int:
        """Sum of the parts."""
        return self.overlap + self.preload_gaps + self.registers


def explain(array: DenseConfig, m: int, k: int, n: int) -> tuple[int, int, int, int]:
    """Folds, and the parts of the difference in closed form.

    SCALE-Sim takes ``F (N + 2 R + C - 2) - 1`` cycles for F folds of N pixels on R x C PEs: each
    fold loads R rows of weights, then streams N pixels through a skew of R - 1 and C - 1. Ours
    loads the next fold's weights while a fold streams, and starts its pixels behind the last ones,
    so that ``2 R + C - 2`` is paid once; where a fold has fewer than R pixels, it waits out the
    rest of the R cycles. A pixel tile of our accumulator costs nothing unless the last is that
    short.
    """
    assert array.acc_depth is not None
    assert array.acc_depth >= array.rows
    folds = -(-k // array.rows) * -(-m // array.cols)
    last_tile = (n - 1) % array.acc_depth + 1
    overlap = (folds - 1) * (2 * array.rows + array.cols - 2)
    gaps = -(folds - 1) * max(0, array.rows - last_tile)
    # ours: command, swap, 3 behind the array (accumulator read, add, output), and a PE's registers
    # but the one that theirs has, too; theirs: from 0
    return folds, overlap, gaps, -(1 + 1 + 3) - (array.mac_latency - 1) - 1


def prepare() -> Path:
    """Make SCALE-Sim's environment where there is none; return its Python."""
    python = BUILD / "venv" / "bin" / "python"
    stamp = BUILD / "venv" / "ready"
    if not stamp.exists() or stamp.read_text() != " ".join(REQUIREMENTS):
        print(f"installing {', '.join(REQUIREMENTS)} into {BUILD / 'venv'}", file=sys.stderr)
        venv.create(BUILD / "venv", with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        stamp.write_text(" ".join(REQUIREMENTS))
    return python


def run_scalesim(python: Path, array: DenseConfig, shape: LayerShape) -> dict[str, float]:
    """Run one layer in SCALE-Sim: seconds, compute cycles and stalls."""
    layer = shape.layer
    if layer.G != 1 or layer.dilation != 1:
        raise SystemExit(f"{layer.name}: SCALE-Sim has neither groups nor dilation")
    # the padded ifmap, cut to what the filter really visits: SCALE-Sim rounds the output size up
    height = (shape.ofmap.height - 1) * layer.stride + shape.R
    width = (shape.ofmap.width - 1) * layer.stride + shape.S
    task = {
        "rows": array.rows,
        "cols": array.cols,
        "layer": ["layer", height, width, shape.R, shape.S, shape.C, shape.M, layer.stride],
    }
    done = subprocess.run(
        [python, "-P", "-W", "ignore", Path(__file__).with_name("scalesim_layer.py")],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{layer.name}: SCALE-Sim failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(arch: ArchConfig, shapes: list[LayerShape], python: Path) -> list[Compared]:
    """Run every layer on both sides."""
    array = arch.array_as(DenseConfig)
    rows = []
    for place, shape in enumerate(shapes, 1):
        theirs = run_scalesim(python, array, shape)
        if theirs["stalls"]:
            raise SystemExit(f"{shape.layer.name}: SCALE-Sim stalled on its memory")
        m, k, n = shape.M, shape.K, shape.pixels
        folds, overlap, gaps, registers = explain(array, m, k, n)
        ours = count(arch, GEMM(m, k, n)).cycles
        row = Compared(
            shape.layer.name, m, k, n, folds, int(theirs["cycles"]), ours,
            overlap, gaps, registers, theirs["seconds"], theirs["wall_seconds"],
        )  # fmt: skip
        rows.append(row)
        print(
            f"[{place}/{len(shapes)}] {row.layer}: SCALE-Sim {row.scalesim} cycles in "
            f"{row.scalesim_seconds:.1f} s, ours {ours}; difference {row.difference}, "
            f"explained {row.explained}",
            file=sys.stderr,
        )
    return rows


def write(rows: list[Compared], summary: dict[str, object]) -> None:
    """Write results.json, results.csv and report.md."""
    plain = [
        asdict(row) | {"difference": row.difference, "explained": row.explained} for row in rows
    ]
    write_json(BUILD / "results.json", summary | {"layers": plain})
    write_csv(BUILD / "results.csv", plain)
    report = Report(f"{NETWORK} on {ARCH}: hwsim against SCALE-Sim")
    report.text("Made by `python benchmarks/scalesim.py`.")
    report.table(["what", "value"], list(summary.items()))
    report.heading("Compute cycles, layer by layer")
    report.text(
        "difference = SCALE-Sim - ours = overlap + preload gaps + registers. *Overlap*: SCALE-Sim "
        "loads weights, fills and drains in every fold, (F - 1)(2R + C - 2) more than ours, which "
        "does so once. *Preload gaps*: ours waits (F - 1) max(0, R - N) cycles for weights where a "
        "fold has fewer pixels than rows. *Registers*: our command, swap, accumulator and output "
        "registers take 5 cycles, the registered products of PEs mac_latency - 1; SCALE-Sim "
        "numbers cycles from 0 and gives the last number: 1."
    )
    columns = [
        "layer", "M", "K", "N", "folds", "scalesim", "ours", "difference",
        "overlap", "preload_gaps", "registers", "explained",
    ]  # fmt: skip
    report.table(columns, [[row[column] for column in columns] for row in plain])
    report.write(BUILD)


def main() -> int:
    """Run the benchmark; 1 where a difference is not explained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layers", type=int, help="only the first N layers")
    parser.add_argument("--log", action="store_true", help="append to benchmarks/results/")
    options = parser.parse_args()

    arch, network = ArchConfig.read(ARCH), NetworkConfig.read(NETWORK)
    shapes = [shape for shape in network.shapes() if shape.has_weights][: options.layers]
    rows = compare(arch, shapes, prepare())
    gemms = [GEMM(shape.M, shape.K, shape.pixels) for shape in shapes]
    best, median = timed(lambda: [count(arch, gemm) for gemm in gemms], REPEATS)
    theirs = sum(row.scalesim_seconds for row in rows)
    explained = all(row.difference == row.explained for row in rows)
    summary: dict[str, object] = {
        "layers": len(rows),
        "scalesim_seconds": round(theirs, 2),
        "scalesim_wall_seconds": round(sum(row.scalesim_wall_seconds for row in rows), 2),
        "count_best_us": round(best * 1e6, 1),
        "count_median_us": round(median * 1e6, 1),
        "ratio_median": round(theirs / median),
    }
    if len(rows) == sum(shape.has_weights for shape in network.shapes()):
        _, whole = timed(lambda: simulate(arch, network), REPEATS // 10)
        summary |= {
            "simulate_median_us": round(whole * 1e6, 1),
            "ratio_simulate_median": round(theirs / whole),
        }
    summary |= {
        "scalesim_cycles": sum(row.scalesim for row in rows),
        "our_cycles": sum(row.ours for row in rows),
        "every_difference_explained": explained,
    }
    write(rows, summary | {"machine": machine(), "finished": time.strftime("%Y-%m-%d %H:%M")})
    for name, value in summary.items():
        print(f"{name:>28} {value}")
    print(f"wrote {BUILD / 'report.md'}")
    if options.log:
        print(f"logged in {append_log('scalesim', summary)}")
    return 0 if explained else 1


if __name__ == "__main__":
    sys.exit(main())
