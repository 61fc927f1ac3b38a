"""``python -m torture``: run what is missing, then print the figures; see ``make torture``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hwsim.system import interrupts
from torture import arrays, disks, fuzz, kills

#: What each part is told: how many of its units there are to be.
WANTED = {"fuzz": 100_000, "kills": 200, "disks": 190, "arrays": 10_000}
PARTS = {"fuzz": fuzz, "kills": kills, "disks": disks, "arrays": arrays}
#: Batches, each run in a process of its own by its part.
BATCHES = {"inputs": fuzz.main, "array": arrays.main}


def main() -> int:
    """Run the parts that are named, or print the figures alone."""
    if len(sys.argv) > 1 and sys.argv[1] in BATCHES:
        BATCHES[sys.argv[1]](*sys.argv[2:])
        return 0
    interrupts.raise_signals()  # a batch that is under way ends too
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="default: all")
    parser.add_argument("--state", type=Path, default=Path("build/torture"))
    parser.add_argument("--wanted", type=int, help="units of each part in place of the full number")
    parser.add_argument("--figures", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    chosen = arguments.parts or list(PARTS)
    bad = 0
    for part in chosen if not arguments.figures else ():
        wanted = arguments.wanted or WANTED[part]
        bad += PARTS[part].work(arguments.state, wanted, _report)
    for part in chosen:
        print(*PARTS[part].figures(arguments.state), sep="\n")
    return 1 if bad else 0


def _report(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
