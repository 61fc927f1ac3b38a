"""``hwsim doctor``: tools, packages, data sets and checkpoints; how to get what is missing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Json

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["doctor"]


@dataclass(frozen=True)
class Finding:
    """One line of the command's table."""

    name: str
    found: bool
    required: bool
    version: str
    purpose: str
    #: Where it is, or how to get it.
    remark: str


def doctor(
    every: Annotated[
        bool, typer.Option("--all", help="Also print where each is, and list every checkpoint.")
    ] = False,
    json: Json = False,
) -> None:
    """List the tools, packages, data sets and checkpoints: found, missing, and what to do.

    Exits 1 when something is missing without which designs cannot be simulated, generated and
    verified.

    Example: hwsim doctor --all
    """
    from hwsim.cli.output import console, emit_json

    needs, checkpoints = [*_tools(), *_extras(), *_data()], _checkpoints()
    findings = [*needs, *checkpoints]
    missing = [finding.name for finding in findings if finding.required and not finding.found]
    if json:
        emit_json({"missing": missing, "findings": [asdict(finding) for finding in findings]})
    elif every:
        console().print(_table(findings))
    else:
        console().print(_summary([*needs, _counted(checkpoints)]))
    if missing:
        typer.echo(f"error: missing: {', '.join(missing)}", err=True)
        raise typer.Exit(1)


def _summary(findings: list[Finding]) -> Table:
    """One screen: version and purpose of each item that is found, the remedy of each other one."""
    from rich.table import Table

    table = Table(title="hwsim doctor", title_justify="left", box=None, pad_edge=False)
    for title in ("what", "state"):
        table.add_column(title, no_wrap=True)
    table.add_column("for, or what to do", overflow="fold")
    for finding in findings:
        last = finding.purpose if finding.found else finding.remark
        table.add_row(finding.name, _version(finding), last)
    return table


def _counted(checkpoints: list[Finding]) -> Finding:
    """All checkpoints as one finding."""
    damaged = [finding.name for finding in checkpoints if not finding.found]
    purpose = "real layers, studies (--all lists them)"
    remark = f"{len(damaged)} damaged, first: {damaged[0]} (--all says why)" if damaged else ""
    count = f"{len(checkpoints) - len(damaged)} found"
    return Finding("checkpoints", not damaged, False, count, purpose, remark)


def _version(finding: Finding) -> str:
    if finding.found or not finding.version:
        return finding.version or _state(finding)
    return f"{finding.version}, too old" if finding.name != "checkpoints" else finding.version


def _table(findings: list[Finding]) -> Table:
    """All findings; long paths break over lines rather than being cut."""
    from rich.table import Table

    table = Table(title="hwsim doctor", title_justify="left")
    for title in ("what", "state", "version", "for"):
        table.add_column(title, no_wrap=True)
    table.add_column("where, or what to do", overflow="fold")
    for finding in findings:
        table.add_row(
            finding.name, _state(finding), finding.version, finding.purpose, finding.remark
        )
    return table


def _state(finding: Finding) -> str:
    if finding.found:
        return "found"
    return "missing" if finding.required else "missing, optional"


def _tools() -> list[Finding]:
    from hwsim.rtl.cosim.toolchain import tools

    return [
        Finding(
            tool.name, tool.found, tool.required, tool.version, tool.purpose,
            str(tool.path) if tool.found else tool.advice,
        )
        for tool in tools()
    ]  # fmt: skip


def _extras() -> list[Finding]:
    from importlib.metadata import version
    from importlib.util import find_spec

    findings = []
    for module, extra, purpose in (
        ("torch", "compress", "trains and compresses"),
        ("onnx", "onnx", "reads models"),
    ):
        found = find_spec(module) is not None
        remark = "" if found else f"pip install 'hwsim[{extra}]'"
        known = version(module) if found else ""
        findings.append(Finding(module, found, False, known, purpose, remark))
    return findings


def _data() -> list[Finding]:
    from hwsim.datasets import load as datasets
    from hwsim.errors import InputError

    findings = []
    for name in ("mnist", "fashion"):
        try:
            datasets.load(name, "test")
            remark, found = str(datasets.cache()), True
        except InputError:
            remark, found = f"hwsim data {name}", False
        findings.append(Finding(f"data set {name}", found, False, "", "training, accuracy", remark))
    return findings


def _checkpoints() -> list[Finding]:
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import CHECKPOINTS
    from hwsim.errors import InputError

    findings = []
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        try:
            Checkpoint.read(path)
            remark, found = str(path), True
        except InputError as error:
            remark, found = str(error), False
        findings.append(
            Finding(f"checkpoint {path.stem}", found, False, "", "real layers, studies", remark)
        )
    return findings
