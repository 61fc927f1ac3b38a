"""Cells of a design, of one of its PEs and of a multiplier alone, counted by Yosys.

Each synthesis runs in a process of its own: Yosys ends the process on an error, and a second design
in the same process is optimized differently. Results are kept under the hash of all that they
depend on.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, NumberConfig
from hwsim.errors import InputError
from hwsim.rtl.blocks.multiplier import act_shape, code_shape, product, product_shape
from hwsim.rtl.emit.rtlil import design_rtlil, elaborated
from hwsim.rtl.synth.targets import FPGAS, Target, target_of
from hwsim.system.files import write_text_atomic

__all__ = [
    "Cells",
    "Multiplier",
    "last_error",
    "map_flat",
    "map_fpga",
    "map_modules",
    "memories_lost",
    "pe_modules",
    "run_yosys",
    "synthesize_array",
    "synthesize_module",
    "synthesize_multiplier",
]

#: What a cell is, by the first pattern that its type matches; anything else is logic.
KINDS = {
    "flip_flops": r"\$_\w*DFF|TRELLIS_FF|SB_DFF|FD[RSCP]E",
    "dsp": r"MULT18X18D|ALU54|SB_MAC16|DSP48",
    "memories": r"\$mem|DP16KD|PDPW16KD|TRELLIS_DPR16X4|SB_RAM40|RAMB|RAM\d+X|RAM\d+M",
}

#: Longest that one synthesis may take, in seconds.
LIMIT_S = 3600

_WORKER = """
import os, sys
os.nice(10)
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin.read().splitlines():
    libyosys.run_pass(command, design)
