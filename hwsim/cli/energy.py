"""``hwsim energy``: what a network takes on a design."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwsim.cli.options import Arch, Checkpoint, Images, Inputs, Json, Network, Out, Seed, Tech

__all__ = ["energy"]


def energy(
    arch: Arch,
    network: Network,
    checkpoint: Checkpoint = None,
    inputs: Inputs = None,
    images: Images = 1,
    tech: Tech = "sg13g2",
    buffer: Annotated[
        int, typer.Option(min=1, help="KiB of the buffer that every stream passes.")
    ] = 64,
    dram: Annotated[
        str, typer.Option(help="External memory: lpddr4, ddr3, hbm2 or hbm3.")
    ] = "lpddr4",
    seed: Seed = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Find the energy of a network on a design, layer by layer, and by part.

    Events and cycles of the simulation, times what each takes in the technology: logic by what
    switches, the clock of flip-flops, reads and writes of each memory, leakage at the design's own
    clock. The buffer and the external memory that feed the array count apart. Writes results.json,
    results.csv and a picture. Exits 0, or 2 on bad input.

    Example: hwsim energy csc_16x4 lenet5 --checkpoint lenet5_nonstructured_12x --images 16
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, show_outside, table, working
    from hwsim.cost.energy_picture import energy_by_layer
    from hwsim.report.page import write_csv, write_json
    from hwsim.system.files import staged

    with working("reading") as status:
        result = api.energy(
            arch, network, checkpoint, images=images, inputs=inputs, seed=seed, technology=tech,
            buffer_kib=buffer, dram=dram, progress=status.update,
        )  # fmt: skip
    name = f"{result.arch.name}-{result.result.network}_{Path(result.technology).stem}"
    folder = out or Path("build/energy") / name
    rows = result.to_rows()
    with staged(folder) as inside:
        write_json(inside / "results.json", result.to_dict())
        write_csv(inside / "results.csv", rows)
        energy_by_layer(result, inside)
    if json:
        emit_json(result.to_dict())
        return
    console().print(table(result.title, list(rows[0]), [list(row.values()) for row in rows]))
    show_outside(result.result.outside)
    per_image = result.result.images * 1e6
    console().print(
        f"{result.array / per_image:.3f} uJ per image in the array, {result.total / per_image:.3f} "
        f"with what feeds it; {result.microseconds / result.result.images:.1f} us per image; "
        f"wrote {folder}/results.json, results.csv and energy.png"
    )
