"""Machines beside each other, each with weights of its kind: cycles from memory, one image.

``python benchmarks/machine_weights.py`` writes three tables of ``docs/machine.md``: removed columns
on addressed lanes, kernel patterns, non-structured weights on the index-decoding arrays. Cycles are
those of the fast form, at the first and the middle memory of ``benchmarks/machines.py``.
"""

from __future__ import annotations

import sys

from common import write_block
from machines import MEMORIES, PAGE

from hwsim.accelerator.simulate import simulate
from hwsim.api.machine import prepare
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.report.page import table_lines

#: Mark on the page -> machines, and weights, whose names begin with that of their network.
TABLES = {
    "removed columns": (
        ("machine_dense_8x8_ws", "machine_dense_8x8_ws_gather"),
        (
            "lenet5_dense", "lenet5_structured_10x", "lenet5_structured_40x",
            "lenet5_structured_banked",
        ),
    ),
    "kernel patterns": (
        ("machine_dense_8x8_ws", "machine_pattern_4x4"),
        (
            "digits3x3_pattern", "vgg6_fashion_pattern_3x", "vgg6_fashion_pattern_9x",
            "vgg6_fashion_dense",
        ),
    ),
    "indices": (
        (
            "machine_dense_8x8_ws_bitmask", "machine_bitmask_64", "machine_bitmask_64_double",
            "machine_csc_8x8", "machine_csc_8x8_double",
        ),
        (
            "lenet5_nonstructured_12x", "lenet5_nonstructured_85x", "lenet5_nonstructured_167x",
            "vgg6_fashion_nonstructured_5x",
        ),
    ),
}  # fmt: skip


def cycles(machine: str, weights: str) -> str:
    """Cycles where the memory limits nothing, and at 4 bytes per cycle and 50 of latency."""
    network = NetworkConfig.read(weights.partition("_")[0])
    program = prepare(ArchConfig.read(machine), network, weights).compiled.program
    return " / ".join(f"{simulate(program, MEMORIES[index]).cycles:,}" for index in (0, 4))


def main() -> int:
    """Write and print the tables."""
    for name, (machines, weights) in TABLES.items():
        rows = [[f"`{each}`", *(cycles(machine, each) for machine in machines)] for each in weights]
        lines = table_lines(["weights", *(f"`{machine}`" for machine in machines)], rows)
        write_block(name, lines, PAGE)
        print(lines, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