"""

#: A memory that ``memory_map`` takes apart.
_LOST = re.compile(
    r"Mapping memory \\(\S+) in module \S+:\n"
    r"  created (\d+) \$dff cells and \d+ static cells of width (\d+)"
)

_PE = re.compile(r"(?m)^  cell (\\\S+) \\pe_\d+(?:_\d+)?$")


@dataclass(frozen=True)
class Cells:
    """Cells by type, submodules included, and the bits of the memories before they are mapped."""

    by_type: dict[str, int]
    memory_bits: int
    #: Area in um2 of logic and flip-flops, and of the flip-flops alone; memories apart. ``None``
    #: where the target's cells have no area.
    area: float | None = None
    flip_flop_area: float | None = None
    #: Cells that the target's library has as flip-flops.
    registers: tuple[str, ...] = ()
    #: ns of the slowest path from a register or input to a register or output, as ABC has it:
    #: without clock-to-output and setup. Of each module by itself where there are several.
    delay: float | None = None
    #: Memories that were mapped to flip-flops, and their bits.
    memories_lost: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str) -> int:
        """Cells of a kind: ``logic``, ``flip_flops``, ``dsp`` or ``memories``."""
        return sum(n for cell, n in self.by_type.items() if self._kind(cell) == kind)

    def to_dict(self) -> dict:
        """Plain data: cells by kind and by type, and areas where the target has them."""
        kinds = {kind: self.count(kind) for kind in ("logic", "flip_flops", "dsp", "memories")}
        areas = {
            "area_um2": self.area,
            "flip_flop_area_um2": self.flip_flop_area,
            "delay_ns": self.delay,
        }
        return (
            kinds
            | {"memory_bits": self.memory_bits}
            | (areas if self.area is not None else {})
            | {"memories_lost": self.memories_lost}
            | {"by_type": self.by_type}
        )

    def _kind(self, cell: str) -> str:
        if cell in self.registers:
            return "flip_flops"
        return next((kind for kind, types in KINDS.items() if re.match(types, cell)), "logic")


class Multiplier(wiring.Component):
    """The multiplier of a weight code, alone.

    * Latency: none, it is combinational.

    Members
    -------
    act : ``In(act_shape(numbers))``
    code : ``In(code_shape(numbers))``
    product : ``Out(product_shape(numbers))``
    """

    act: Signal
    code: Signal
    product: Signal

    def __init__(self, numbers: NumberConfig) -> None:
        self.numbers = numbers
        super().__init__(
            {
                "act": In(act_shape(numbers)),
                "code": In(code_shape(numbers)),
                "product": Out(product_shape(numbers)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.product.eq(product(self.act, self.code, self.numbers))
        return m


def synthesize_multiplier(numbers: NumberConfig, target: str, cache: Path) -> Cells:
    """Cells of :class:`Multiplier`."""
    text = elaborated(Multiplier(numbers), "multiplier")
    return _synthesize(text, "\\multiplier", target, cache)


def synthesize_array(
    arch: ArchConfig, target: str, cache: Path, *, whole: bool = True
) -> tuple[Cells | None, Cells, int]:
    """Cells of a design, of one of its PEs (of the commonest kind), and how many PEs it has.

    The hierarchy is kept, so a PE's cells are the same alone and in the array.

    Parameters
    ----------
    cache
        Folder of earlier results.
    whole
        Whether to synthesize more than the PE; else the first of the three is ``None``.
    """
    _, text = design_rtlil(arch, platform=target)
    top, count = _commonest_pe(text)
    pe = _synthesize(text, top, target, cache)
    array = _synthesize(text, f"\\{arch.name}", target, cache) if whole else None
    return array, pe, count


def pe_modules(arch: ArchConfig, target: str) -> dict[str, Cells]:
    """Cells of each module of a PE of the commonest kind, those of its submodules apart.

    Returns
    -------
    dict of str to Cells
        Path below the PE -> cells; ``""`` is the PE's own. Together they are what
        :func:`synthesize_array` counts of the PE, but for the bits of memories.
    """
    _, text = design_rtlil(arch, platform=target)
    top, _ = _commonest_pe(text)
    name = top.removeprefix("\\")
    modules, _ = map_modules(text, top, target)
    registers = target_of(target).registers
    found = {}
    for module, netlist in modules.items():
        types = Counter(cell["type"] for cell in netlist["cells"].values())
        own = {kind: n for kind, n in sorted(types.items()) if kind not in modules}
        own.pop("$scopeinfo", None)
        path = module.removeprefix(name).partition("$")[0].removeprefix(".")
        found[path] = Cells(own, 0, registers=registers)
    return found


def _commonest_pe(text: str) -> tuple[str, int]:
    """Module of the commonest kind of PE in RTLIL text, and the number of PEs of all kinds."""
    kinds = Counter(_PE.findall(text))
    return kinds.most_common(1)[0][0], kinds.total()


def synthesize_module(
    text: str, top: str, target: str, cache: Path, *, is_whole: bool = True
) -> Cells:
    """Cells of one module of RTLIL text, flattened.

    Parameters
    ----------
    is_whole
        Whether the text has all modules below it, too; else these count nothing.
    """
    return _synthesize(text, top, target, cache, is_flat=True, is_whole=is_whole)


def map_flat(text: str, top: str, target: str) -> dict[str, Any]:
    """Netlist of a design mapped flat, as Yosys writes it in JSON: its one module."""
    return _map_one(text, top, target, [f"hierarchy -check -top {top}", "flatten"])[0]


def map_fpga(text: str, top: str, target: str) -> tuple[dict[str, Any], str]:
    """Netlist of a design mapped to an FPGA, as of :func:`map_flat`, and Yosys's log.

    The passes of the target flatten it, and do so after ``proc``: some designs that are flattened
    before, Yosys 0.70 cannot map.
    """
    # the target's passes check the hierarchy, too: they know the FPGA's cells
    return _map_one(text, top, target, [f"hierarchy -top {top}"])


def _map_one(text: str, top: str, target: str, first: list[str]) -> tuple[dict[str, Any], str]:
    script = [
        "read_rtlil design.il",
        *first,
        "tee -q -o memory.json stat -json",
        *(step.format(top=top) for step in target_of(target).passes),
        "tee -q -o cells.json stat -json",
        "write_json netlist.json",
    ]
    netlist: dict[str, Any] = {}

    def keep(folder: Path) -> None:
        netlist.update(json.loads((folder / "netlist.json").read_text())["modules"])

    log = run_yosys(text, top, target_of(target), script, keep)[2]
    return netlist[top.removeprefix("\\")], log


def map_modules(text: str, top: str, target: str) -> tuple[dict[str, Any], str]:
    """Netlist of a design mapped module by module: in JSON, and as Verilog with the same names."""
    script = [
        "read_rtlil design.il",
        f"hierarchy -check -top {top}",
        "tee -q -o memory.json stat -json",
        *(step.format(top=top) for step in target_of(target).passes),
        "tee -q -o cells.json stat -json",
        # nets without a name get the same one in both files
        "rename -enumerate",
        "write_json netlist.json",
        "write_verilog -noattr netlist.v",
    ]
    modules: dict[str, Any] = {}
    verilog: list[str] = []

    def keep(folder: Path) -> None:
        modules.update(json.loads((folder / "netlist.json").read_text())["modules"])
        verilog.append((folder / "netlist.v").read_text())

    run_yosys(text, top, target_of(target), script, keep)
    return modules, verilog[0]


def memories_lost(log: str) -> dict[str, int]:
    """Memories that Yosys mapped to flip-flops, by their path in the design, and their bits."""
    return {name: int(words) * int(width) for name, words, width in _LOST.findall(log)}


def last_error(log: str) -> str:
    """Last line of a tool's output that tells of an error."""
    lines = log.strip().splitlines()
    return next((line for line in reversed(lines) if "ERROR" in line), "no output")


