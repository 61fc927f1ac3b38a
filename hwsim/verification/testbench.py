"""A network for a generated machine: image of memory, expected output, a bench that checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hwsim.accelerator.listing import listing
from hwsim.accelerator.simulate import MachineRun
from hwsim.compiler.prepare import Prepared
from hwsim.config import MemoryConfig
from hwsim.system.files import write_text_atomic

__all__ = ["write_network"]


def write_network(work: Prepared, memory: MemoryConfig, run: MachineRun, folder: Path) -> None:
    """Write the files of a network for the machine whose Verilog lies in the folder above.

    Those of :func:`hwsim.rtl.cosim.testbench.write_testbench`; ``program.txt``, its descriptors
    field by field; ``program.json``, where everything lies, and what is expected.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    from hwsim.rtl.cosim.testbench import Testbench, write_testbench

    program, count = work.compiled.program, len(work.act)
    image, bases = work.compiled.image(work.act), program.bases()
    expected, counts = work.compiled.expected(work.results)
    images = "1 image" if count == 1 else f"{count} images"
    bench = Testbench(
        program.arch, work.network, work.images,
        f"{work.network}, {images}, {work.results.size} values, {run.cycles} cycles",
        memory, image, len(program.tiles), bases, program.sizes(), expected, counts,
        run.counters(),
    )  # fmt: skip
    write_testbench(bench, folder)
    text = listing(image[: program.constants_at], program.arch.name)
    write_text_atomic(folder / "program.txt", text)
    layout: dict[str, Any] = {
        "network": work.network,
        "arch": program.arch.name,
        "digest": program.arch.digest,
        "images": count,
        "images_from": work.images,
        "memory": memory.model_dump(),
        "program": {"address": 0, "descriptors": len(program.tiles)},
        "regions": list(bases),
        "sizes": list(program.sizes()),
        "bytes": program.size,
        "inputs": {"address": bases[1], "bytes": program.input_bytes},
        "outputs": {"address": bases[2], "bytes": program.output_bytes},
        "expected": {"results": work.results.tolist(), "counters": run.counters()},
    }
    write_text_atomic(folder / "program.json", json.dumps(layout, indent=2) + "\n")
