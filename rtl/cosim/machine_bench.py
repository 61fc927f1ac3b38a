"""Bench of a machine: it beside its memory, with a host of C++ that sets registers and waits."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hwsim.config import ArchConfig
from hwsim.config.memory import MemoryConfig
from hwsim.contract.registers import COUNTERS, ERRORS, REGIONS, offsets
from hwsim.errors import SimulationError
from hwsim.rtl.bus.axi import lite_port
from hwsim.rtl.cosim import runtime, toolchain
from hwsim.rtl.cosim.checker import RULES, Checker
from hwsim.rtl.cosim.memory import MemoryModel
from hwsim.rtl.cosim.places import building, is_plain
from hwsim.rtl.cosim.run import WAVES
from hwsim.rtl.emit.header import driver_text, header_text
from hwsim.rtl.emit.rtlil import check_size, elaborated
from hwsim.rtl.emit.verilog import verilog_of
from hwsim.rtl.emit.zeros import without_zeros
from hwsim.rtl.machine.machine import Machine
from hwsim.rtl.machine.registers import ADDRESS_WIDTH
from hwsim.rtl.machine.top import connect_flat, flat
from hwsim.system.files import room_left, write_text_atomic

__all__ = ["Bench", "Job", "MachineBench", "Outcome", "build", "run"]

_MAIN = Path(__file__).with_name("machine_main.cpp")
#: What Verilator must leave visible.
_VISIBLE = """\
`verilator_config
public_flat_rw -module "bench.memory" -var "data"
"""


class MachineBench(wiring.Component):
    """A machine and its memory.

    Parameters
    ----------
    arch : ArchConfig
        A design with a machine.
    size : int
        Bytes of the memory, a power of two.

    Members
    -------
    s_axi_* : AXI4-Lite slave
        Registers of the machine.
    irq : ``Out(1)``
    broken : ``Out(len(RULES))``
        Rules of AXI that were broken on a port of the machine.
    latency, interval, overhead, outstanding : ``In``
        Of the memory.
    faulty, fault_first, fault_last : ``In``
        Whether, and which, addresses are answered with an error.
    """

    irq: Signal
    broken: Signal
    faulty: Signal
    fault_first: Signal
    fault_last: Signal

    def __init__(self, arch: ArchConfig, size: int) -> None:
        self.arch, self.size = arch, size
        width = arch.bus.addr_width
        super().__init__(
            flat(lite_port(ADDRESS_WIDTH).flip(), "s_axi")
            | {
                "irq": Out(1),
                "broken": Out(len(RULES)),
                "latency": In(16),
                "interval": In(16),
                "overhead": In(16),
                "outstanding": In(5),
                "faulty": In(1),
                "fault_first": In(width),
                "fault_last": In(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.machine = machine = Machine(self.arch)
        m.submodules.memory = memory = MemoryModel(self.arch.bus, size=self.size)
        m.submodules.checker = checker = Checker(self.arch.bus)
        checker.watch(m, read=machine.read, write=machine.write, host=machine.host)
        m.d.comb += self.broken.eq(checker.broken)
        connect_flat(m, self, machine.host, "s_axi")
        wiring.connect(m, machine.read, memory.read)
        wiring.connect(m, machine.write, memory.write)
        m.d.comb += self.irq.eq(machine.irq)
        for name in ("latency", "interval", "overhead", "outstanding"):
            m.d.comb += memory.model[name].eq(getattr(self, name))
        m.d.comb += [
            memory.inject.enable.eq(self.faulty),
            memory.inject.first.eq(self.fault_first),
            memory.inject.last.eq(self.fault_last),
        ]
        return m


@dataclass(frozen=True)
class Bench:
    """A built bench."""

    arch: ArchConfig
    program: Path
    size: int
    #: Whether a run can leave ``waves.vcd`` beside the build.
    waves: bool = False


@dataclass(frozen=True)
class Job:
    """One run of a program that lies in the bench's memory."""

    memory: MemoryConfig
    #: Address and descriptors of the program, and bases of the regions.
    program: int
    length: int
    regions: tuple[int, ...]
    limit: int
    #: Part of memory to be read back: first byte and bytes.
    output: tuple[int, int] = (0, 0)
    #: Addresses that are answered with an error.
    fault: tuple[int, int] | None = None
    #: Cycles after the start in which the host stops the run, starts it again, or resets all.
    stop: int | None = None
    again: int | None = None
    reset: int | None = None
    #: The driver does not see the program.
    blind: bool = False
    #: Cycles, counted from the start, whose waves are left in ``waves.vcd`` beside the build.
    waves: range | None = None


@dataclass
class Outcome:
    """What a run left."""

    output: NDArray[np.uint8]
    #: What the driver says when it is to start the run: 0, or a code below.
    started: int = 0
    #: Cycles that the host waited for the interrupt; whether it came.
    waited: int = 0
    ended: bool = False
    #: What the driver says: error, descriptor at which it occurred, counters.
    error: str = ""
    error_index: int = 0
    counters: dict[str, int] = field(default_factory=dict)


def build(arch: ArchConfig, folder: Path, size: int = 1 << 20, *, waves: bool = False) -> Bench:
    """Build a bench, unless the very same was built there before.

    With ``waves`` a job can leave those of all signals in ``folder``.

    Raises
    ------
    SimulationError
        The build failed.
    """
    check_size(arch)
    toolchain.require("verilator")
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with toolchain.active("verilator"):
        # a large memory takes long to elaborate; a small one tells whether all is as before
        small = without_zeros(elaborated(MachineBench(arch, 4096), "bench"))
        stamp = hashlib.sha256(f"{size} {waves}".encode())
        header, driver = header_text(arch), driver_text(arch)
        for part in (
            small,
            header,
            driver,
            _MAIN.read_text(),
            json.dumps(toolchain.versions("verilator")),
        ):
            stamp.update(part.encode())
        objects = folder / "obj"
        program, mark = objects / "bench", objects / "stamp"
        if program.is_file() and mark.is_file() and mark.read_text() == stamp.hexdigest():
            return Bench(arch, program, size, waves)
        rtlil = without_zeros(elaborated(MachineBench(arch, size), "bench"))
        text = verilog_of(rtlil, "bench")
        files = {
            "bench.v": text, "bench.vlt": _VISIBLE, "main.cpp": _MAIN.read_text(),
            "machine.c": driver, f"{arch.name}.h": header,
        }  # fmt: skip
        for name, content in files.items():
            write_text_atomic(folder / name, content)
        with building(objects) as fresh:
            sources = folder
            if not is_plain(folder):
                sources = fresh / "sources"
                for name, content in files.items():
                    write_text_atomic(sources / name, content)
            command = [
                "verilator",
                "--cc", "--exe", "--build", "-j", "1",
                "--top-module", "bench", "-Mdir", str(fresh), "-o", "bench",
                *(["--trace"] if waves else []), *toolchain.BUILD_ARGS["verilator"],
                *(str(sources / name) for name in ("bench.vlt", "bench.v", "main.cpp")),
            ]  # fmt: skip
            if not waves:  # a traced design needs a runtime of its own
                runtime.reuse(fresh)
            result = subprocess.run(
                command, capture_output=True, text=True, env=os.environ, cwd=sources, check=False
            )
            if result.returncode:
                end = (result.stdout + result.stderr)[-3000:]
                raise SimulationError(f"build failed{room_left(fresh)}: {end}")
            if not waves:
                runtime.keep(fresh)
            write_text_atomic(fresh / mark.name, stamp.hexdigest())
    return Bench(arch, program, size, waves)


def run(bench: Bench, image: NDArray[np.uint8], jobs: Sequence[Job]) -> list[Outcome]:
    """Run jobs one after the other, without a reset between them.

    Parameters
    ----------
    image
        Memory at the begin.

    Raises
    ------
    SimulationError
        The host could not use a register, or a rule of AXI was broken.
    """
    folder = Path(tempfile.mkdtemp(prefix="run.", dir=bench.program.parents[1]))
    memory = np.zeros(bench.size, np.uint8)
    memory[: len(image)] = image
    memory.tofile(folder / "memory.bin")
    at = offsets()
    lines = []
    for index, job in enumerate(jobs):
        if job.waves is not None:
            lines.append(f"record {job.waves.start} {job.waves.stop}")
        lines += _settings(bench.arch, job)
        for cycles, command in (
            (job.stop, f"write {at['control']} 2"),
            (job.again, f"write {at['control']} 1"),
            (job.reset, "reset 2"),
        ):
            if cycles is not None:
                lines += [f"idle {cycles}", command]
        lines += [f"wait {job.limit if job.reset is None else 4}", "idle 4", "ended"]
        lines += [f"dump {job.output[0]} {job.output[1]} out{index}.bin"]
    (folder / "plan").write_text("\n".join(lines) + "\n")
    result = subprocess.run(
        [str(bench.program), str(folder)], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise SimulationError(f"simulation failed: {result.stderr.strip()}")
    outcomes = [
        Outcome(np.fromfile(folder / f"out{index}.bin", np.uint8)) for index in range(len(jobs))
    ]
    current = -1
    for line in (folder / "results").read_text().splitlines():
        command, *values = line.split()
        if command == "run":
            current += 1
            outcomes[current].started = int(values[0])
        elif command == "wait":
            outcomes[current].waited = int(values[0])
            outcomes[current].ended = values[1] == "1"
        elif command == "ended":
            code, outcomes[current].error_index, *counters = map(int, values)
            outcomes[current].error = ERRORS[code][0] if code >= 0 else "busy"
            names = (name for name, _ in COUNTERS)
            outcomes[current].counters = dict(zip(names, counters, strict=True))
    if any(job.waves is not None for job in jobs):
        (folder / WAVES).replace(bench.program.parents[1] / WAVES)
    shutil.rmtree(folder)
    return outcomes


def _settings(arch: ArchConfig, job: Job) -> list[str]:
    memory = job.memory
    values = {
        "latency": memory.latency,
        "interval": memory.interval(arch.bus),
        "overhead": memory.overhead,
        "outstanding": memory.outstanding,
        "faulty": int(job.fault is not None),
        "fault_first": job.fault[0] if job.fault else 0,
        "fault_last": job.fault[1] if job.fault else 0,
    }
    lines = [f"set {name} {value}" for name, value in values.items()]
    bases = [*job.regions, *[0] * REGIONS][:REGIONS]
    sight = " blind" if job.blind else ""
    return [*lines, f"run {job.program} {job.length} {' '.join(map(str, bases))}{sight}"]
