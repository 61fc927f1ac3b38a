"""Logic of the parts of every design that ships, and how near the composed area comes.

``python benchmarks/parts.py`` elaborates the parts of all designs in ``configs/arch`` and
``configs/machine``, and of those that the sweeps in ``configs/sweep`` measure and the studies in
``configs/study`` search under equal budgets, synthesizes with Yosys what ``build/synth/cache``
lacks, and writes ``configs/parts/sg13g2.yaml`` anew: it is current when the command changes
nothing. ``--missing`` measures what the record lacks alone, and leaves what it has.

Two others hold the record to something, and write tables of ``docs/silicon.md``: ``--check``
synthesizes a dozen designs whole, and compares composed areas with theirs, memories apart
(``benchmarks/results/parts.csv``); ``--liberty FILE`` maps their PEs and control with the foundry's
file, and compares area and delay with those from the facts (``benchmarks/results/liberty.csv``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from common import ROOT, publish

from hwsim.config import ArchConfig
from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.study import PublishedConfig, StudyConfig
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.config.parts import (
    ClockConfig,
    MeasuredPart,
    PartsConfig,
    clock_probe,
    keys_of,
    probe_of,
)
from hwsim.cost.area import area
from hwsim.cost.memories import build, process
from hwsim.rtl.synth.clock import measure_clock
from hwsim.rtl.synth.parts import measure
from hwsim.rtl.synth.yosys import synthesize_array
from hwsim.studies import budgets
from hwsim.sweeps.space import Space
from hwsim.system.files import write_text_atomic

TECHNOLOGY = "sg13g2"
PAGE = ROOT / "configs" / "parts" / f"{TECHNOLOGY}.yaml"
CACHE = ROOT / "build" / "synth" / "cache"
HEAD = f"""\
# Logic of the parts of all designs that ship, and of those that sweeps and studies search, as
# synthesized to {TECHNOLOGY} (typical; um2, ns), memories apart. `python benchmarks/parts.py`
# writes it. A part is a module of a small design of the same kind: its key is that design's digest
# and the module's path.
"""

#: Designs that are synthesized whole: every family, dataflow and code, small ones where whole ones
#: take minutes.
CHECKED = (
    "dense_8x8_ws", "dense_8x8_os", "dense_8x8_ws_w4", "dense_8x8_ws_binary",
    "dense_8x8_ws_ternary", "dense_8x8_ws_gather", "dense_8x8_ws_bitmask", "nm_2x4_4x8_ws",
    "nm_2x4_4x8_os", "nm_1x4_8x8_ws", "dbb_2x4_4x8", "pattern_4x4", "csc_4x16",
    "csc_codebook_16x4", "bitmask_64_c64",
)  # fmt: skip


def designs() -> list[ArchConfig]:
    """Every design that ships, and every one that a sweep which ships may measure."""
    paths = [*(CONFIGS / "arch").glob("*.yaml"), *(CONFIGS / "machine").glob("*.yaml")]
    return [*(ArchConfig.read(path) for path in sorted(paths)), *searched()]


def searched() -> list[ArchConfig]:
    """Designs of the sweeps that ship and measure silicon, and of studies under equal budgets."""
    found = {}
    for path in sorted((CONFIGS / "sweep").glob("*.yaml")):
        sweep = SweepConfig.read(path)
        points = Space(sweep, str(path)) if sweep.technology == TECHNOLOGY else ()
        found |= {point.arch.digest: point.arch for point in points if point.arch is not None}
    for path in sorted((CONFIGS / "study").glob("*.yaml")):
        study = StudyConfig.read(path).study
        if not isinstance(study, PublishedConfig):
            found |= {arch.digest: arch for arch in budgets.designs(study.network, study.choices)}
    return list(found.values())


def record(
    archs: list[ArchConfig],
    target: str = TECHNOLOGY,
    known: Mapping[str, MeasuredPart] | None = None,
) -> PartsConfig:
    """Measure the parts of designs that are not ``known``; these are in it, too."""
    parts = dict(known or {})
    technology = process(TECHNOLOGY)
    for arch in archs:
        for part, key in keys_of(arch):
            if key in parts:
                continue
            parts[key] = measure(probe_of(arch, part), part, target, CACHE, technology)
        print(f"{arch.name}: {len(parts)} parts", flush=True)
    return PartsConfig(name=TECHNOLOGY, parts=parts)


def clocks(
    archs: list[ArchConfig], known: Mapping[str, ClockConfig] | None = None
) -> dict[str, ClockConfig]:
    """Slowest paths of a small design of each kind, at every corner, those ``known`` among them."""
    technology = process(TECHNOLOGY)
    found = dict(known or {})
    for arch in archs:
        probe = clock_probe(arch)
        if f"{probe.digest} {next(iter(technology.corners))}" in found:
            continue
        corners = measure_clock(
            probe,
            technology,
            TECHNOLOGY,
            lambda memory, corner: build(memory, TECHNOLOGY, corner).access,
        )
        found |= {f"{probe.digest} {corner}": clock for corner, clock in corners.items()}
        print(
            f"{arch.name}: " + ", ".join(f"{c.period:.2f} ns" for c in corners.values()), flush=True
        )
    return found


def check(parts: PartsConfig) -> list[dict[str, object]]:
    """Composed area of a dozen designs against that of the whole, memories apart."""
    rows = []
    for name in CHECKED:
        arch = ArchConfig.read(name)
        ours, flip_flops = composed(arch, parts)
        whole = synthesize_array(arch, TECHNOLOGY, CACHE)[0]
        assert whole is not None
        assert whole.area is not None
        rows.append(
            {
                "design": name,
                "composed_um2": round(ours),
                "whole_um2": round(whole.area),
                "error_percent": round(100 * (ours / whole.area - 1), 2),
                "composed_flip_flops": flip_flops,
                "whole_flip_flops": whole.count("flip_flops"),
            }
        )
        print(rows[-1], flush=True)
    return rows


def composed(arch: ArchConfig, parts: PartsConfig) -> tuple[float, int]:
    """Area in um2 and flip-flops of a design from its parts, memories apart."""
    found = area(arch, TECHNOLOGY, lambda arch, part, key: parts.parts[key])
    return found.gates + found.flip_flops, round(sum(group.count for group in found.groups))


def against(liberty: Path, parts: PartsConfig) -> list[dict[str, object]]:
    """Area and delay of the same designs from the facts, against those with the foundry's file."""
    archs = [ArchConfig.read(name) for name in CHECKED]
    foundry = record(archs, f"liberty={liberty}")
    rows = []
    for arch in archs:
        (ours, fast), (theirs, slow) = (_logic(arch, book) for book in (parts, foundry))
        rows.append(
            {
                "design": arch.name,
                "facts_um2": round(ours),
                "liberty_um2": round(theirs),
                "area_error_percent": round(100 * (ours / theirs - 1), 2),
                "facts_ns": round(fast, 3),
                "liberty_ns": round(slow, 3),
                "delay_error_percent": round(100 * (fast / slow - 1), 1),
            }
        )
        print(rows[-1], flush=True)
    return rows


