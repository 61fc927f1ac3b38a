"""A design as Verilog."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.read import read_arch
from hwsim.report.result import Result

if TYPE_CHECKING:
    from hwsim.config import ArchConfig

__all__ = ["Verilog", "generate"]


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
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row: :meth:`to_dict`."""
        return [self.to_dict()]


def generate(
    arch: str | Path | ArchConfig, out: str | Path | None = None, *, top: str | None = None
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
        where there is one; then C header and driver, register maps (JSON, SVD) and a FuseSoC core
        lie beside the Verilog.

    Returns
    -------
    Verilog
        Paths of ``NAME.v`` and ``NAME.json``.

    Raises
    ------
    InputError
        The design cannot be read, it has no such top, a file cannot be written, or the extra is
        missing.
    """
    from hwsim.system import extras

    design = read_arch(arch)
    extras.require("rtl")
    from hwsim.rtl.emit.verilog import generate as write

    folder = Path(out or Path("build/generate") / design.name)
    if top is None:
        top = "array" if design.memory is None else "machine"
    if top == "machine":
        from hwsim.rtl.emit.machine import generate_machine

        return Verilog(design, generate_machine(design, folder))
    return Verilog(design, write(design, folder, top=top))
