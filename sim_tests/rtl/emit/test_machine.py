# amaranth: UnusedElaboratable=no
"""Files of a machine: the same bytes twice, AXI's names, a driver that C compilers take."""

import json
import re
import subprocess
from collections import Counter
from xml.etree import ElementTree

import pytest
import yaml
from harness.machine import ARRAYS, small_machine

from hwsim import generate
from hwsim.config import ArchConfig
from hwsim.config.onchip import machine_memories
from hwsim.config.parts import PartsConfig, clock_probe
from hwsim.contract.registers import MAGIC, REGIONS, REGISTERS, VERSION, offsets
from hwsim.cost.book import Book
from hwsim.rtl.emit.datasheet import datasheet
from hwsim.rtl.emit.diagram import diagram
from hwsim.rtl.emit.header import driver_text, header_text
from hwsim.rtl.emit.rtlil import elaborated
from hwsim.rtl.emit.zeros import without_zeros
from hwsim.rtl.machine.top import MachineTop

_HOST = """\
#include <stdint.h>
static uint32_t registers[1024], writes;
#define HWSIM_READ(machine, offset) ((void)(machine), registers[(offset) / 4])
#define HWSIM_WRITE(machine, offset, value) \\
    ((void)(machine), ++writes, registers[(offset) / 4] = (value))
#include "NAME.c"
#include <stdio.h>
static hwsim_machine machine;
"""
#: Each address, or the last one of a region, with one high bit.
_ADDRESSES = (
    _HOST
    + """
static void put(int place, int bit, const hwsim_program *program, uint64_t address) {
    uint32_t high = HWSIM_REG_PROGRAM_HIGH;
    if (place) high = HWSIM_REG_REGION0_HIGH + 8 * (place - 1);
    writes = 0;
    int code = hwsim_run(&machine, program);
    int good = code ? !writes : registers[high / 4] == (uint32_t)(address >> 32);
    printf("%d %d %d %d\\n", place, bit, code, good);
}

int main(void) {
    for (int place = 0; place <= HWSIM_REGIONS; ++place)
        for (int bit = 31; bit < 64; ++bit) {
            hwsim_program program = {0, 0x1000, 1, {0, 0x2000, 0x3000, 0}, {0, 0, 0, 0}};
            uint64_t *address = place ? &program.regions[place - 1] : &program.descriptors;
            *address |= (uint64_t)1 << bit;
            put(place, bit, &program, *address);
            if (!place) continue;
            program.regions[place - 1] = ((uint64_t)1 << bit) - 0x1000;
            program.sizes[place - 1] = 0x1001;
            put(place, bit, &program, program.regions[place - 1]);
        }
    return 0;
}
"""
)
_OVERLAPS = (
    _HOST
    + """
int main(void) {
    for (int one = 0; one < HWSIM_REGIONS; ++one)
        for (int other = 0; other < one; ++other)
            for (int index = 0; index < 144; ++index) {
                hwsim_program program = {0, 0, 1, {0, 0, 0, 0}, {0, 0, 0, 0}};
                int first = index % 4, size = index / 4 % 3;
                int second = index / 12 % 4, rest = index / 48;
                program.regions[one] = 8 * first, program.sizes[one] = 8 * size;
                program.regions[other] = 8 * second, program.sizes[other] = 8 * rest;
                int code = hwsim_run(&machine, &program);
                printf("%d %d %d %d %d %d %d\\n", one, other, first, size, second, rest, code);
            }
    return 0;
}
"""
)
_COMPILED = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("machine")
    generate(small_machine(), path)
    return path


def test_the_same_bytes_twice(folder, tmp_path):
    generate(small_machine(), tmp_path)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        f"small_machine_ws.{suffix}"
        for suffix in ("c", "core", "f", "h", "json", "md", "svd", "svg", "v")
    ]
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()


def test_ports_have_the_names_of_axi(folder):
    text = (folder / "small_machine_ws.v").read_text()
    ports = json.loads((folder / "small_machine_ws.json").read_text())["ports"]
    top = re.search(r"^module small_machine_ws\(.*?^endmodule", text, re.DOTALL | re.MULTILINE)[0]
    for name, port in ports.items():
        width = "" if port["width"] == 1 else rf"\[{port['width'] - 1}:0\] "
        assert re.search(rf"^  {port['direction']}put {width}{name};", top, re.MULTILINE), name
    assert ports["m_axi_araddr"] == {"direction": "out", "width": 32}
    assert ports["s_axi_wdata"] == {"direction": "in", "width": 32}
    assert ports["m_axi_rdata"] == {"direction": "in", "width": 32}