def _logic(arch: ArchConfig, book: PartsConfig) -> tuple[float, float]:
    """Area of a design's logic, and the delay of its slowest part."""
    delays = [book.parts[key].delay or 0.0 for _, key in keys_of(arch)]
    return composed(arch, book)[0], max(delays)


def main() -> int:
    """Write the record, or hold it to something."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true")
    options.add_argument("--liberty", type=Path)
    options.add_argument("--missing", action="store_true", help="measure what is not on record")
    options.add_argument("designs", nargs="*", help="renew these alone (default: all)")
    chosen = options.parse_args()
    kept = PartsConfig.read(PAGE)
    if chosen.check:
        publish("parts", check(kept))
    if chosen.liberty is not None:
        publish("liberty", against(chosen.liberty, kept))
    if not chosen.check and chosen.liberty is None:
        archs = [ArchConfig.read(name) for name in chosen.designs] or designs()
        known = kept if chosen.missing else PartsConfig(name=TECHNOLOGY)
        parts = record(archs, known=known.parts).parts
        found = clocks(archs, known.clocks)
        if chosen.designs:
            parts, found = kept.parts | parts, kept.clocks | found
        renewed = kept.model_copy(update={"parts": parts, "clocks": found})
        write_text_atomic(PAGE, HEAD + renewed.to_yaml())
    return 0


if __name__ == "__main__":
    sys.exit(main())
