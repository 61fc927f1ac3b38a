"""``hwsim breakeven``: pruned portion of a layer above which decoding indices pays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Arch, Images, Json, Out, Seed

if TYPE_CHECKING:
    from hwsim.cost.breakeven import BreakEven, BreakEvens

__all__ = ["breakeven"]

#: Densities of random activations by default.
_ACTS = (1.0, 0.4)
#: Portions of the sweep that the printed table shows; results.csv has all.
_SHOWN = (0.0, 0.3, 0.5, 0.7, 0.9)


def breakeven(
    arch: Arch,
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK[:LAYER]",
            help="Network (a name, a YAML, .onnx or .csv file, a checkpoint), and one of its "
            "layers (default: all with weights).",
        ),
    ],
    dense: Annotated[
        str | None,
        typer.Option(
            help="Dense design to compare with (default: the weight-stationary one that ships with "
            "equal multipliers and numbers)."
        ),
    ] = None,
    act_density: Annotated[
        list[float] | None,
        typer.Option(
            min=0.001, max=1, help="Activations that are not zero, repeatable (default: 1 and 0.4)."
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="Real weights, the smallest pruned first, on test images: a name in "
            "models/checkpoints or a file."
        ),
    ] = None,
    area: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Area of ARCH / area of the dense design: also find break-even at that ratio.",
        ),
    ] = None,
    tech: Annotated[
        str | None,
        typer.Option(
            help="Technology, as of hwsim area: also find break-even at equal total area, "
            "the weights' memory paid first, each design at its own clock."
        ),
    ] = None,
    images: Images = 1,
    seed: Seed = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Find the break-even pruning ratio of layers: as fast as dense, with equal multipliers.

    Prunes more and more of each layer, counts it on the index-decoding ARCH, and bisects the
    portion at which it takes no more cycles than the whole layer on the dense design. Without
    --checkpoint weights and activations are random. Writes results.json, results.csv and a picture,
    with ADMM-NN's curve.

    Example: hwsim breakeven csc_16x16 alexnet:conv4

    Example: hwsim breakeven csc_4x16 lenet5 --checkpoint lenet5_dense --images 16 --area 1.65
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, working
    from hwsim.cost.breakeven_picture import speedup_by_portion
    from hwsim.report.page import write_csv, write_json
    from hwsim.system.files import staged

    name, _, layer = network.partition(":")
    with working("counting") as status:
        result = api.breakeven(
            arch, name, checkpoint, layers=[layer] if layer else [], dense=dense,
            act_densities=act_density or _ACTS, area=area, technology=tech, images=images,
            seed=seed, progress=status.update,
        )  # fmt: skip
    folder = out or Path("build/breakeven") / f"{result.arch.name}-{network.replace(':', '-')}"
    with staged(folder) as inside:
        write_json(inside / "results.json", result.to_dict())
        write_csv(inside / "results.csv", result.to_rows())
        picture = speedup_by_portion(result.layers, inside)
    if json:
        emit_json(result.to_dict())
        return
    _show(result)
    console().print(f"wrote {folder / 'results.json'}, results.csv and {picture.name}")


def _show(result: BreakEvens) -> None:
    from hwsim.cli.output import console, table

    area = result.area
    columns = ["layer", "activations", "dense cycles"]
    columns += [f"{portion:.0%}" for portion in _SHOWN]
    columns += ["break-even", "ratio"] + ([] if area is None else [f"at {area:g}x area"])
    tech = result.technology
    columns += [] if tech is None else [f"at equal area in {Path(tech).stem}", "ratio"]
    body = [
        [
            row.layer,
            row.acts,
            row.dense_cycles,
            *(f"{point.speedup:.2f}" for point in row.points if point.pruned in _SHOWN),
            _portion(row, 1.0),
            f"{1 / (1 - row.portion):.2f}x" if row.portion is not None else "",
            *([] if area is None else [_portion(row, area)]),
            *([] if tech is None else _at_equal_area(row)),
        ]
        for row in result.layers
    ]
    console().print(table(f"{result.title}, and the portion at break-even", columns, body))


def _portion(row: BreakEven, needed: float) -> str:
    return _shown(row, row.pruned[needed])


def _at_equal_area(row: BreakEven) -> list[str]:
    at = row.pruned_at_equal_area
    return [_shown(row, at), "" if at is None else f"{1 / (1 - at):.2f}x"]


def _shown(row: BreakEven, at: float | None) -> str:
    if at is None:
        return f"above {row.points[-1].pruned:.0%}"
    return "at once" if at == 0 else f"{at:.1%}"
