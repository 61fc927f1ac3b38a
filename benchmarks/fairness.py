"""Figures that ``docs/fairness.md`` quotes of the maps: what the sides choose, and how often.

``python benchmarks/fairness.py`` reads ``map.csv`` of the studies in ``build/study``, and writes a
table between the marks of the page. A study that was not run here is an error: run it first
(``hwsim study lenet5_map --no-rtl``).
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

from common import ROOT, write_block

from hwsim.report.page import table_lines
from hwsim.studies.verdict_map import DECODING, SYSTOLIC, lead

PAGE = ROOT / "docs" / "fairness.md"
STUDIES = ("lenet5_map", "fashion")

Rows = list[dict[str, str]]


def rows_of(study: str) -> Rows:
    """Cells of a study's map."""
    path = ROOT / "build" / "study" / study / "map.csv"
    if not path.is_file():
        sys.exit(f"{path}: is missing: run hwsim study {study} --no-rtl")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def span(cells: Rows) -> str:
    """Least and most of the factors."""
    factors = [float(cell["factor"]) for cell in cells if cell["factor"]]
    return f"{lead(min(factors))} to {lead(max(factors))}"


def often(cells: Rows, said: Callable[[dict[str, str]], str], most: int = 4) -> str:
    """What is chosen most often, and in how many cells."""
    counts = Counter(map(said, cells)).most_common(most)
    return ", ".join(f"{name} in {number}" for name, number in counts) + f" of {len(cells)}"


def portion(cells: Rows, side: str) -> float:
    """Median portion of the area that a side uses which is memories."""
    used = [float(cell[f"{side}_memories_mm2"]) / float(cell[f"{side}_used_mm2"]) for cell in cells]
    return median(used)


def used(cells: Rows, side: str) -> float:
    """Median portion of the budget of area that a side uses."""
    return median(float(cell[f"{side}_used_mm2"]) / float(cell["mm2"]) for cell in cells)


def figures(cells: Rows) -> list[Sequence[object]]:
    """Figures of a map in rows of three: what, of which side or technology, the figure."""
    timed = [cell for cell in cells if cell["measure"] == "time"]
    found: list[Sequence[object]] = []
    for technology in dict.fromkeys(cell["technology"] for cell in cells):
        own = [cell for cell in timed if cell["technology"] == technology]
        one = [cell for cell in own if cell["batch"] == "1"]
        found += [
            ("factors of time", technology, span(own)),
            ("factors of time, one image", technology, span(one)),
        ]
    for side in (SYSTOLIC, DECODING):
        large = max(float(cell["mm2"]) for cell in timed)
        widest = [c for c in timed if c["batch"] == "1" and float(c["mm2"]) == large]
        found += [
            ("design by time", side, often(timed, lambda c, s=side: _design(c, s))),
            ("model by time", side, often(timed, lambda c, s=side: c[f"{s}_model"])),
            ("weights from, by time", side, often(timed, lambda c, s=side: c[f"{s}_weights_from"])),
            ("memories in the area used, median", side, f"{portion(timed, side):.0%}"),
            ("budget used by one image in the largest area, median", side,
             f"{used(widest, side):.0%}"),
        ]  # fmt: skip
    ahead = [cell for cell in timed if cell["verdict"] == DECODING]
    narrow = [
        c for c in ahead
        if c["weights"] == "cold" and c["bandwidth"] != "unlimited" and float(c["bandwidth"]) <= 4
    ]  # fmt: skip
    others = [c for c in ahead if c not in narrow and c["technology"] != "45nm"]
    found.append(
        ("ahead by time", DECODING,
         f"{len(ahead)} of {len(timed)}; cold over at most 4 bytes per cycle {len(narrow)}, "
         f"of the others all but {len(others)} in 45nm"),
    )  # fmt: skip
    return found


def _design(cell: dict[str, str], side: str) -> str:
    return f"{cell[f'{side}_design']} {cell[f'{side}_shape']}".strip()


def main() -> int:
    """Write and print the table."""
    rows = [(f"`{study}`", *row) for study in STUDIES for row in figures(rows_of(study))]
    lines = table_lines(["study", "figure", "of", "is"], rows)
    write_block("fairness", lines, PAGE)
    print(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
