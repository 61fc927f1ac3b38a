"""Cells of arrays, PEs and multipliers, as Yosys counts them.

``python benchmarks/cells.py`` writes ``benchmarks/results/cells.csv`` (multipliers and PEs by
weight code), ``benchmarks/results/cells_arrays.csv``, and the tables of ``docs/results-cells.md``
between its marks.
"""

from __future__ import annotations

import sys
from typing import Any

from common import ROOT, write_block, write_csv

import hwsim
from hwsim.report.page import table_lines

PAGE = ROOT / "docs" / "results-cells.md"
#: 64 multipliers each.
DESIGNS = (
    "dense_8x8_ws", "dense_8x8_os", "dense_8x8_ws_w4", "dense_8x8_ws_levels4",
    "dense_8x8_ws_ternary", "dense_8x8_ws_pow2", "dense_8x8_ws_binary", "nm_2x4_4x8_ws",
    "dbb_2x4_4x8", "pattern_4x4", "csc_16x4", "csc_codebook_16x4", "csc_4x16", "bitmask_64",
    "bitmask_64_greedy",
)  # fmt: skip


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
    designs = arrays()
    write_csv("cells_arrays.csv", designs)
    body = [[f"`{row['design']}`", *list(row.values())[1:]] for row in designs]
    write_block("arrays", table_lines(list(designs[0]), body), PAGE)

    def report(what: str, done: int, total: int) -> None:
        print(f"{what}: {done} of {total}", flush=True)

    pes = hwsim.synth(multipliers=True, progress=report).multipliers
    write_csv("cells.csv", pes)
    for kind in ("logic", "flip_flops"):
        write_block(kind, by_code(pes, kind), PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
