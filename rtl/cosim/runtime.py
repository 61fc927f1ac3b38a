"""Verilator's own runtime, compiled once for all designs: it is most of what a build compiles."""

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from platformdirs import user_cache_path

from hwsim.errors import InputError
from hwsim.rtl.cosim import toolchain
from hwsim.system.files import write_bytes_atomic

__all__ = ["OBJECTS", "keep", "reuse"]

#: Objects that depend on the tools and the flags alone; ``verilated_vpi.o`` is cocotb's only.
OBJECTS = ("verilated.o", "verilated_dpi.o", "verilated_threads.o", "verilated_vpi.o")


#: The objects depend on a makefile that the build writes: they are dated this many seconds ahead of
#: it, so that make leaves them.
AHEAD_S = 3600


def reuse(folder: Path) -> None:
    """Put the objects into a build's folder: make then compiles the design alone.

    Those that were not kept are compiled as well.
    """
    with contextlib.suppress(OSError):
        store = _store()
        for name in OBJECTS:
            if (store / name).is_file():
                shutil.copyfile(store / name, folder / name)
                later = time.time() + AHEAD_S
                os.utime(folder / name, (later, later))


def keep(folder: Path) -> None:
    """Keep the objects of a finished build. Nothing happens where there is no place for them."""
    with contextlib.suppress(OSError, InputError):
        store = _store()
        for name in OBJECTS:
            if (folder / name).is_file() and not (store / name).is_file():
                write_bytes_atomic(store / name, (folder / name).read_bytes())


def _store() -> Path:
    """Folder of the objects of these tools, where they lie, and these flags."""
    verilator = toolchain.find("verilator").path
    content = {
        "versions": toolchain.versions("verilator"),
        "place": str(verilator),
        "arguments": toolchain.BUILD_ARGS["verilator"],
        "environment": {key: os.environ.get(key) for key in ("CXX", "CXXFLAGS", "CPPFLAGS")},
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return user_cache_path("hwsim") / "verilator" / digest
