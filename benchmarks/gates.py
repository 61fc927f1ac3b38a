"""Gates, flip-flops and memory bits of every design that a comparison runs on.

``python benchmarks/gates.py`` synthesizes with Yosys what configs/tech/generic.yaml lacks, and
writes the file anew; ``--all`` counts every design again, after a change of the RTL. What
``build/synth/cache`` has is not synthesized twice. Seconds a small array, minutes a large one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from common import ROOT

from hwsim.config import ArchConfig, TechConfig
from hwsim.config.study import CompareConfig, StudyConfig
from hwsim.config.tech import CellsConfig
from hwsim.rtl.synth.yosys import synthesize_array
from hwsim.system.files import write_text_atomic

TARGET = "generic"
PAGE = ROOT / "configs" / "tech" / f"{TARGET}.yaml"
HEAD = """\
# Two-input gates and multiplexers, flip-flops and bits of memory of whole arrays, as `hwsim synth`
# counts them, target generic; `python benchmarks/gates.py` writes this file. Gates are of unlike
# size and memories are apart: no area.
name: generic
designs:
"""


def wanted() -> list[ArchConfig]:
    """Designs of all studies that compare, by name."""
    names = set()
    for path in (ROOT / "configs" / "study").glob("*.yaml"):
        study = StudyConfig.read(path).study
        if isinstance(study, CompareConfig):
            names |= {pair.arch for pair in study.pairs}
    return sorted((ArchConfig.read(name) for name in names), key=lambda arch: arch.name)


def written(designs: dict[str, CellsConfig]) -> str:
    """Text of the file."""
    lines = [
        f"  {name}: {{logic: {c.logic}, flip_flops: {c.flip_flops}, memory_bits: {c.memory_bits}}}"
        for name, c in sorted(designs.items())
    ]
    return HEAD + "\n".join(lines) + "\n"


def count(archs: Iterable[ArchConfig], designs: dict[str, CellsConfig]) -> None:
    """Add designs, and write the file after each: the command can be stopped."""
    for arch in archs:
        cells = synthesize_array(arch, TARGET, ROOT / "build" / "synth" / "cache")[0]
        assert cells is not None
        designs[arch.name] = CellsConfig(
            logic=cells.count("logic"),
            flip_flops=cells.count("flip_flops"),
            memory_bits=cells.memory_bits,
        )
        write_text_atomic(PAGE, written(designs))
        print(f"{arch.name}: {designs[arch.name].logic:,} gates", flush=True)


def main() -> int:
    """Count what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="count what is on record, too")
    options = parser.parse_args()
    designs = dict(TechConfig.read(TARGET).designs)
    count((a for a in wanted() if options.all or a.name not in designs), designs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
