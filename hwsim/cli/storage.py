"""``hwsim storage``: bits per format of a network's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwsim.cli.options import Json, Out

__all__ = ["storage"]


def storage(
    weights: Annotated[
        str,
        typer.Argument(
            help="Checkpoint (a name in models/checkpoints or a file), or network (synthetic)."
        ),
    ],
    arch: Annotated[
        list[str] | None,
        typer.Option(help="Designs whose formats are measured; repeat for more."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of synthetic weights.")] = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure stored bits by kind: values, indices, pointers, padding; per layer and in total.

    Example: hwsim storage lenet5_nonstructured --arch dense_8x8_ws --arch csc_16x4
    """
    from hwsim.cli.output import console, emit_json, table
    from hwsim.config import ArchConfig
    from hwsim.report import write_json
    from hwsim.storage import measure_designs

    designs = [ArchConfig.read(name) for name in arch or ["dense_8x8_ws", "csc_16x4"]]
    document = measure_designs(weights, designs, seed)
    folder = out or Path("build/storage") / Path(weights).stem
    path = write_json(folder / "results.json", document)
    if json:
        emit_json(document)
        return
    kinds = ["values", "indices", "pointers", "padding", "total"]
    for design in document["designs"]:
        rows = [
            [row["layer"], row["weights"], row["nonzeros"], *(row["bits"][kind] for kind in kinds)]
            for row in [*design["layers"], design["total"]]
        ]
        console().print(
            table(
                f"{document['name']} in the format of {design['arch']} ({design['family']}), bits",
                ["layer", "weights", "non-zero", *kinds],
                rows,
            )
        )
        dense = design["total"]["weights"] * design["weight_width"]
        console().print(
            f"{design['total']['bits']['total'] / 8000:.2f} KB (1000 B), "
            f"{dense / max(1, design['total']['bits']['total']):.2f}x smaller than "
            f"dense at {design['weight_width']} bits"
        )
    console().print(f"wrote {path}")
