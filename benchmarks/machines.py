"""A network on every machine that ships, from memory: cycles, who waits, bytes; held to the RTL.

``python benchmarks/machines.py`` compiles LeNet-5 for each machine with the weights that suit it,
runs one image of MNIST in Verilator at nine memories, holds logits to the golden model and all
counters to the fast form, and writes ``benchmarks/results/machines.csv`` and the table of
``docs/machine.md``; ``--network vgg6`` does the same on Fashion-MNIST. A build takes most of a
minute per machine; ``--no-rtl`` leaves the proof out. Where machines are named, their rows are
renewed and others stay. With ``--images`` other than 1 no table is written. Beside each row it
prints the cycles that Verilator simulated per second of processor time, and what of that was
Python's.
"""

from __future__ import annotations

import argparse
import csv
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from common import ROOT, write_block, write_csv

from hwsim.accelerator.result import MachineResult
from hwsim.accelerator.simulate import simulate
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import find_checkpoint
from hwsim.compiler.prepare import on_images
from hwsim.compiler.synthetic import synthetic_checkpoint
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
from hwsim.config.catalog import CONFIGS
from hwsim.report.page import table_lines
from hwsim.verification.machine import accepted, job_of

if TYPE_CHECKING:
    from hwsim.rtl.cosim.machine_bench import Outcome

PAGE = ROOT / "docs" / "machine.md"
SIZE = 1 << 21
#: Weights of the machines whose own kind has a checkpoint; others run dense ones.
WEIGHTS = {
    "lenet5": {
        "machine_csc_8x8": "lenet5_nonstructured_12x",
        "machine_csc_8x8_double": "lenet5_nonstructured_12x",
        "machine_dense_8x8_ws_bitmask": "lenet5_nonstructured_12x",
        "machine_dense_8x8_ws_gather": "lenet5_structured_10x",
        "machine_nm_2x4_4x8_ws": "lenet5_nm_2x4",
        "machine_nm_2x4_4x8_os": "lenet5_nm_2x4",
        "machine_bitmask_64": "lenet5_nonstructured_12x",
        "machine_bitmask_64_double": "lenet5_nonstructured_12x",
    },
    "vgg6": {
        "machine_csc_8x8": "vgg6_fashion_nonstructured_5x",
        "machine_csc_8x8_double": "vgg6_fashion_nonstructured_5x",
        "machine_dense_8x8_ws_bitmask": "vgg6_fashion_nonstructured_5x",
        "machine_dense_8x8_ws_gather": "vgg6_fashion_structured_4x",
        "machine_nm_2x4_4x8_ws": None,
        "machine_nm_2x4_4x8_os": None,
        "machine_bitmask_64": "vgg6_fashion_nonstructured_5x",
        "machine_bitmask_64_double": "vgg6_fashion_nonstructured_5x",
        "machine_pattern_4x4": "vgg6_fashion_pattern_3x",
    },
}
DENSE = {"lenet5": "lenet5_dense", "vgg6": "vgg6_fashion_dense"}
#: Left out: machines for larger networks, with a bus that some of these memories are refused for.
LARGE = ("machine_dense_16x16_ws", "machine_dense_32x32_ws")
#: Bytes per cycle x latency; the table shows the first, which limits nothing, and the middle one.
MEMORIES = [
    MemoryConfig(
        name=f"{width} bytes per cycle, latency {latency}",
        source="benchmark",
        latency=latency,
        bytes_per_cycle=width,
    )
    for width in (16, 4, 2)
    for latency in (1, 50, 200)
]


