"""What the benchmarks share: timing, records of results, and their tables in the pages."""

from __future__ import annotations

import csv
import platform
import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hwsim import __version__
from hwsim.report.page import table_lines
from hwsim.system.files import write_text_atomic

__all__ = [
    "ROOT", "append_log", "machine", "publish", "replaced", "timed", "write_block", "write_csv"
]  # fmt: skip

ROOT = Path(__file__).resolve().parents[1]
_SILICON = ROOT / "docs" / "silicon.md"


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Best and median wall time of ``work`` in seconds, after one run that is not counted."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), statistics.median(seconds)


def machine() -> str:
    """Processor and Python, in a few words."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    processor = names[0] if names else platform.machine()
    return f"{processor}, Python {platform.python_version()}"


def append_log(name: str, row: dict[str, object]) -> Path:
    """Append one measurement to ``benchmarks/results/<name>.csv``, kept in the repository."""
    path = ROOT / "benchmarks" / "results" / f"{name}.csv"
    row = {
        "date": datetime.now(UTC).date().isoformat(),
        "hwsim": __version__,
        "machine": machine(),
    } | row
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    return path


def write_csv(name: str, rows: list[dict[str, object]]) -> None:
    """Write rows to ``benchmarks/results``, in place of those of an earlier run."""
    with (ROOT / "benchmarks" / "results" / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def replaced(page: str, name: str, body: str) -> str:
    """Page with ``body`` between the marks of ``name``; the page itself where it has none."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}\n{body}\n\n{found[2]}", page)


def write_block(name: str, body: str, page: Path = _SILICON) -> None:
    """Put ``body`` between the marks of ``name`` in a page of ``docs``."""
    write_text_atomic(page, replaced(page.read_text(), name, body))


def publish(name: str, rows: list[dict[str, object]]) -> None:
    """Write rows to ``benchmarks/results``, and as a table to ``docs/silicon.md``."""
    write_csv(f"{name}.csv", rows)
    titles = [key.replace("_", " ") for key in rows[0]]
    cells = [[f"`{row['design']}`", *list(row.values())[1:]] for row in rows]
    write_block(name, table_lines(titles, cells))
