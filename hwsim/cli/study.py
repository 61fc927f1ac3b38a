"""``hwsim study``: the main job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Json, Out, Store

if TYPE_CHECKING:
    from hwsim.studies.run import Study

__all__ = ["study"]


def study(
    config: Annotated[str, typer.Argument(help="Study: a name in configs/study or a YAML file.")],
    rtl: Annotated[
        bool,
        typer.Option(help="Generate the Verilog, run the study's real layers on it, compare."),
    ] = True,
    jobs: Annotated[
        int,
        typer.Option(
            min=0, max=256, help="Points counted, and designs built, at once; 0: one for each core."
        ),
    ] = 0,
    out: Out = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Compare families on one network, prove the result in RTL, and write a report.

    Writes report.md, report.html, results.csv and results.json with their pictures; under equal
    budgets also map.csv and designs.csv. Exits 1 when the RTL differs from the simulator, or a
    published figure is not met.

    Example: hwsim study configs/study/lenet5.yaml
    """
    from hwsim import api
    from hwsim.cli.output import emit_json, working

    started = time.monotonic()
    with working("reading weights") as status:
        result = api.study(config, out, rtl=rtl, jobs=jobs, store=store, progress=status.update)
    if json:
        emit_json(result.to_dict())
    else:
        _show(result, time.monotonic() - started)
    if not result.passed:
        raise typer.Exit(1)


def _show(result: Study, seconds: float) -> None:
    from hwsim.cli.output import console, log, table
    from hwsim.studies.run import ComparisonStudy

    for title, columns, rows in result.tables():
        console().print(table(title, columns, rows))
    console().print(result.answer(), style="bold")
    proofs = result.proofs if isinstance(result, ComparisonStudy) else []
    if proofs:
        equal = sum(1 for proof in proofs if proof["equal"])
        console().print(f"RTL: {equal} of {len(proofs)} runs of real layers equal")
    console().print(f"{seconds:.0f} s; report: {result.report}")
    for proof in proofs:
        if not proof["equal"]:
            log().print(f"RTL differs: {proof['variant']}, {proof['case']}: {proof['difference']}")
            break
