"""CPU seconds and memory of ``hwsim simulate``: designs of every family on every network.

``python benchmarks/networks.py`` runs the command in a process of its own for each pair and writes
``benchmarks/results/networks.csv``: CPU seconds (user and system, start included) and the largest
resident memory. Weights are synthetic; networks with a shipped checkpoint are run on it, too, on
one image. ``--checkout DIR`` measures another checkout with this one's environment, for a
comparison on one machine; ``--network`` picks some; ``--limit SECONDS`` ends a run
that takes longer.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from common import ROOT

#: Designs that stand for their families: the largest, and those with the most to count.
DESIGNS = (
    "dense_32x32_ws", "dense_8x8_os", "dense_8x8_ws_gather", "nm_2x4_8x16_ws", "nm_2x4_4x8_os",
    "pattern_16x4", "csc_16x16_deep", "csc_64x1", "bitmask_256", "bitmask_64_c64",
)  # fmt: skip
NETWORKS = (
    "lenet5", "digits3x3", "vgg6", "alexnet", "alexnet_owt", "vgg16", "resnet18", "resnet50",
    "mobilenetv2",
)  # fmt: skip
#: Checkpoints of the networks that have some, one for each design's kind of sparsity.
CHECKPOINTS = {
    "lenet5": {"dense": "lenet5_dense", "nm": "lenet5_nm_2x4", "pattern": "lenet5_structured_10x",
               "csc": "lenet5_nonstructured_85x", "bitmask": "lenet5_nonstructured_85x"},
    "vgg6": {"dense": "vgg6_fashion_dense", "pattern": "vgg6_fashion_pattern_5x",
             "csc": "vgg6_fashion_nonstructured_10x", "bitmask": "vgg6_fashion_nonstructured_10x"},
}  # fmt: skip


def runs() -> Iterator[tuple[str, str, str]]:
    """Design, network and checkpoint ("" for synthetic weights) of each run."""
    for design in DESIGNS:
        for network in NETWORKS:
            yield design, network, ""
            checkpoint = CHECKPOINTS.get(network, {}).get(design.partition("_")[0])
            if checkpoint is not None:
                yield design, network, checkpoint


def measure(
    checkout: Path, design: str, network: str, checkpoint: str, limit: float
) -> dict[str, object]:
    """One run: CPU seconds, memory in MB, and what came of it (``ok``, ``refused``, ``limit``)."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "hwsim", "simulate", design, network, "--json"]
        command += ["--out", out] + (["--checkpoint", checkpoint] if checkpoint else [])
        environment = os.environ | {"PYTHONPATH": str(checkout)}
        process = subprocess.Popen(
            command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_CPU, (int(limit), int(limit) + 1)
            ),
        )  # fmt: skip
        assert process.stderr is not None
        error = process.stderr.read().decode(errors="replace")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    outcome = {0: "ok", 2: "refused"}.get(process.returncode, "limit")
    return {
        "design": design,
        "network": network,
        "checkpoint": checkpoint,
        "outcome": outcome,
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "memory_mb": used.ru_maxrss // 1024,
        "note": error.strip().splitlines()[-1][:160] if outcome == "refused" and error else "",
    }


def main() -> int:
    """Run every pair, and print the worst."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkout", type=Path, default=ROOT, help="tree to measure")
    parser.add_argument("--network", action="append", help="one of them, repeatable")
    parser.add_argument("--limit", type=float, default=300, help="CPU seconds of one run")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results" / "networks.csv"
    )
    options = parser.parse_args()
    rows = []
    for design, network, checkpoint in runs():
        if options.network and network not in options.network:
            continue
        rows.append(measure(options.checkout, design, network, checkpoint, options.limit))
        print(*rows[-1].values(), flush=True)
        with options.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    for key in ("cpu_s", "memory_mb"):
        worst = max(rows, key=lambda row: row[key])
        print(f"most {key}: {worst[key]} ({worst['design']} on {worst['network']})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
