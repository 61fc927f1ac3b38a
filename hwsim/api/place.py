"""Clock of designs on an FPGA, placed and routed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median_low
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import several, whole
from hwsim.api.read import read_arch
from hwsim.report.result import Result

if TYPE_CHECKING:
    from hwsim.config import ArchConfig
    from hwsim.rtl.synth.place import Placed, Placer

__all__ = ["CELLS", "Placement", "place"]

#: What is counted of a design, in the order of the tables' columns.
CELLS = ("luts", "carries", "flip_flops", "dsps", "block_rams", "distributed_rams")

#: Results of earlier runs.
_CACHE = Path("build/synth/cache")


@dataclass(frozen=True)
class Placement(Result):
    """Cells and clock of designs on an ECP5.

    ``designs`` has one record per design: ``arch``, cells by kind, ``mhz`` (least, median and most
    of the seeds), the ``path`` that limits the median seed, and the ``runs`` of all seeds.
    """

    device: str
    designs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"placed and routed on ECP5 {self.device}, without pins"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``, the runs of all seeds included."""
        return {"target": "ecp5", "device": self.device, "designs": self.designs}

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per design, and one per memory that is flip-flops and should not be."""
        rows = []
        for design in self.designs:
            row = {"arch": design["arch"], **{kind: design[kind] for kind in CELLS}}
            row |= {f"mhz_{which}": mhz for which, mhz in design["mhz"].items()}
            row |= {"seconds": design["seconds"], "path": " -> ".join(design["path"])}
            rows.append(row)
            for warning in design["warnings"]:
                text = {"arch": design["arch"], "path": f"warning: {warning}"}
                rows.append(dict.fromkeys(row) | text)
        return rows


def place(
    archs: str | Path | ArchConfig | Sequence[str | Path | ArchConfig],
    *,
    seeds: int = 3,
    device: str = "85k",
    speed: int = 6,
    jobs: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Placement:
    """Place and route designs on an ECP5 with Yosys and nextpnr, and find their clock.

    A design has more ports than the FPGA has pins: it is placed without pins, with a register at
    every bit of its ports, which is not counted. Minutes per seed for an array of 64 multipliers;
    results are kept under ``build/synth/cache``. Needs the extras ``rtl`` and ``synth``.

    Parameters
    ----------
    archs
        Designs: names, paths or ``ArchConfig``, one or several.
    seeds
        Seeds 1 to ``seeds`` are placed: the clock depends on where the placer starts.
    device
        Size of the LFE5U: ``"25k"``, ``"45k"`` or ``"85k"``.
    speed
        Speed grade, 6 (the slowest) to 8.
    jobs
        Processes that run at once; 0: one for each core.
    progress
        Called with what is next, the number of steps done, and the number of steps.

    Returns
    -------
    Placement
        Cells, MHz over the seeds, and the slowest path by its names in the RTL.

    Raises
    ------
    InputError
        A design cannot be read, mapped or placed, or an extra is missing.
    """
    from hwsim.config import ArchConfig
    from hwsim.system import extras

    designs = [read_arch(arch) for arch in several("archs", archs, (str, Path, ArchConfig))]
    numbers = range(1, whole("seeds", seeds, 1) + 1)
    workers = whole("jobs", jobs) or os.cpu_count() or 1
    extras.require("rtl")
    extras.require("synth")
    from hwsim.rtl.synth.place import Device, Placer

    chosen = Device(device, speed)
    placers = []
    for index, design in enumerate(designs):
        progress(f"elaborate {design.name}", index, len(designs))
        placers.append(Placer(design, chosen, _CACHE))
    runs = _run(placers, numbers, workers, progress)
    return Placement(f"{device}, speed {speed}", list(map(_record, placers, runs)))


def _run(
    placers: list[Placer],
    seeds: range,
    jobs: int,
    progress: Callable[[str, int, int], None],
) -> list[list[Placed]]:
    """Runs of all seeds of each design; those that are kept are not repeated."""
    from hwsim.rtl.synth.place import prepare

    kept = {(p, seed): p.kept(seed) for p in placers for seed in seeds}
    missing = [key for key, placed in kept.items() if placed is None]
    unmapped = list(dict.fromkeys(placer for placer, _ in missing))
    total = len(unmapped) + len(missing)
    with TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        folder = Path(name)
        done = 0

        def all_of(futures: dict[Any, Future[Any]], what: str) -> dict[Any, Any]:
            """Results, each of them a step; what has not begun when one fails does not begin."""
            nonlocal done
            finished = as_completed(futures.values())
            try:
                for left in range(len(futures), 0, -1):
                    progress(f"{what}: {left} to go", done, total)
                    next(finished).result()
                    done += 1
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            return {key: future.result() for key, future in futures.items()}

        netlists = all_of({p: pool.submit(p.netlist, folder) for p in unmapped}, "map")
        if missing:
            progress("prepare nextpnr", done, total)
            prepare()
        runs = {
            (placer, seed): pool.submit(placer.place, netlists[placer], folder, seed)
            for placer, seed in missing
        }
        found = {key: placed for key, placed in kept.items() if placed is not None}
        found |= all_of(runs, "place and route")
    return [[found[placer, seed] for seed in seeds] for placer in placers]


def _record(placer: Placer, runs: list[Placed]) -> dict[str, Any]:
    from hwsim.contract.memories import LARGE_BITS

    clocks = [run.mhz for run in runs]
    middle = next(run for run in runs if run.mhz == median_low(clocks))
    return {
        "arch": placer.arch.name,
        "rtl": placer.digest,
        **middle.cells,
        "lut_sites": dict(zip(("used", "available"), middle.sites, strict=True)),
        "mhz": {"min": min(clocks), "median": middle.mhz, "max": max(clocks)},
        "path": list(middle.path),
        "seconds": round(sum(run.seconds for run in runs), 1),
        "warnings": [
            f"{memory}: {bits:,} bits in flip-flops"
            for memory, bits in middle.memories_lost.items()
            if bits > LARGE_BITS
        ],
        "runs": [
            {
                "seed": run.seed, "mhz": run.mhz, "path_ns": run.path_ns, "path": list(run.path),
                "seconds": run.seconds,
            }
            for run in runs
        ],
    }  # fmt: skip
