"""``hwsim study``: the main job."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Json, Out

if TYPE_CHECKING:
    from hwsim.config.jobs.study import CompareConfig, PublishedConfig, StudyConfig
    from hwsim.config.jobs.study_synthetic import SyntheticStudyConfig

__all__ = ["study"]


def study(
    config: Annotated[str, typer.Argument(help="Study: a name in configs/study or a YAML file.")],
    rtl: Annotated[
        bool,
        typer.Option(help="Generate the Verilog, run the study's real layers on it, compare."),
    ] = True,
    out: Out = None,
    json: Json = False,
) -> None:
    """Compare families on one network, prove the result in RTL, and write a report.

    Writes report.md, report.html, results.csv and results.json with their pictures. Exits 1 when
    the RTL differs from the simulator, or a published figure is not met.

    Example: hwsim study configs/study/lenet5.yaml
    """
    from hwsim.config.catalog import resolve
    from hwsim.config.jobs.study import CompareConfig, PublishedConfig, StudyConfig

    path = resolve(config, "study")
    read = StudyConfig.read(path)
    folder = out or Path("build/study") / read.name
    command = f"hwsim study {config}"
    if isinstance(read.study, CompareConfig):
        passed = _compare(read, read.study, path, command, rtl, folder, json)
    elif isinstance(read.study, PublishedConfig):
        passed = _published(read, read.study, command, folder, json)
    else:
        passed = _synthetic(read, read.study, path, command, folder, json)
    if not passed:
        raise typer.Exit(1)


def _compare(
    read: StudyConfig,
    config: CompareConfig,
    path: Path,
    command: str,
    rtl: bool,
    folder: Path,
    json: bool,
) -> bool:
    from hwsim.cli.output import console, emit_json, log, table
    from hwsim.studies import compare, prove
    from hwsim.studies.report import (
        cycles_table,
        storage_table,
        to_dict,
        verdict_table,
        write_comparison,
    )
    from hwsim.studies.verdict import answer, verdicts
    from hwsim.system.extras import require

    if rtl:
        require("rtl")
    started = time.monotonic()
    with log().status("reading weights") as status:
        done = compare.run(config, str(path), status.update)
        proofs = (
            prove.run(done, folder / "rtl", lambda what: status.update(f"proving {what}"))
            if rtl
            else []
        )
        status.update("writing the report")
        page = write_comparison(done, read.title, command, proofs, folder)
    if json:
        emit_json(to_dict(done) | {"rtl": proofs, "report": str(page)})
    else:
        title = f"{read.title}: the smallest models of equal accuracy"
        console().print(table(title, *cycles_table(done, done.short)))
        title = "Their weights in KB of 1000 bytes, and the gates of the designs"
        console().print(table(title, *storage_table(done, done.short)))
        console().print(table("Non-structured against systolic", *verdict_table(verdicts(done))))
        console().print(f"[bold]{answer(done)}[/bold]")
        equal = sum(1 for proof in proofs if proof["equal"])
        if proofs:
            console().print(f"RTL: {equal} of {len(proofs)} runs of real layers equal")
        console().print(f"{time.monotonic() - started:.0f} s; report: {page}")
    different = [proof for proof in proofs if not proof["equal"]]
    for proof in different[:1]:
        log().print(f"RTL differs: {proof['variant']}, {proof['case']}: {proof['difference']}")
    return not different


def _published(
    read: StudyConfig, config: PublishedConfig, command: str, folder: Path, json: bool
) -> bool:
    from hwsim.cli.output import console, emit_json, log, table
    from hwsim.studies import published
    from hwsim.studies.published_report import published_table, write_published

    with log().status("simulating") as status:
        check = published.run(config, lambda name: status.update(f"simulating {name}"))
        page = write_published(check, read.title, command, folder)
    if json:
        emit_json(check.to_dict() | {"report": str(page)})
    else:
        console().print(table(read.title, *published_table(check)))
        console().print(f"[bold]{check.answer()}[/bold]")
        console().print(f"report: {page}")
    return check.passed


def _synthetic(
    read: StudyConfig,
    config: SyntheticStudyConfig,
    path: Path,
    command: str,
    folder: Path,
    json: bool,
) -> bool:
    from hwsim.checkpoints.synthetic import mark
    from hwsim.cli.output import console, emit_json, log, table
    from hwsim.studies import synthetic
    from hwsim.studies.synthetic_report import cycles_table, storage_table, write

    with log().status("reading") as status:
        done = synthetic.run(config, str(path), status.update)
        page = write(done, read.title, command, folder)
    if json:
        emit_json(done.to_dict() | {"report": str(page)})
    else:
        console().print(table(mark(read.title), *cycles_table(done)))
        stored = f"Stored weights of {mark(config.network)}"
        console().print(table(stored, *storage_table(done)))
        console().print(f"[bold]{done.answer()}[/bold]")
        console().print(f"report: {page}")
    return True
