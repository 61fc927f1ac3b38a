"""``hwsim verify``: the simulator against the generated Verilog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Arch, Checkpoint, Images, Json, Memory, Out, Outside, Seed

if TYPE_CHECKING:
    from hwsim.verification.machine import MachineVerification
    from hwsim.verification.result import Verification

__all__ = ["verify"]

#: Cases that the printed table shows at most; results.json has all.
_SHOWN = 60


def verify(
    arch: Arch,
    network: Annotated[
        str | None,
        typer.Argument(
            help="Also its layers, on real images where it has weights: a name, a YAML, .onnx or "
            ".csv file, or a checkpoint."
        ),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(min=0, max=100_000, help="Random cases (default: 50, or 0 with NETWORK)."),
    ] = None,
    seed: Seed = 0,
    layer: Annotated[
        list[str] | None, typer.Option(help="Layer of NETWORK, repeatable (default: all).")
    ] = None,
    images: Images = 1,
    checkpoint: Checkpoint = None,
    simulator: Annotated[
        str, typer.Option(help="Verilog simulator: verilator or icarus.")
    ] = "verilator",
    memory: Memory = None,
    waves: Annotated[
        bool,
        typer.Option(
            "--waves",
            help="Leave the waves of all signals (VCD) beside the build: some 10 KB per cycle of a "
            "machine, of its first case that differs, else of its last one.",
        ),
    ] = False,
    waves_cycles: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="<first> <end>",
            help="Waves of a machine in these cycles alone, counted from the start of the run.",
        ),
    ] = None,
    outside: Outside = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Generate a design, simulate its Verilog, and compare it with the simulator: bits and cycles.

    Every case runs on the cycle model, cycle by cycle; above 20,000 cycles, without pauses, the
    fast form stands in for it, and the table says so. All cases run in one simulation of the
    Verilog that generate writes, without resets between them. Outputs, cycles by cause and events
    must be equal. A design with a machine runs whole networks from memory: random ones, or NETWORK
    with the memory of --memory; values and all counters must be equal. Weights of NETWORK are those
    of --checkpoint or its own, else of a shipped checkpoint, else random. Exits 1 where they are
    not, and shows the first difference. Writes the Verilog and results.json.

    Example: hwsim verify csc_16x4 --random 200 --seed 1

    Example: hwsim verify dense_8x8_ws lenet5 --layer conv2 --images 2

    Example: hwsim verify machine_dense_8x8_ws lenet5 --images 10 --memory lpddr4_3200_x32
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    from hwsim import api
    from hwsim.cli.output import console, emit_json, progress_bar
    from hwsim.report.page import write_json
    from hwsim.system import extras

    extras.require("rtl")
    from hwsim.rtl.cosim.run import WAVES

    words = {"generate": "generate Verilog", "build": f"build with {simulator}"}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with progress_bar(*columns) as report:
        result = api.verify(
            arch, network, checkpoint, random=random, layers=layer or [], images=images,
            seed=seed, simulator=simulator, memory=memory, waves=waves,
            waves_cycles=waves_cycles, outside=outside, out=out,
            progress=lambda stage, done, total: report(
                words.get(stage, f"{stage} {total} cases"),
                done,
                total if stage == "simulate" else None,
            ),
        )  # fmt: skip
        report("compared", len(result.comparisons), len(result.comparisons))
    path = write_json(result.verilog.parent / "results.json", result.to_dict())
    if json:
        emit_json(result.to_dict())
    else:
        _show(result)
        wrote = str(path)
        if waves or waves_cycles is not None:
            found = path.with_name(WAVES)
            wrote += f" and {found} ({found.stat().st_size / 1e6:.0f} MB)"
        console().print(
            f"{result.summary()}; {result.cycles} cycles, {result.seconds:.1f} s; wrote {wrote}"
        )
    if not result.equal:
        first = result.different[0]
        typer.echo(f"error: {first.case.name}: {first.difference}", err=True)
        raise typer.Exit(1)


def _show(result: Verification | MachineVerification) -> None:
    """Print all cases where they are few, else those that differ."""
    from hwsim.cli.output import console, show_outside, table

    rows = result.to_rows()
    shown = rows if len(rows) <= _SHOWN else [row for row in rows if not row["equal"]][:_SHOWN]
    if shown:
        columns = [column for column in shown[0] if column != "difference"]
        titles = [column.replace("_", " ") for column in columns]
        body = [[row[column] for column in columns] for row in shown]
        console().print(table(result.title, titles, body))
    show_outside(getattr(result, "outside", []))
