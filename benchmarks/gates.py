"""Gates, flip-flops and memory bits of every design that a comparison runs on.

``python benchmarks/gates.py`` elaborates those designs, synthesizes with Yosys what
configs/cells/generic.yaml lacks of their RTL, and writes the file anew: it is current when the
command changes nothing. What ``build/synth/cache`` has is not synthesized twice. Seconds for a
small array, minutes for a large one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from common import ROOT

from hwsim.config import ArchConfig, CellsConfig
from hwsim.config.cells import CountsConfig, DesignConfig
from hwsim.config.jobs.study import CompareConfig, StudyConfig
from hwsim.rtl.emit.rtlil import design_rtlil, rtl_digest
from hwsim.rtl.synth.yosys import synthesize_array
from hwsim.system.files import write_text_atomic

TARGET = "generic"
PAGE = ROOT / "configs" / "cells" / f"{TARGET}.yaml"
HEAD = f"""\
# Two-input gates and multiplexers, flip-flops and bits of memory of whole arrays, as `hwsim synth`
# counts them, target {TARGET}; `python benchmarks/gates.py` writes this file. Gates are of unlike
# size and memories are apart: no area. Cells are filed under the digest of the RTL; a design is
# found by the digest of its configuration, whatever its name.
name: {TARGET}
"""


def wanted() -> list[ArchConfig]:
    """Designs of all studies that compare, by name."""
    names = set()
    for path in (ROOT / "configs" / "study").glob("*.yaml"):
        study = StudyConfig.read(path).study
        if isinstance(study, CompareConfig):
            names |= {pair.arch for pair in study.pairs}
    return sorted((ArchConfig.read(name) for name in names), key=lambda arch: arch.name)


def written(designs: Mapping[str, DesignConfig], cells: Mapping[str, CountsConfig]) -> str:
    """Text of the file: designs by name, cells in the same order."""
    ordered = sorted(designs.items(), key=lambda item: item[1].name)
    lines = [f'  "{digest}": {{name: {d.name}, rtl: "{d.rtl}"}}' for digest, d in ordered]
    measured = {d.rtl: cells[d.rtl] for _, d in ordered if d.rtl in cells}
    rows = [
        f'  "{rtl}": {{logic: {c.logic}, flip_flops: {c.flip_flops}, memory_bits: {c.memory_bits}}}'
        for rtl, c in measured.items()
    ]
    return HEAD + "\n".join(["designs:", *lines, "cells:", *rows]) + "\n"


def main() -> int:
    """Measure what is wanted, and write the file after each design: the command can be stopped."""
    record = CellsConfig.read(TARGET)
    designs: dict[str, DesignConfig] = {}
    cells = dict(record.cells)
    for arch in wanted():
        rtl = rtl_digest(design_rtlil(arch)[1], arch.name)
        if rtl not in cells:
            found = synthesize_array(arch, TARGET, ROOT / "build" / "synth" / "cache")[0]
            assert found is not None
            cells[rtl] = CountsConfig(
                logic=found.count("logic"),
                flip_flops=found.count("flip_flops"),
                memory_bits=found.memory_bits,
            )
        designs[arch.digest] = DesignConfig(name=arch.name, rtl=rtl)
        print(f"{arch.name}: {cells[rtl].logic:,} gates", flush=True)
        write_text_atomic(PAGE, written(dict(record.designs) | designs, cells))
    write_text_atomic(PAGE, written(designs, cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
