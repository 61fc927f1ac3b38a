"""Cells and clock of the designs with 64 multipliers on an ECP5, placed and routed.

``python benchmarks/ecp5.py`` writes ``benchmarks/results/ecp5.csv``, and prints it as Markdown for
``docs/silicon.md``. A bitmask array of 64 PEs does not fit: it is placed with 8. Each design takes
minutes per seed; each seed is kept under ``build/synth/cache``, so a run that is cut off goes on.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from common import ROOT

from hwsim.api.place import CELLS, place
from hwsim.config import ArchConfig
from hwsim.report.page import table_lines, write_csv

DESIGNS = ("dense_8x8_ws", "dense_8x8_os", "nm_2x4_4x8_ws", "pattern_4x4", "csc_4x16")
TITLES = ("design", *(kind.replace("_", " ") for kind in CELLS), "MHz", "slowest path")


def designs() -> list[ArchConfig]:
    """Those that ship, and a bitmask array that fits."""
    whole = ArchConfig.read("bitmask_64")
    array = whole.array.model_copy(update={"pes": 8})
    probe = whole.model_copy(update={"name": "bitmask_8", "array": array})
    return [*map(ArchConfig.read, DESIGNS), probe]


def line(record: dict[str, Any]) -> list[object]:
    """Row of the Markdown table."""
    clock = record["mhz"]
    return [
        f"`{record['arch']}`",
        *(record[kind] for kind in CELLS),
        f"{clock['median']:.1f} ({clock['min']:.1f} to {clock['max']:.1f})",
        f"`{record['path'][0]}` to `{record['path'][-1]}`",
    ]


def log(what: str, done: int, total: int) -> None:
    """Print a step on stderr."""
    print(f"  {what} ({done} of {total})", file=sys.stderr, flush=True)


def main() -> int:
    """Place all designs; write and print their rows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--jobs", type=int, default=0, help="processes; 0: one for each core")
    options.add_argument("designs", nargs="*", help="only these, and nothing is written")
    chosen = options.parse_args()
    archs = [each for each in designs() if not chosen.designs or each.name in chosen.designs]
    result = place(archs, seeds=chosen.seeds, jobs=chosen.jobs, progress=log)
    print(table_lines(TITLES, [line(record) for record in result.designs]))
    if not chosen.designs:
        write_csv(ROOT / "benchmarks" / "results" / "ecp5.csv", result.to_rows())
    return 0


if __name__ == "__main__":
    sys.exit(main())