def test_the_driver_compiles_without_a_warning(folder):
    subprocess.run(
        [*_COMPILED, "-c", "small_machine_ws.c", "-o", "driver.o"], cwd=folder, check=True
    )
    (folder / "driver.o").unlink()


def said(folder, arch, host):
    """Numbers in the lines that a host prints, which is compiled with the driver of a machine."""
    (folder / f"{arch.name}.h").write_text(header_text(arch))
    (folder / f"{arch.name}.c").write_text(driver_text(arch))
    (folder / "host.c").write_text(host.replace("NAME", arch.name))
    subprocess.run([*_COMPILED, "host.c", "-o", "host"], cwd=folder, check=True)
    run = subprocess.run([folder / "host"], capture_output=True, text=True, check=True)
    return [tuple(map(int, line.split())) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("addr_width", [32, 40, 64])
def test_the_driver_refuses_addresses_that_the_bus_does_not_have(tmp_path, addr_width):
    """The machine would use the bits that it has: other memory would be read, and written."""
    rows = said(tmp_path, small_machine(bus={"addr_width": addr_width}), _ADDRESSES)
    assert len(rows) == (2 * REGIONS + 1) * 33
    for place, bit, code, good in rows:
        assert (code, good) == (-3 if bit >= addr_width else 0, 1), (place, bit)


def test_the_driver_refuses_regions_that_overlap(tmp_path):
    """Of two regions that begin in words 0 to 3 and have 0 to 2 words; 0 words: not checked."""
    rows = said(tmp_path, small_machine(), _OVERLAPS)
    assert len(rows) == 6 * (4 * 3) ** 2
    for *pair, first, size, second, rest, code in rows:
        overlap = set(range(first, first + size)) & set(range(second, second + rest))
        assert code == (-4 if overlap else 0), (pair, first, size, second, rest)


def test_register_maps_agree(folder):
    header = (folder / "small_machine_ws.h").read_text()
    described = json.loads((folder / "small_machine_ws.json").read_text())
    svd = ElementTree.parse(folder / "small_machine_ws.svd")
    at = offsets()
    for entry, node in zip(described["registers"], svd.iter("register"), strict=True):
        name = entry["name"]
        assert entry["offset"] == at[name]
        assert int(node.findtext("addressOffset"), 16) == at[name]
        assert node.findtext("name") == name.upper()
        assert f"#define HWSIM_REG_{name.upper()} 0x{at[name]:03x}u\n" in header
        fields = [field.findtext("name").lower() for field in node.iter("field")]
        assert fields == entry.get("bits", [])
        for bit, field in enumerate(fields):
            assert f"#define HWSIM_{name.upper()}_{field.upper()} 0x{1 << bit:x}u " in header
    assert len(described["registers"]) == len(REGISTERS)
    assert yaml.safe_load((folder / "small_machine_ws.core").read_text().removeprefix("CAPI=2:"))


@pytest.mark.parametrize("kind", ARRAYS)
def test_the_configuration_names_every_memory(kind):
    """Depths, widths and counts: as its area counts them, and as the RTL has them."""
    arch = small_machine(kind)
    text = elaborated(MachineTop(arch), "probe")
    modules = dict(re.findall(r"(?ms)^module (\\\S+)\n(.*?)^end\n", text))
    found = Counter()

    def visit(name):
        for cell in re.findall(r"(?m)^  cell (\\\S+) ", modules[name]):
            if cell in modules:
                visit(cell)
        for width, size in re.findall(r"(?m)^  memory width (\d+) size (\d+) ", modules[name]):
            found[int(size), int(width)] += 1

    visit("\\probe")
    listed = Counter()
    for memory in (*arch.array.memories(arch.numbers), *machine_memories(arch)):
        listed[memory.depth, memory.width] += memory.count
    assert found == listed


def test_an_array_stays_what_it_was(tmp_path):
    """A machine around it changes nothing in the array's Verilog."""
    machine = ArchConfig.read("machine_nm_2x4_4x8_ws")
    array = machine.array.model_copy(update={"carries": False})  # what a machine needs beside
    alone = machine.bare.model_copy(update={"name": "nm_2x4_4x8_ws", "array": array})
    one = generate(alone, tmp_path / "one")
    other = generate(ArchConfig.read("nm_2x4_4x8_ws"), tmp_path / "other")
    assert one.text == other.text


def test_only_zeros_are_left_out():
    cell = """\
  cell $meminit_v2 $1
    parameter \\MEMID "\\\\words"
    parameter \\ABITS 0
    connect \\ADDR {  }
    connect \\DATA 8'000000BIT0
    connect \\EN 8'11111111
  end
"""
    zeros, ones = cell.replace("BIT", "0"), cell.replace("BIT", "1")
    assert without_zeros("module\n" + zeros + ones + "end\n") == "module\n" + ones + "end\n"


def test_the_data_sheet_says_registers_ports_and_sizes(folder):
    text = (folder / "small_machine_ws.md").read_text()
    at = offsets()
    for register in REGISTERS:
        line = f"| 0x{at[register.name]:03x} | `{register.name}` | {register.access} |"
        assert line in text
    described = json.loads((folder / "small_machine_ws.json").read_text())
    assert f"`id` is 0x{MAGIC:08x}, `version` {VERSION}" in text
    assert f"`digest` 0x{described['digest']['arch'][:8]}." in text
    ports = described["ports"]
    for name, port in ports.items():
        assert f"| `{name}` | {port['direction']} | {port['width']} |" in text
    assert "| act banks | 3 of 1024 words of 4 activations |" in text
    assert "| on chip | act banks 12.0 KiB, weights 2.0 KiB, scales 0.2 KiB |" in text
    drawn = ElementTree.parse(folder / "small_machine_ws.svg").getroot()
    said = {node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"small_machine_ws", "3 x 1024 x 32 bits", "dense, 16 multipliers"} <= said


@pytest.mark.parametrize("kind", ["csc", "csc_double", "sparten_double"])
def test_the_data_sheet_has_the_memories_that_there_are(kind):
    """Weights of the PEs are in no memory of the machine, nor in its picture."""
    arch = small_machine(kind)
    has_weights = any(memory.name == "weights" for memory in machine_memories(arch))
    sheet, picture = datasheet(arch, [], {}), diagram(arch)
    assert has_weights == ("double" not in kind)
    assert (", weights " in sheet) == has_weights
    assert ("| weights | in the PEs, 2 halves" in sheet) != has_weights
    assert (">weights, scales<" in picture) == has_weights
    assert ElementTree.fromstring(picture).tag.endswith("svg")


def test_figures_of_silicon_are_on_the_data_sheet(tmp_path):
    generate("machine_nm_2x4_4x8_ws", tmp_path)
    text = (tmp_path / "machine_nm_2x4_4x8_ws.md").read_text()
    assert re.search(r"\| area of the array alone, sg13g2 \| \d\.\d{3} mm2 \|", text)
    assert re.search(r"\| clock of the array alone, sg13g2 \| \d+ MHz \|", text)
    assert "not on record" not in text


def test_what_is_not_on_record_is_said_and_nothing_measured_here_is_used(tmp_path, monkeypatch):
    """A data sheet has the same bytes everywhere, whatever lies in ``build/parts``."""
    arch, book = small_machine(numbers={"weight_width": 5}), Book("sg13g2")
    corners = book.clock(ArchConfig.read("machine_dense_8x8_ws")).corners
    clocks = {f"{clock_probe(arch).digest} {corner}": found for corner, found in corners.items()}
    assert not set(clocks) & set(book.shipped.clocks)
    measured = PartsConfig(name="measured", clocks=clocks)
    monkeypatch.setattr("hwsim.cost.book._own", lambda path: measured)
    assert book.known_mhz(arch) is not None
    generate(arch, tmp_path)
    text = (tmp_path / f"{arch.name}.md").read_text()
    for title in ("area", "area of the array alone", "clock of the array alone"):
        command = f"`hwsim {title.split()[0]}`"
        assert f"| {title}, sg13g2 | not on record; {command} measures it |" in text
