"""Write a machine: Verilog, data sheet, C driver, register maps as JSON and SVD, a FuseSoC core."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from xml.sax.saxutils import escape

from hwsim import __version__
from hwsim.config import ArchConfig
from hwsim.contract.descriptors import FIELDS
from hwsim.contract.registers import COUNTERS, ERRORS, REGISTERS, Register, offsets
from hwsim.rtl.emit.datasheet import datasheet
from hwsim.rtl.emit.diagram import diagram
from hwsim.rtl.emit.head import Port
from hwsim.rtl.emit.header import driver_text, header_text
from hwsim.rtl.emit.rtlil import check_size, elaborated, rtl_digest
from hwsim.rtl.emit.verilog import verilog_of
from hwsim.rtl.emit.zeros import without_zeros
from hwsim.rtl.machine.top import MachineTop
from hwsim.system.files import write_text_atomic

__all__ = ["generate_machine", "machine_ports"]


def generate_machine(arch: ArchConfig, folder: Path, facts: Mapping[str, str]) -> Path:
    """Write all files of a machine under ``folder``; return the Verilog's path.

    The texts depend on the arguments alone: two runs give the same bytes.

    Parameters
    ----------
    facts
        What is known of the design's silicon, for its data sheet: title -> figure.

    Raises
    ------
    InputError
        The design has no machine, or a file cannot be written.
    """
    check_size(arch)
    top = MachineTop(arch)
    rtlil = without_zeros(elaborated(top, arch.name))
    texts = {
        "v": verilog_of(rtlil, arch.name, machine_ports(top)),
        "h": header_text(arch),
        "c": driver_text(arch),
        "json": _json(arch, top, rtl_digest(rtlil, arch.name)),
        "svd": _svd(arch),
        "core": _core(arch),
        "md": datasheet(arch, machine_ports(top), facts),
        "svg": diagram(arch),
        "f": f"{arch.name}.v\n",
    }
    for suffix, text in texts.items():
        write_text_atomic(Path(folder) / f"{arch.name}.{suffix}", text)
    return Path(folder) / f"{arch.name}.v"


def machine_ports(top: MachineTop) -> list[Port]:
    """Ports of a machine, with what they are."""
    found = []
    for name, member in top.signature.members.items():
        prefix, _, _ = name.rpartition("_")
        meaning = {
            "s_axi": "AXI4-Lite: registers",
            "m_axi": "AXI4: memory",
            "": "interrupt, while one is pending",
        }[prefix]
        direction = "in" if member.flow.name == "In" else "out"
        found.append(Port(name, direction, len(getattr(top, name)), meaning))
    return found


def _json(arch: ArchConfig, top: MachineTop, rtl: str) -> str:
    at = offsets()
    descriptor = []
    for word, fields in enumerate(FIELDS):
        bit = 0
        for field in fields:
            descriptor.append(
                {
                    "name": field.name, "word": word, "bit": bit, "bits": field.bits,
                    "meaning": field.meaning,
                }
            )  # fmt: skip
            bit += field.bits
    content = {
        "name": arch.name,
        "hwsim": __version__,
        "amaranth": version("amaranth"),
        "digest": {"arch": arch.digest, "rtl": rtl},
        "config": arch.model_dump(mode="json"),
        "ports": {
            port.name: {"direction": port.direction, "width": port.width}
            for port in machine_ports(top)
        },
        "registers": [
            {"offset": at[r.name], "name": r.name, "access": r.access, "meaning": r.meaning}
            | ({"bits": [name for name, _ in r.bits]} if r.bits else {})
            for r in REGISTERS
        ],
        "errors": [{"name": name, "meaning": meaning} for name, meaning in ERRORS],
        "counters": [{"name": name, "meaning": meaning} for name, meaning in COUNTERS],
        "descriptor": descriptor,
    }
    return json.dumps(content, indent=2) + "\n"


def _svd(arch: ArchConfig) -> str:
    """Register map as CMSIS-SVD."""
    access = {"r": "read-only", "w": "write-only", "rw": "read-write"}
    at = offsets()
    registers = "\n".join(
        f"        <register>\n          <name>{r.name.upper()}</name>\n"
        f"          <description>{escape(r.meaning)}</description>\n"
        f"          <addressOffset>0x{at[r.name]:x}</addressOffset>\n"
        f"          <access>{access[r.access]}</access>\n{_svd_fields(r)}        </register>"
        for r in REGISTERS
    )
    size = 4 * len(REGISTERS)
    return f"""\
<?xml version="1.0" encoding="utf-8"?>
<device schemaVersion="1.3">
  <name>{arch.name}</name>
  <version>{__version__}</version>
  <description>{escape(arch.description or arch.name)}</description>
  <addressUnitBits>8</addressUnitBits>
  <width>32</width>
  <size>32</size>
  <resetValue>0</resetValue>
  <resetMask>0</resetMask>
  <peripherals>
    <peripheral>
      <name>{arch.name.upper()}</name>
      <baseAddress>0x0</baseAddress>
      <addressBlock>
        <offset>0x0</offset>
        <size>0x{size:x}</size>
        <usage>registers</usage>
      </addressBlock>
      <registers>
{registers}
      </registers>
    </peripheral>
  </peripherals>
</device>
"""


def _svd_fields(register: Register) -> str:
    if not register.bits:
        return ""
    fields = "".join(
        f"            <field>\n              <name>{name.upper()}</name>\n"
        f"              <description>{escape(what)}</description>\n"
        f"              <bitRange>[{bit}:{bit}]</bitRange>\n            </field>\n"
        for bit, (name, what) in enumerate(register.bits)
    )
    return f"          <fields>\n{fields}          </fields>\n"


def _core(arch: ArchConfig) -> str:
    """Core description file of FuseSoC (CAPI 2)."""
    return f"""\
CAPI=2:
name: hwsim:accelerator:{arch.name}:{__version__}
description: {json.dumps(arch.description or arch.name)}
filesets:
  rtl:
    files: [{arch.name}.v]
    file_type: verilogSource
  driver:
    files:
      - {arch.name}.c: {{file_type: cSource}}
      - {arch.name}.h: {{file_type: cSource, is_include_file: true}}
targets:
  default:
    filesets: [rtl]
    toplevel: {arch.name}
"""