def _synthesize(
    text: str,
    top: str,
    name: str,
    cache: Path,
    *,
    is_flat: bool = False,
    is_whole: bool = True,
) -> Cells:
    """Synthesize one module of RTLIL text, or read the result of an earlier run."""
    target = target_of(name)
    script = [
        "read_rtlil design.il",
        # the blocks of an FPGA are known to its own passes, which check
        f"hierarchy {'-check ' if is_whole and name not in FPGAS else ''}-top {top}",
        *(["flatten"] if is_flat else []),
        "tee -q -o memory.json stat -json",
        *(step.format(top=top) for step in target.passes),
        f"tee -q -o cells.json stat -json{' -liberty cells.lib' if target.library else ''}",
    ]
    fields = ", ".join(Cells.__dataclass_fields__)
    key = "\n".join([version("pyosys"), fields, *script, target.library, text])
    path = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    if path.is_file():
        kept = json.loads(path.read_text())
        return Cells(**kept | {"registers": tuple(kept["registers"])})
    before, after, log = run_yosys(text, top, target, script)
    # neither submodules, which are counted by what is in them, nor notes on the hierarchy
    others = {module.removeprefix("\\") for module in after["modules"]} | {"$scopeinfo"}
    counts = after["design"]["num_cells_by_type"]
    # a module that is absent is no cell either
    others |= {cell for cell in counts if not is_whole and f"cell \\{cell} " in text}
    cells = sorted(counts.items())
    unknown = target.without_area.intersection(counts)
    if unknown:
        library = name.removeprefix("liberty=")
        raise InputError(library, f"cell {min(unknown)}", None, "must have an area")
    result = Cells(
        {cell: count for cell, count in cells if cell not in others},
        before["design"]["num_memory_bits"],
        after["design"].get("area") if target.library else None,
        after["design"].get("sequential_area") if target.library else None,
        target.registers,
        _delay(log) if target.library else None,
        memories_lost(log),
    )
    write_text_atomic(path, json.dumps(vars(result)))
    return result


def _delay(log: str) -> float | None:
    """Delay of the slowest module in ns, from what ABC prints last of each."""
    runs = log.split("Executing ABC pass")[-1].split("Running ABC script")[1:]
    last = [re.findall(r"Delay = +([0-9.]+) ps", run)[-1:] for run in runs]
    found = [float(delay) / 1000 for run in last for delay in run]
    return max(found) if found else None


def run_yosys(
    text: str,
    top: str,
    target: Target,
    script: list[str],
    keep: Callable[[Path], None] = lambda folder: None,
) -> tuple[dict, dict, str]:
    """Run Yosys in a process of its own; return its counts before and after mapping, its log."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "design.il").write_text(text)
        (Path(folder) / "cells.lib").write_text(target.library)
        try:
            yosys = subprocess.run(
                [sys.executable, "-c", _WORKER],
                input="\n".join(script),
                capture_output=True,
                text=True,
                cwd=folder,
                env=os.environ | {"TMPDIR": folder},  # Yosys leaves a cache of the library behind
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            rule = f"cannot be mapped in {LIMIT_S} s"
            raise InputError("yosys", top.removeprefix("\\"), None, rule) from error
        if yosys.returncode:
            last = last_error(yosys.stdout + yosys.stderr)
            raise InputError("yosys", top.removeprefix("\\"), None, f"cannot be mapped: {last}")
        before, after = (
            json.loads((Path(folder) / name).read_text()) for name in ("memory.json", "cells.json")
        )
        keep(Path(folder))
    return before, after, yosys.stdout + yosys.stderr
