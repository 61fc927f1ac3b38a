"""``hwsim breakeven``: how much of a layer must be pruned before decoding indices pays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Arch, Images, Json, Out

if TYPE_CHECKING:
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.cost.breakeven import BreakEven
    from hwsim.workload.layer import Layer

__all__ = ["breakeven"]

#: Densities of random activations where none is given.
_ACTS = (1.0, 0.4)
#: Portions of the sweep that the printed table shows; results.csv has all.
_SHOWN = (0.0, 0.3, 0.5, 0.7, 0.9)


def breakeven(
    arch: Arch,
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK[:LAYER]",
            help="Network, and one of its layers (default: all with weights).",
        ),
    ],
    dense: Annotated[
        str | None,
        typer.Option(
            help="Dense design to compare with (default: the weight-stationary one that ships with "
            "as many multipliers and the same words)."
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
            help="Area of ARCH / area of the dense design (gates: hwsim synth): where is it as "
            "fast at equal area?",
        ),
    ] = None,
    images: Images = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of random operands.")] = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Find the break-even pruning ratio of layers: as fast as dense, with as many multipliers.

    Prunes more and more of each layer, counts it on the index-decoding ARCH, and bisects where it
    takes no longer than the whole layer does on the dense design. Without --checkpoint weights and
    activations are random. Writes results.json, results.csv and a picture, with ADMM-NN's curve.

    Example: hwsim breakeven csc_16x16 alexnet:conv4

    Example: hwsim breakeven csc_4x16 lenet5 --checkpoint lenet5_dense --images 16 --area 1.65
    """
    from hwsim.cli.output import emit_json, log
    from hwsim.config import ArchConfig
    from hwsim.cost import breakeven as found
    from hwsim.cost.breakeven_picture import speedup_by_portion
    from hwsim.report.page import write_csv, write_json

    design = ArchConfig.read(arch)
    rival = found.dense_rival(design) if dense is None else ArchConfig.read(dense)
    where, layers = _layers(network)
    densities = act_density or [*_ACTS]
    kinds = _operands(design, where, layers, checkpoint, densities, images, seed)
    needed = (1.0,) if area is None else (1.0, area)
    with log().status("counting") as status:
        rows = []
        for acts, operands in kinds:
            for name, gemms in operands.items():
                status.update(f"counting {name}, {acts}")
                rows.append(found.measure(design, rival, gemms, acts, needed, seed=seed))
    folder = out or Path("build/breakeven") / f"{design.name}-{network.replace(':', '-')}"
    document = {"arch": design.name, "dense": rival.name, "images": images, "area": area}
    document["layers"] = [row.to_dict() for row in rows]
    write_json(folder / "results.json", document)
    write_csv(folder / "results.csv", [line for row in rows for line in _csv(row)])
    picture = speedup_by_portion(rows, folder)
    if json:
        emit_json(document)
        return
    _show(rows, area)
    from hwsim.cli.output import console

    console().print(f"wrote {folder / 'results.json'}, results.csv and {picture.name}")


def _layers(given: str) -> tuple[NetworkConfig, list[str]]:
    """Network and names of the layers that ``NETWORK[:LAYER]`` means."""
    from hwsim.config import NetworkConfig
    from hwsim.errors import InputError

    name, _, layer = given.partition(":")
    network = NetworkConfig.read(name)
    known = [shape.layer.name for shape in network.shapes() if shape.has_weights]
    if layer and layer not in known:
        rule = f"must be a layer with weights of {network.name}: {', '.join(known)}"
        raise InputError("command line", "NETWORK:LAYER", layer, rule)
    return network, [layer] if layer else known


def _operands(
    design: ArchConfig,
    network: NetworkConfig,
    layers: list[str],
    checkpoint: str | None,
    densities: list[float],
    images: int,
    seed: int,
) -> list[tuple[str, dict[str, Layer]]]:
    """Unpruned operands of the layers, for each kind of activations."""
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import find_checkpoint
    from hwsim.checkpoints.synthetic import label
    from hwsim.cost.breakeven import draw
    from hwsim.inference.operands import checkpoint_operands

    if checkpoint is not None:
        operands = checkpoint_operands(network, checkpoint, images, seed=seed)
        acts = f"those of {label(checkpoint, Checkpoint.read(find_checkpoint(checkpoint)))}"
        return [(acts, {name: operands[name] for name in layers})]
    shapes = {shape.layer.name: shape for shape in network.shapes()}
    return [
        (
            f"synthetic weights, {density:.0%} of activations non-zero",
            {name: draw(shapes[name], design.numbers, images, density, seed) for name in layers},
        )
        for density in densities
    ]


def _csv(row: BreakEven) -> list[dict[str, object]]:
    return [
        {
            "layer": row.layer,
            "activations": row.acts,
            "pruned": point.pruned,
            "cycles": point.cycles,
            "dense_cycles": row.dense_cycles,
            "speedup": point.speedup,
        }
        for point in row.points
    ]


def _show(rows: list[BreakEven], area: float | None) -> None:
    from hwsim.cli.output import console, table

    first = rows[0]
    columns = ["layer", "activations", "dense cycles"]
    columns += [f"{portion:.0%}" for portion in _SHOWN]
    columns += ["break-even", "ratio"] + ([] if area is None else [f"at {area:g}x area"])
    body = [
        [
            row.layer,
            row.acts,
            row.dense_cycles,
            *(f"{point.speedup:.2f}" for point in row.points if point.pruned in _SHOWN),
            _portion(row, 1.0),
            f"{1 / (1 - row.portion):.2f}x" if row.portion is not None else "",
            *([] if area is None else [_portion(row, area)]),
        ]
        for row in rows
    ]
    title = f"{first.arch} against {first.dense}: speedup by pruned portion, and where it is 1"
    console().print(table(title, columns, body))


def _portion(row: BreakEven, needed: float) -> str:
    at = row.pruned[needed]
    if at is None:
        return f"above {row.points[-1].pruned:.0%}"
    return "at once" if at == 0 else f"{at:.1%}"
