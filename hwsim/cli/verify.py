"""``hwsim verify``: the simulator against the generated Verilog."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwsim.cli.options import Arch, Images, Json, Out

if TYPE_CHECKING:
    from hwsim.config import ArchConfig
    from hwsim.verification.cases import Case
    from hwsim.verification.compare import Comparison

__all__ = ["verify"]


def verify(
    arch: Arch,
    network: Annotated[
        str | None, typer.Argument(help="Also its layers, on real images: a name or a YAML file.")
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(min=0, max=100_000, help="Random cases (default: 50, or 0 with NETWORK)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random cases.")] = 0,
    layer: Annotated[
        list[str] | None, typer.Option(help="Layer of NETWORK, repeatable (default: all).")
    ] = None,
    images: Images = 1,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Weights of NETWORK: a name in models/checkpoints or a file."),
    ] = None,
    simulator: Annotated[
        str, typer.Option(help="Verilog simulator: verilator or icarus.")
    ] = "verilator",
    out: Out = None,
    json: Json = False,
) -> None:
    """Generate a design, simulate its Verilog, and compare it with the simulator: bits and cycles.

    Every case runs on the clock-by-clock model and, all in one simulation without resets between
    them, on the Verilog that generate writes. Outputs and cycles by cause must be equal. Exits 1
    where they are not, and shows the first difference. Writes the Verilog and results.json.

    Example: hwsim verify csc_16x4 --random 200 --seed 1

    Example: hwsim verify dense_8x8_ws lenet5 --layer conv2 --images 2
    """
    from hwsim.cli.output import console, emit_json
    from hwsim.config import ArchConfig
    from hwsim.report.page import write_json

    design = ArchConfig.read(arch)
    drawn = random if random is not None else (0 if network else 50)
    cases, weights = _cases(design, drawn, seed, network, layer or [], images, checkpoint)
    folder = out or Path("build/verify") / design.name
    start = time.monotonic()
    results = _run(design, cases, folder, simulator)
    different = [result for result in results if not result.equal]
    document: dict[str, Any] = {
        "arch": design.name,
        "simulator": simulator,
        "seed": seed,
        "weights": weights,
        "equal": not different,
        "different": len(different),
        "cycles": sum(result.rtl.cycles for result in results),
        "seconds": round(time.monotonic() - start, 3),
        "verilog": str(folder / f"{design.name}.v"),
        "cases": [result.to_dict() for result in results],
    }
    path = write_json(folder / "results.json", document)
    if json:
        emit_json(document)
    else:
        _show(design, results)
        console().print(
            f"{len(results) - len(different)} of {len(results)} cases equal"
            f"{f', layers of {weights}' if weights else ''}, "
            f"{document['cycles']} cycles, {document['seconds']:.1f} s; wrote {path}"
        )
    if different:
        first = different[0]
        typer.echo(f"error: {first.case.name}: {first.difference}", err=True)
        raise typer.Exit(1)


def _cases(
    design: ArchConfig,
    random: int,
    seed: int,
    network: str | None,
    layers: list[str],
    images: int,
    checkpoint: str | None,
) -> tuple[list[Case], str | None]:
    """Random cases, then the network's layers; and what their weights are called."""
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import find_checkpoint
    from hwsim.checkpoints.synthetic import label
    from hwsim.config import NetworkConfig
    from hwsim.errors import InputError
    from hwsim.inference.operands import checkpoint_operands
    from hwsim.verification.cases import layer_cases, random_cases

    cases, called = random_cases(design, random, seed), None
    if network is None:
        if layers or checkpoint:
            option = "--layer" if layers else "--checkpoint"
            raise InputError("command line", option, None, "needs a NETWORK")
    else:
        net = NetworkConfig.read(network)
        known = [shape.layer.name for shape in net.shapes() if shape.has_weights]
        for name in layers:
            if name not in known:
                rule = f"must be a layer with weights: {', '.join(known)}"
                raise InputError("command line", "--layer", name, rule)
        weights = checkpoint or f"{net.name}_{design.array.checkpoint_kind}"
        cases += layer_cases(checkpoint_operands(net, weights, images), layers)
        called = label(weights, Checkpoint.read(find_checkpoint(weights)))
    if not cases:
        raise InputError("command line", "--random", random, "must be at least 1 without NETWORK")
    return cases, called


def _run(design: ArchConfig, cases: list[Case], folder: Path, simulator: str) -> list[Comparison]:
    """Verify under a progress bar; a simulation that fails by itself ends the command with 1."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from hwsim.cli.output import log
    from hwsim.system import extras
    from hwsim.verification import run as verify

    extras.require("rtl")
    from hwsim.rtl.cosim.run import SimulationError

    words = {"generate": "generate Verilog", "build": f"build with {simulator}"}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=log()) as bar:
        task = bar.add_task("simulate", total=None)

        def notify(stage: str, done: int, total: int) -> None:
            shown = words.get(stage, f"{stage} {total} cases")
            known = total if stage == "simulate" else None
            bar.update(task, description=shown, completed=done, total=known)

        try:
            results = verify.verify(design, cases, folder, simulator, notify)
        except SimulationError as error:
            bar.stop()
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error
        bar.update(task, description="compared", completed=len(cases), total=len(cases))
    return results


def _show(design: ArchConfig, results: list[Comparison]) -> None:
    """Print all cases where few, else those that differ and a sum by kind of stall."""
    from hwsim.cli.output import console, table

    rows = [result.to_dict() for result in results]
    shown = rows if len(rows) <= 60 else [row for row in rows if not row["equal"]][:60]
    columns = ["case", "M", "K", "N", "weight_density", "act_density", "stalls", "reset"]
    columns += ["cycles_simulator", "cycles_rtl", "equal"]
    if shown:
        body = [[_cell(row[column]) for column in columns] for row in shown]
        titles = [column.replace("_", " ") for column in columns]
        console().print(table(f"{design.name}: simulator and Verilog", titles, body))


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return round(value, 3) if isinstance(value, float) else value
