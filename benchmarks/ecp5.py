"""Cells and clock of the designs with 64 multipliers on an ECP5, placed and routed.

``python benchmarks/ecp5.py`` writes ``benchmarks/results/ecp5.csv``, and prints it as Markdown for
``docs/silicon.md``. Some are no designs that ship: those named ``_mac3`` have registers before
their multipliers, too (``mac_latency: 3``), as an ECP5's multiplier blocks have, those named
``_mac4`` one behind the sum of a PE's products. Of bitmask arrays one of 8 PEs is placed, for 64 do
not fit, and of csc arrays one of 4 lanes, for a seed of 16 lanes takes more than 20 minutes; its
memories are those that ``hwsim fit csc_4x16 lenet5 --checkpoint lenet5_nonstructured_85x`` leaves.
Others take minutes per seed; each seed is kept under ``build/synth/cache``, so a run that is cut
off goes on.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from common import ROOT

from hwsim.api.place import CELLS, place
from hwsim.config import ArchConfig
from hwsim.report.page import table_lines, write_csv

TITLES = ("design", *(kind.replace("_", " ") for kind in CELLS), "MHz", "slowest path")


def designs() -> list[ArchConfig]:
    """One of each family and dataflow."""
    return [
        changed("dense_8x8_ws", "dense_8x8_ws_mac3", mac_latency=3),
        ArchConfig.read("dense_8x8_os"),
        changed("nm_2x4_4x8_ws", "nm_2x4_4x8_ws_mac3", mac_latency=3),
        changed("dbb_2x4_4x8", "dbb_2x4_4x8_mac3", mac_latency=3),
        changed("pattern_4x4", "pattern_4x4_mac4", mac_latency=4),
        changed("csc_4x16", "csc_4x4", lanes=4, entry_depth=4096),
        changed("bitmask_64", "bitmask_8", pes=8),
    ]


def changed(base: str, name: str, **keys: int) -> ArchConfig:
    """A design that ships with some keys of its array changed."""
    arch = ArchConfig.read(base)
    return arch.model_copy(update={"name": name, "array": arch.array.model_copy(update=keys)})


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
