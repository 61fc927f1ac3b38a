"""A design as Verilog."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import image_count, image_source, whole
from hwsim.api.machine import choose_weights, prepare, read_memory
from hwsim.api.read import read_arch, resolved
from hwsim.errors import InputError
from hwsim.report.result import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig

__all__ = ["Verilog", "generate"]

#: Process of the figures in data sheets.
_TECHNOLOGY = "sg13g2"


@dataclass(frozen=True)
class Verilog(Result):
    """A generated design: its Verilog, and the file beside it that describes it."""

    arch: ArchConfig
    #: ``NAME.v``; the top module is ``NAME``.
    path: Path

    @property
    def sidecar(self) -> Path:
        """``NAME.json``: configuration, derived numbers, payload layouts, causes, versions."""
        return self.path.with_suffix(".json")

    #: Folder of the network's image, expected output and testbench, where there is a network.
    testbench: Path | None = None
    #: Its weights, in words.
    weights: str | None = None

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.arch.name}: Verilog"

    @property
    def text(self) -> str:
        """The Verilog."""
        return self.path.read_text(encoding="utf-8")

    def description(self) -> dict[str, Any]:
        """Content of :attr:`sidecar`."""
        content: dict[str, Any] = json.loads(self.sidecar.read_text(encoding="utf-8"))
        return content

    def to_dict(self) -> dict[str, Any]:
        """Paths, and the number of multipliers."""
        return {
            "arch": self.arch.name,
            "verilog": str(self.path),
            "sidecar": str(self.sidecar),
            "multipliers": self.arch.array.multipliers,
            "testbench": None if self.testbench is None else str(self.testbench),
            "weights": self.weights,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row: :meth:`to_dict`."""
        return [self.to_dict()]


def generate(
    arch: str | Path | ArchConfig,
    out: str | Path | None = None,
    *,
    top: str | None = None,
    network: str | Path | NetworkConfig | None = None,
    weights: str | Path | Checkpoint | None = None,
    memory: str | Path | MemoryConfig | None = None,
    images: int = 1,
    inputs: str | Path | NDArray[Any] | None = None,
    seed: int = 0,
) -> Verilog:
    """Write a design as Verilog, and beside it all that a reader of it needs.

    The same design gives the same bytes everywhere. Needs the extra ``rtl``.

    Parameters
    ----------
    arch
        Design: name, path or ``ArchConfig``.
    out
        Folder (default: ``build/generate/<design>``).
    top
        What is generated of the design: its ``array``, or its ``machine``, which it is by default
        where there is one; then data sheet, C header and driver, register maps (JSON, SVD) and a
        FuseSoC core lie beside the Verilog.
    network
        Network for the machine: a folder of its name gets the image of memory, the expected output,
        and a testbench in plain Verilog that holds values and counters to it.
    weights
        Its weights, as of :func:`read_checkpoint`; by default the shipped checkpoint
        ``<network>_<kind>`` of the kind that the design's family consumes, or random ones where
        none ships.
    memory
        Memory of the testbench: name in ``configs/memory``, path, or ``MemoryConfig``
        (default: ``ideal``).
    images, inputs, seed
        Images that it runs on, as of :func:`simulate`.

    Returns
    -------
    Verilog
        Paths of ``NAME.v`` and ``NAME.json``, and the folder of the network.

    Raises
    ------
    InputError
        The design cannot be read, it has no such top, the network does not fit it, a file cannot
        be written, or the extra is missing.
    """
    from hwsim.system import extras

    design = read_arch(arch)
    extras.require("rtl")
    from hwsim.rtl.emit.verilog import generate as write

    folder = Path(out or Path("build/generate") / design.name)
    if top is None:
        top = "array" if design.memory is None else "machine"
    asked: dict[str, object] = {"weights": weights, "memory": memory, "inputs": inputs}
    asked |= {"images": None if images == 1 else images, "seed": seed or None}
    for key, given in asked.items():
        if network is None and given is not None:
            raise InputError("arguments", key, str(given), "needs a network")
    if top != "machine":
        if network is not None:
            rule = "must be absent: an array alone runs no network; a design needs a memory section"
            raise InputError("arguments", "network", str(network), rule)
        return Verilog(design, write(design, folder, top=top))
    from hwsim.rtl.emit.machine import generate_machine

    if network is None:
        return Verilog(design, generate_machine(design, folder, _facts(design)))
    from hwsim.accelerator.simulate import simulate
    from hwsim.verification.testbench import write_network

    model, pictures = read_memory(memory or "ideal"), image_source(inputs)
    images, seed = image_count(images), whole("seed", seed)
    source = resolved(network, weights, inputs=pictures, seed=seed)
    net = source.network
    chosen, words = choose_weights(design, net, source.checkpoint, seed)
    work = prepare(design, net, chosen, images, pictures, seed, model)
    path = generate_machine(design, folder, _facts(design))
    run = simulate(work.compiled.program, model)
    write_network(work, model, run, folder / net.name)
    return Verilog(design, path, folder / net.name, words)


def _facts(design: ArchConfig) -> dict[str, str]:
    """Silicon of a machine and of its array for the data sheet: what ships, not what was measured.

    A data sheet has the same bytes everywhere.
    """
    from hwsim.cost.book import Book

    book, found = Book(_TECHNOLOGY), {}
    for title, part in (("area", design), ("area of the array alone", design.bare)):
        area = book.known_area(part)
        found[title] = None if area is None else f"{area.total / 1e6:.3f} mm2"
    clock = book.known_clock(design)
    found["clock of the array alone"] = None if clock is None else f"{clock.mhz:.0f} MHz"
    return {
        f"{title}, {_TECHNOLOGY}": figure
        or f"not on record; `hwsim {title.split()[0]}` measures it"
        for title, figure in found.items()
    }
