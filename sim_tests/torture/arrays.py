"""Random cases of random configurations in RTL: the simulator against the generated Verilog."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hwsim.config.arrays import FAMILIES
from hwsim.errors import InputError
from hwsim.verification.cases import random_cases
from hwsim.verification.run import verify
from torture import watch
from torture.designs import draw
from torture.record import Record

__all__ = ["CASES", "batch", "figures", "work"]

#: Cases of a design: more designs find more than more cases.
CASES = 400
#: Seconds for a design, most of which build its simulation, and bytes.
PATIENCE, MEMORY = 1800, 8 << 30


def batch(family: str, seed: int, cases: int = CASES) -> dict[str, Any]:
    """Draw a design and its cases, and run them on its simulator and on its Verilog.

    Returns
    -------
    dict
        ``cases`` and how many are ``different``, with the first ``difference``; or why the design
        takes no case: ``refused``.
    """
    design = draw(family, seed)
    found: dict[str, Any] = {"design": design.to_yaml()}
    try:
        drawn = random_cases(design, cases, seed)
    except InputError as error:
        return found | {"cases": 0, "refused": str(error)}
    folder = Path(tempfile.mkdtemp(prefix="torture."))
    try:
        comparisons = verify(design, drawn, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    different = [each for each in comparisons if not each.equal]
    found |= {
        "cases": len(comparisons),
        "different": len(different),
        "cycles": sum(each.rtl.cycles for each in comparisons),
        "stepped": sum(each.model == "cycle model" for each in comparisons),
    }
    if different:
        found["difference"] = f"{different[0].case.name}: {different[0].difference}"
    return found


def work(folder: Path, wanted: int, report: Callable[[str], None]) -> int:
    """Run designs of each family in turn until each has ``wanted`` cases; return the bad ones."""
    record = Record(folder / "arrays.jsonl")
    reached = dict.fromkeys(FAMILIES, 0)
    seed = 0
    while any(cases < wanted for cases in reached.values()):
        for family in FAMILIES:
            if reached[family] >= wanted:
                continue
            key = f"{family} {seed}"
            if key not in record.done:
                ended = watch.run(["array", family, str(seed)], PATIENCE, MEMORY)
                entry = ended.result or {"failed": ended.bound or ended.output}
                record.add(key, entry | {"seconds": ended.seconds, "peak": ended.peak})
            entry = record.done[key]
            reached[family] += entry.get("cases", 0)
            report(f"{key}: {reached[family]} of {wanted} cases{_bad(entry)}")
        seed += 1
    return sum(bool(_bad(entry)) for entry in record.done.values())


def _bad(entry: dict[str, Any]) -> str:
    if "failed" in entry:
        return f", FAILED: {entry['failed']}"
    if entry.get("different"):
        return f", {entry['different']} DIFFERENT: {entry['difference']}"
    return ""


def figures(folder: Path) -> list[str]:
    """Lines that say what was run, by family."""
    done = Record(folder / "arrays.jsonl").done
    lines = []
    for family in FAMILIES:
        entries = [entry for key, entry in done.items() if key.split()[0] == family]
        ran = [entry for entry in entries if entry.get("cases")]
        lines.append(
            f"RTL {family}: {len(ran)} random designs, {sum(e['cases'] for e in ran):,} cases, "
            f"{sum(e['cycles'] for e in ran):,} cycles, {sum(e['different'] for e in ran)} "
            f"different, {sum('failed' in e for e in entries)} designs failed to build or run, "
            f"{sum('refused' in e for e in entries)} take no layer; "
            f"{sum(e['seconds'] for e in entries) / 3600:.1f} h"
        )
    return lines


def main(family: str, seed: str) -> None:
    """Run one batch and print its result."""
    print(json.dumps(batch(family, int(seed))))
