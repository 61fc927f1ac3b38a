"""Wall time of ``hwsim --help``: nothing heavy may be imported before a command runs.

``python benchmarks/startup.py`` starts the command many times; the target is 0.5 s. ``--log``
appends the result to benchmarks/results/startup.csv.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from common import append_log, timed

REPEATS = 20
HEAVY = ("numpy", "numba", "pydantic", "matplotlib", "yaml", "amaranth", "torch", "rich")


def imported() -> list[str]:
    """Heavy packages that importing the command line brings in."""
    code = f"import sys, hwsim.cli; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", action="store_true", help="append to benchmarks/results/")
    options = parser.parse_args()

    command = [Path(sys.executable).with_name("hwsim"), "--help"]

    def start() -> None:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    best, median = timed(start, REPEATS)
    summary: dict[str, object] = {
        "best_s": round(best, 3),
        "median_s": round(median, 3),
        "under_half_a_second": median < 0.5,
        "heavy_imports": " ".join(imported()) or "none",
    }
    for name, value in summary.items():
        print(f"{name:>20} {value}")
    if options.log:
        print(f"logged in {append_log('startup', summary)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