def row(
    arch: ArchConfig, network: NetworkConfig, name: str | None, *, images: int, rtl: bool
) -> dict[str, object]:
    """One machine with the weights ``name``, or with random ones."""
    if name is None:
        checkpoint = synthetic_checkpoint(arch, network)
    else:
        checkpoint = Checkpoint.read(find_checkpoint(name), network)
    work = on_images(arch, network, checkpoint, images)
    compiled = work.compiled
    memories = [accepted(memory, arch.bus) for memory in MEMORIES]
    runs = [simulate(compiled.program, memory) for memory in memories]
    weights = name or "random"
    fast, slow = (MachineResult(network, images, memories[i], runs[i], weights) for i in (0, 4))
    proved = "not run"
    if rtl:
        from hwsim.rtl.cosim import machine_bench as bench

        jobs = [job_of(compiled.program, memory, 10_000_000) for memory in memories]
        folder = Path("build") / "machines" / arch.name
        built, image = bench.build(arch, folder, SIZE), compiled.image(work.act)
        outcomes = timed(lambda: bench.run(built, image, jobs))
        equal = sum(
            outcome.counters == run.counters()
            and bool((compiled.outputs(outcome.output) == work.results).all())
            for outcome, run in zip(outcomes, runs, strict=True)
        )
        proved = f"{equal} of {len(jobs)}"
    waits = max(slow.layers(), key=lambda layer: layer.waits_load)
    return {
        "machine": arch.name,
        "weights": weights,
        "cycles": fast.cycles,
        "cycles at 4 bytes per cycle": slow.cycles,
        "waits for load": f"{sum(layer.waits_load for layer in slow.layers())} ({waits.name})",
        "bytes moved": sum(sum(layer.moved.values()) for layer in slow.layers()),
        "equal in RTL": proved,
    }


def timed(play: Callable[[], list[Outcome]]) -> list[Outcome]:
    """Run jobs, and print how fast that was."""
    own, other = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    outcomes = play()
    own, after = time.process_time() - own, resource.getrusage(resource.RUSAGE_CHILDREN)
    verilated = after.ru_utime + after.ru_stime - other.ru_utime - other.ru_stime
    cycles = sum(outcome.counters["cycles"] for outcome in outcomes)
    speed, share = cycles / (own + verilated), own / (own + verilated)
    print(f"{cycles:,} cycles, {speed:,.0f} per CPU second; Python {share:.1%} of it", flush=True)
    return outcomes


def kept(file: str, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows of an earlier run, but for the machines of ``rows``."""
    new = {row["machine"] for row in rows}
    with (ROOT / "benchmarks" / "results" / file).open(newline="") as earlier:
        found: list[dict[str, object]] = list(csv.DictReader(earlier))
    for row in found:
        row |= {key: int(str(value)) for key, value in row.items() if str(value).isdigit()}
    return [row for row in found if row["machine"] not in new]


def main() -> int:
    """Write and print the rows; 1 where the RTL differs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--no-rtl", action="store_true")
    options.add_argument("--images", type=int, default=1)
    options.add_argument("--network", choices=sorted(WEIGHTS), default="lenet5")
    options.add_argument("machines", nargs="*", help="names (default: all but large ones)")
    chosen = options.parse_args()
    network = NetworkConfig.read(chosen.network)
    shipped = [path.stem for path in sorted((CONFIGS / "machine").glob("*.yaml"))]
    rows = []
    for name in chosen.machines or [each for each in shipped if each not in LARGE]:
        weights = WEIGHTS[chosen.network].get(name, DENSE[chosen.network])
        arch = ArchConfig.read(name)
        rows.append(row(arch, network, weights, images=chosen.images, rtl=not chosen.no_rtl))
        print(rows[-1], flush=True)
    if chosen.images == 1:
        tag = "machines" if chosen.network == "lenet5" else f"machines {chosen.network}"
        file = f"{tag.replace(' ', '_')}.csv"
        table = sorted(
            [*(kept(file, rows) if chosen.machines else ()), *rows],
            key=lambda each: str(each["machine"]),
        )
        write_csv(file, table)
        cells = [
            [f"`{each['machine']}`", f"`{each['weights']}`", *list(each.values())[2:]]
            for each in table
        ]
        write_block(tag, table_lines(list(rows[0]), cells), PAGE)
    equal = {str(each["equal in RTL"]) for each in rows}
    return 0 if equal <= {"not run", f"{len(MEMORIES)} of {len(MEMORIES)}"} else 1


if __name__ == "__main__":
    sys.exit(main())
