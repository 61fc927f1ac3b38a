"""``hwsim fit``: memories of a design, sized for a workload."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwsim.cli.options import Arch, Checkpoint, Images, Json, Network, Out, Seed, Tech

__all__ = ["fit"]


def fit(
    arch: Arch,
    network: Network,
    checkpoint: Checkpoint = None,
    images: Images = 1,
    slack: Annotated[
        float, typer.Option(min=0, max=1, help="Cycles and words that may be lost, as a fraction.")
    ] = 0.01,
    tech: Tech = "sg13g2",
    seed: Seed = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Find the smallest memories with which a network loses no time and no traffic.

    Depths of accumulators and of weight memories are halved, the largest memory first, as long as
    the network fits and its cycles and the words of each stream grow by at most the slack. Writes
    the fitted design, <ARCH>_<NETWORK>.yaml, which serves wherever a design is named, and
    results.json. Exits 0, or 2 on bad input.

    Example: hwsim fit bitmask_64 lenet5 --checkpoint lenet5_nonstructured_85x --images 16
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, show_outside, table, working
    from hwsim.report.page import write_json
    from hwsim.system.files import staged, write_text_atomic

    with working("reading") as status:
        result = api.fit(
            arch, network, checkpoint, images=images, seed=seed, slack=slack, technology=tech,
            progress=status.update,
        )  # fmt: skip
    folder = out or Path("build/fit") / result.arch.name
    with staged(folder) as inside:
        write_text_atomic(inside / f"{result.arch.name}.yaml", result.arch.to_yaml())
        write_json(inside / "results.json", result.to_dict())
    if json:
        emit_json(result.to_dict())
        return
    rows = result.to_rows()
    console().print(table(result.title, list(rows[0]), [list(row.values()) for row in rows]))
    show_outside(result.after.outside)
    console().print(f"wrote {folder / result.arch.name}.yaml and results.json")
