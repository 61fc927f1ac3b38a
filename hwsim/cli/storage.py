"""``hwsim storage``: bits of a network's weights in every format; published sizes rebuilt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Json, Out, Outside, Seed

if TYPE_CHECKING:
    from hwsim.cost.published_sizes import PublishedSizes
    from hwsim.cost.storage import Storage

__all__ = ["storage"]


def storage(
    weights: Annotated[
        str,
        typer.Argument(
            help="Checkpoint (a name in models/checkpoints or a file), .onnx file, network "
            "(synthetic: a name, a YAML or .csv file), or table of published sizes (in "
            "configs/storage)."
        ),
    ],
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help="Designs whose formats are measured; repeat for more (default: all that ship "
            "with 64 multipliers)."
        ),
    ] = None,
    seed: Seed = 0,
    outside: Outside = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure stored bits in every format, by kind: values, indices, pointers, padding.

    Lists the designs that the weights fit, and the reason where they do not. Synthetic weights have
    the network's densities and meet no constraint. With a table of published sizes the command
    rebuilds each row, and exits 1 when one is missed. Writes results.json, results.csv and a
    picture.

    Example: hwsim storage lenet5_nonstructured_12x; hwsim storage configs/storage/admm_nn.yaml
    """
    from hwsim.api.storage import is_published

    if is_published(weights):
        _published(weights, out, json)
    else:
        _measure(weights, arch, seed, outside, out, json)


def _measure(
    weights: str,
    arch: list[str] | None,
    seed: int,
    outside: str | None,
    out: Path | None,
    json: bool,
) -> None:
    from hwsim import api
    from hwsim.cli.output import console, emit_json, working
    from hwsim.cost.storage_picture import bits_by_format
    from hwsim.report.page import write_csv, write_json
    from hwsim.system.files import staged

    with working("measuring") as status:
        result = api.storage(
            weights, arch or None, seed=seed, outside=outside,
            progress=lambda layer: status.update(f"measuring {layer}"),
        )  # fmt: skip
        folder = out or Path("build/storage") / result.name
        with staged(folder) as inside:
            write_json(inside / "results.json", result.to_dict())
            write_csv(inside / "results.csv", result.to_rows())
            picture = bits_by_format(result, inside)
    if json:
        emit_json(result.to_dict())
        return
    _show(result)
    console().print(f"wrote {folder}/results.json, results.csv and {picture.name}")


def _show(result: Storage) -> None:
    from hwsim.cli.output import console, show_outside, table
    from hwsim.cost.storage import KINDS

    plain = result.plain
    rows: list[list[object]] = [["plain", "", *_kinds(plain.to_dict()), plain.total / 8000, 1.0]]
    rows += [
        [
            size.name,
            size.family or "",
            *_kinds(size.total.to_dict()),
            size.total.total / 8000,
            plain.total / max(1, size.total.total),
        ]
        for size in result.fitting
    ]
    show_outside(result.outside)
    columns = ["format", "family", *KINDS, "total", "KB", "smaller"]
    title = (
        f"{result.title}: bits in total; KB of 1000 bytes; factor below plain, which stores zeros"
    )
    console().print(table(title, columns, rows))

    by_layer: list[list[object]] = []
    for index, (name, weights, nonzeros, width) in enumerate(result.layers):
        sizes = [size.layers[index] for size in result.representatives]
        shown = [
            f"{layer.bits.total / 8000:.3f}" + (f" ({layer.searched} b)" if layer.searched else "")
            for layer in sizes
        ]
        by_layer.append([name, weights, nonzeros, weights * width / 8000, *shown])
    names = [size.family or size.name for size in result.representatives]
    columns = ["layer", "weights", "non-zero", "plain", *names]
    title = f"{result.title}: KB by layer, smallest design of each family (index width, searched)"
    console().print(table(title, columns, by_layer))

    fits = [
        [size.name, size.family, size.fits, size.explicit_zeros, size.violation]
        for size in result.formats
        if size.family
    ]
    if fits:
        console().print(
            table(
                f"{result.title}: designs",
                ["design", "family", "fits", "explicit zeros", "first violation"],
                fits,
            )
        )
        holds = [family for family, fit in result.families.items() if fit]
        console().print(f"fits families: {', '.join(holds) or 'none'}")
    if any(size.kept < size.columns for size in result.gathers):
        gathers = [
            [g.layer, g.rows, g.columns, g.kept, g.ideal, g.folds, g.channel_folds]
            for g in result.gathers
        ]
        columns = ["layer", "rows", "K", "kept", "ideal folds", "banks of K", "banks of channels"]
        title = f"{result.title}: dense, weight-stationary, K folds with one bank per row"
        console().print(table(title, columns, gathers))


def _kinds(bits: dict[str, int]) -> list[int]:
    from hwsim.cost.storage import KINDS

    return [bits[kind] for kind in (*KINDS, "total")]


def _published(name: str, out: Path | None, json: bool) -> None:
    from hwsim import api
    from hwsim.cli.output import console, emit_json, working
    from hwsim.cost.storage_picture import published_sizes
    from hwsim.report.page import write_csv, write_json
    from hwsim.system.files import staged

    with working("drawing masks") as status:
        result = api.published_sizes(name, progress=lambda row: status.update(f"measuring {row}"))
        folder = out or Path("build/storage") / result.config.name
        with staged(folder) as inside:
            write_json(inside / "results.json", result.to_dict())
            write_csv(inside / "results.csv", result.to_rows())
            picture = published_sizes(result, inside)
    if json:
        emit_json(result.to_dict())
    else:
        _show_published(result)
        console().print(f"wrote {folder}/results.json, results.csv and {picture.name}")
    if not result.passed:
        raise typer.Exit(1)


def _show_published(result: PublishedSizes) -> None:
    from hwsim.cli.output import console, table

    columns = [
        "KB of 1000 bytes", "kept", "data", "published (we)", "with indices", "published (we)",
        "with padding", "best widths", "entropy",
    ]  # fmt: skip
    rows = [
        [
            row.row.name,
            row.kept,
            f"{row.data_kb:,.2f}",
            f"{row.row.published.data_kb:,.2f} ({row.differences[0]:+.1%})",
            f"{row.indexed_kb:,.2f}",
            f"{row.row.published.indexed_kb:,.2f} ({row.differences[1]:+.1%})",
            f"{row.padded_kb:,.2f}",
            f"{row.best_kb:,.2f}",
            f"{row.bound_kb:,.2f}",
        ]
        for row in result.rows
    ]
    console().print(table(result.title, columns, rows))
    for row in result.rows:
        console().print(f"{row.row.name}: {row.explanation()}")
    console().print(result.answer(), style="bold")
