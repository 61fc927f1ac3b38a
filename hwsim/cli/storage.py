"""``hwsim storage``: bits per format of a network's weights; published sizes rebuilt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Json, Out

if TYPE_CHECKING:
    from hwsim.cost.published_sizes import Table
    from hwsim.cost.storage import Storage

__all__ = ["storage"]


def storage(
    weights: Annotated[
        str,
        typer.Argument(
            help="Checkpoint (a name in models/checkpoints or a file), network (synthetic), or "
            "table of published sizes (in configs/storage)."
        ),
    ],
    arch: Annotated[
        list[str] | None,
        typer.Option(
            help="Designs whose formats are measured; repeat for more (default: all that ship "
            "with 64 multipliers)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of synthetic weights.")] = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure stored bits in every format, by kind: values, indices, pointers, padding.

    Says which designs the weights fit, and why not. Synthetic weights have the network's densities
    and are pruned onto no constraint. Of a table of published sizes it rebuilds each row, and exits
    1 when one is missed. Writes results.json, results.csv and a picture.

    Example: hwsim storage lenet5_nonstructured_12x; hwsim storage configs/storage/admm_nn.yaml
    """
    from hwsim.config.catalog import CONFIGS

    path = Path(weights)
    is_table = (
        path.suffix in {".yaml", ".yml"} and path.is_file() and b"\nrows:" in path.read_bytes()
    )
    if is_table or (CONFIGS / "storage" / f"{weights}.yaml").is_file():
        _published(weights, out, json)
    else:
        _measure(weights, arch or [], seed, out, json)


def _measure(weights: str, arch: list[str], seed: int, out: Path | None, json: bool) -> None:
    from hwsim.cli.output import console, emit_json, log
    from hwsim.config import ArchConfig
    from hwsim.cost.storage import designs_of, run
    from hwsim.cost.storage_picture import bits_by_format
    from hwsim.report.page import write_csv, write_json

    designs = [ArchConfig.read(name) for name in arch] or designs_of(64)
    with log().status("measuring") as status:
        found = run(weights, designs, seed, lambda name: status.update(f"measuring {name}"))
        folder = out or Path("build/storage") / found.name
        path = write_json(folder / "results.json", found.to_dict())
        write_csv(folder / "results.csv", found.rows())
        picture = bits_by_format(found, folder)
    if json:
        emit_json(found.to_dict())
        return
    _show(found)
    console().print(f"wrote {path}, results.csv and {picture.name}")


def _show(found: Storage) -> None:
    from hwsim.cli.output import console, table
    from hwsim.cost.storage import KINDS

    plain = found.plain
    rows: list[list[object]] = [["plain", "", *_kinds(plain.to_dict()), plain.total / 8000, 1.0]]
    rows += [
        [
            size.name,
            size.family or "",
            *_kinds(size.total.to_dict()),
            size.total.total / 8000,
            plain.total / max(1, size.total.total),
        ]
        for size in found.fitting
    ]
    columns = ["format", "family", *KINDS, "total", "KB", "smaller"]
    title = (
        f"{found.title}: bits in all; KB of 1000 bytes; times smaller than plain: dense, zeros too"
    )
    console().print(table(title, columns, rows))

    by_layer: list[list[object]] = []
    for place, (name, weights, nonzeros, width) in enumerate(found.layers):
        sizes = [size.layers[place] for size in found.representatives]
        shown = [
            f"{layer.bits.total / 8000:.3f}" + (f" ({layer.searched} b)" if layer.searched else "")
            for layer in sizes
        ]
        by_layer.append([name, weights, nonzeros, weights * width / 8000, *shown])
    names = [size.family or size.name for size in found.representatives]
    columns = ["layer", "weights", "non-zero", "plain", *names]
    title = f"{found.title}: KB by layer, smallest design of a family (index width, searched)"
    console().print(table(title, columns, by_layer))

    fits = [
        [size.name, size.family, size.fits, size.explicit_zeros, size.violation]
        for size in found.formats
        if size.family
    ]
    if fits:
        console().print(
            table(
                f"{found.title}: designs",
                ["design", "family", "fits", "explicit zeros", "first violation"],
                fits,
            )
        )
        holds = [family for family, fit in found.families.items() if fit]
        console().print(f"fits families: {', '.join(holds) or 'none'}")
    if any(size.kept < size.columns for size in found.gathers):
        gathers = [
            [g.layer, g.rows, g.columns, g.kept, g.ideal, g.folds, g.channel_folds]
            for g in found.gathers
        ]
        columns = ["layer", "rows", "K", "kept", "ideal folds", "banks of K", "banks of channels"]
        title = f"{found.title}: dense, weight-stationary, K folds when each row has its own bank"
        console().print(table(title, columns, gathers))


def _kinds(bits: dict[str, int]) -> list[int]:
    from hwsim.cost.storage import KINDS

    return [bits[kind] for kind in (*KINDS, "total")]


def _published(name: str, out: Path | None, json: bool) -> None:
    from hwsim.cli.output import console, emit_json, log
    from hwsim.config.jobs.storage import StorageConfig
    from hwsim.cost.published_sizes import run
    from hwsim.cost.storage_picture import published_sizes
    from hwsim.report.page import write_csv, write_json

    config = StorageConfig.read(name)
    with log().status("drawing masks") as status:
        found = run(config, lambda row: status.update(f"measuring {row}"))
        folder = out or Path("build/storage") / config.name
        path = write_json(folder / "results.json", found.to_dict())
        write_csv(folder / "results.csv", [layer for row in found.rows for layer in row.csv()])
        picture = published_sizes(found, folder)
    if json:
        emit_json(found.to_dict())
    else:
        _show_published(found)
        console().print(f"wrote {path}, results.csv and {picture.name}")
    if not found.passed:
        raise typer.Exit(1)


def _show_published(found: Table) -> None:
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
        for row in found.rows
    ]
    console().print(table(f"{found.config.title} (seed {found.config.seed})", columns, rows))
    for row in found.rows:
        console().print(f"{row.row.name}: {row.explanation()}")
    console().print(f"[bold]{found.answer()}[/bold]")
