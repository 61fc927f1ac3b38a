"""``hwsim simulate``: cycles by cause of a network on a design."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwsim.cli.options import Arch, Images, Json, Network, Out

__all__ = ["simulate"]


def simulate(
    arch: Arch,
    network: Network,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Compressed weights: a name in models/checkpoints or a file."),
    ] = None,
    images: Images = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of synthetic operands.")] = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Count a network's cycles by cause on a design, layer by layer, cycle-exact.

    With --checkpoint the operands are its weights and the activations that test images give;
    otherwise they are synthetic, at the densities of the network file.

    Example: hwsim simulate csc_16x4 lenet5 --checkpoint lenet5_nonstructured --images 16
    """
    from hwsim import engine
    from hwsim.cli.output import console, emit_json, table
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.report import write_json
    from hwsim.shipped import checkpoint_operands

    design, net = ArchConfig.read(arch), NetworkConfig.read(network)
    operands = checkpoint_operands(net, checkpoint, images) if checkpoint else None
    result = engine.simulate(design, net, operands, images=images, seed=seed)
    document = result.to_dict() | {
        "operands": checkpoint if checkpoint else f"synthetic weights, seed {seed}"
    }
    folder = out or Path("build/simulate") / f"{design.name}-{net.name}"
    path = write_json(folder / "results.json", document)
    if json:
        emit_json(document)
        return
    group = next(iter(result.counts.causes), "")
    causes = [c for c, n in result.counts.causes.get(group, {}).items() if n]
    rows: list[list[object]] = [
        [
            item.name, item.macs, item.useful_macs, item.cycles, item.utilization,
            *(item.counts.causes.get(group, {}).get(cause, 0) for cause in causes),
        ]
        for item in result.layers
    ]  # fmt: skip
    totals = [result.counts.causes[group][cause] for cause in causes]
    rows.append(
        ["total", result.macs, result.useful_macs, result.cycles, result.utilization, *totals]
    )
    console().print(
        table(
            f"{net.name} on {design.name}, {images} image(s), {document['operands']}",
            ["layer", "MACs", "useful", "cycles", "utilization", *causes],
            rows,
        )
    )
    console().print(f"{result.microseconds:.1f} us at {design.clock_mhz:g} MHz; wrote {path}")
