"""Cells of arrays, PEs and multipliers, as Yosys counts them.

``python benchmarks/cells.py`` writes ``benchmarks/results/cells.csv`` (multipliers and PEs by
weight code), ``benchmarks/results/cells_arrays.csv``, ``benchmarks/results/cells_modules.csv``
(modules of a PE), and the tables of ``docs/results-cells.md`` between its marks. ``--arrays``
leaves the multipliers and PEs as they are.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from common import ROOT, write_block, write_csv

import hwsim
from hwsim.config import ArchConfig
from hwsim.report.page import table_lines
from hwsim.rtl.synth.yosys import pe_modules

PAGE = ROOT / "docs" / "results-cells.md"
#: 64 multipliers each.
DESIGNS = (
    "dense_8x8_ws", "dense_8x8_os", "dense_8x8_ws_w4", "dense_8x8_ws_levels4",
    "dense_8x8_ws_ternary", "dense_8x8_ws_pow2", "dense_8x8_ws_binary", "dense_8x8_ws_zerogated",
    "dense_8x8_os_zerogated", "dense_8x8_ws_bitmask", "dense_8x8_ws_gather", "nm_2x4_4x8_ws",
    "nm_2x4_4x8_os", "nm_1x4_8x8_ws", "dbb_2x4_4x8", "dbb_2x8_4x8", "pattern_4x4", "csc_64x1",
    "csc_16x4", "csc_codebook_16x4", "csc_8x8", "csc_4x16", "bitmask_64", "bitmask_64_c16",
    "bitmask_64_greedy",
)  # fmt: skip
#: Index-decoding designs of whose PE the modules are counted.
INSIDE = ("bitmask_64", "bitmask_64_c16")


def arrays() -> list[dict[str, Any]]:
    """One row per design."""
    rows = []
    for name in DESIGNS:
        (design,) = hwsim.synth(name).designs
        array, pe = design["array"], design["pe"]
        rows.append(
            {
                "design": name,
                "PEs": design["pes"],
                "logic": array["logic"],
                "flip-flops": array["flip_flops"],
                "memory bits": array["memory_bits"],
                "logic of a PE": pe["logic"],
                "flip-flops of a PE": pe["flip_flops"],
            }
        )
        print(rows[-1], flush=True)
    return rows


def modules() -> list[dict[str, Any]]:
    """One row per module of a PE of each design in :data:`INSIDE`."""
    rows = []
    for name in INSIDE:
        for module, cells in pe_modules(ArchConfig.read(name), "generic").items():
            rows.append(
                {
                    "design": name,
                    "module": module or "the PE's own",
                    "logic": cells.count("logic"),
                    "flip-flops": cells.count("flip_flops"),
                }
            )
            print(rows[-1], flush=True)
    return rows


def by_module(rows: list[dict[str, Any]]) -> str:
    """Table of gates: a line per module, a column per design."""
    gates: dict[str, dict[str, int]] = {}
    for row in rows:
        gates.setdefault(row["module"], {})[row["design"]] = row["logic"]
    body = [[name, *(cells.get(design) for design in INSIDE)] for name, cells in gates.items()]
    totals = [sum(cells.get(design, 0) for cells in gates.values()) for design in INSIDE]
    columns = ["module", *(f"`{design}`" for design in INSIDE)]
    return table_lines(columns, [*body, ["together", *totals]])


def by_code(rows: list[dict[str, Any]], kind: str) -> str:
    """Table of one kind of cells: a line per weight code, a column per unit that has any."""
    units = list(dict.fromkeys(row["unit"] for row in rows if row[kind]))
    lines: dict[str, dict[str, int]] = {}
    for row in rows:
        code = f"`{row['weight_code']}` {row['weight_width']}"
        code += ", 1-bit act" if row["act_width"] == 1 else ""
        lines.setdefault(code, {})[row["unit"]] = row[kind]
    body = [[code, *(cells.get(unit) for unit in units)] for code, cells in lines.items()]
    return table_lines(["weights", *units], body)


def main() -> int:
    """Write the records and the page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--arrays", action="store_true")
    chosen = options.parse_args()
    designs = arrays()
    write_csv("cells_arrays.csv", designs)
    body = [[f"`{row['design']}`", *list(row.values())[1:]] for row in designs]
    write_block("arrays", table_lines(list(designs[0]), body), PAGE)
    inside = modules()
    write_csv("cells_modules.csv", inside)
    write_block("modules", by_module(inside), PAGE)
    if chosen.arrays:
        return 0

    def report(what: str, done: int, total: int) -> None:
        print(f"{what}: {done} of {total}", flush=True)

    pes = hwsim.synth(multipliers=True, progress=report).multipliers
    write_csv("cells.csv", pes)
    for kind in ("logic", "flip_flops"):
        write_block(kind, by_code(pes, kind), PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
