"""What a study leaves behind: report, pictures, results.csv and results.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwsim.engine import LayerResult, NetworkResult
from hwsim.plots import study as plots
from hwsim.report import Report, write_csv, write_json
from hwsim.study.compare import Comparison, Variant
from hwsim.study.published import Check

__all__ = [
    "cycles_table",
    "published_table",
    "storage_table",
    "write_comparison",
    "write_published",
]

KINDS = ("values", "indices", "pointers", "padding")


Table = tuple[list[str], list[list[object]]]


def cycles_table(done: Comparison) -> Table:
    """Columns and rows of the summary of time: one row a variant."""
    columns = [
        "variant", "accuracy %", "weights", "cycles", "loading", "speedup", "utilization",
        "us/image",
    ]  # fmt: skip
    return columns, [
        [
            v.name, f"{v.accuracy:.2f}", v.nonzeros, v.result.cycles, v.load_cycles,
            f"{done.speedup(v):.2f}x", v.result.utilization,
            v.result.microseconds / done.config.images,
        ]
        for v in done.variants
    ]  # fmt: skip


def storage_table(done: Comparison) -> Table:
    """Columns and rows of the summary of storage in KB: one row a variant."""
    columns = ["variant", *(f"{kind} KB" for kind in KINDS), "total KB", "smaller"]
    baseline = done.baseline.result.bits.total
    rows: list[list[object]] = []
    for v in done.variants:
        bits = v.result.bits.to_dict()
        rows.append(
            [
                v.name, *(bits[kind] / 8000 for kind in (*KINDS, "total")),
                f"{baseline / max(1, bits['total']):.2f}x",
            ]
        )  # fmt: skip
    return columns, rows


def published_table(check: Check) -> Table:
    """Columns and rows of the published check: one row a layer."""
    columns = [
        "layer", "theoretical us", "published", "difference", "actual us", "published",
        "difference", "entries", "of them padding", "efficiency",
    ]  # fmt: skip
    depth = getattr(check.arch.array, "fifo_depth", 0)
    rows: list[list[object]] = [
        [
            c.layer.name, c.theoretical_us, c.layer.theoretical_us, f"{c.differences[0]:+.1%}",
            c.actual_us, c.layer.actual_us, f"{c.differences[1]:+.1%}",
            c.entries, c.padding, c.efficiency.get(depth, float("nan")),
        ]
        for c in check.layers
    ]  # fmt: skip
    return columns, rows


def write_comparison(
    done: Comparison, title: str, command: str, proofs: list[dict[str, Any]], folder: Path
) -> Path:
    """Write everything a comparison leaves; return the path of the HTML report.

    Parameters
    ----------
    command
        The command that reproduces the report.
    proofs
        One record for each RTL run: :func:`hwsim.study.prove.run`.
    """
    document = done.to_dict() | {"title": title, "command": command, "rtl": proofs}
    write_json(folder / "results.json", document)
    write_csv(folder / "results.csv", _csv_rows(done))
    report = Report(title)
    report.text(f"**{done.answer()}**")
    report.text(
        f"Reproduce with `{command}`. Accuracy is that of integer inference on the 10,000 test "
        f"images, as the checkpoint records it; cycles are for {done.config.images} real test "
        "images in one batch; every design has "
        f"{done.baseline.arch.array.multipliers} multipliers. *Loading* is what filling resident "
        "weight memories costs; a systolic array streams its weights in every fold instead, "
        "which its cycles contain. KB = 1000 bytes."
    )
    report.table(*cycles_table(done))
    report.table(*storage_table(done))
    report.picture(plots.cycles_by_cause(done, folder), "Cycles by cause")
    report.picture(plots.bits_by_kind(done, folder), "Stored bits by kind")
    report.picture(plots.speedup_by_layer(done, folder), "Speedup over the baseline, by layer")
    report.heading("Proof in RTL")
    _proof(report, proofs)
    for variant in done.variants:
        report.heading(variant.name)
        report.text(
            f"`{variant.arch.name}` ({variant.arch.description}), checkpoint "
            f"`{variant.config.checkpoint}`: {variant.accuracy_shipped:.1f} % on the 1,000 images "
            "that ship."
        )
        for group in variant.result.counts.causes:
            report.table(*_causes_table(variant, group))
    return report.write(folder)[1]


def write_published(check: Check, title: str, command: str, folder: Path) -> Path:
    """Write everything a published check leaves; return the path of the HTML report."""
    document = check.to_dict() | {"title": title, "command": command}
    write_json(folder / "results.json", document)
    columns, rows = published_table(check)
    write_csv(
        folder / "results.csv",
        [{k: v for k, v in layer.to_dict().items() if k != "efficiency"} for layer in check.layers],
    )
    report = Report(title)
    report.text(f"**{check.answer()}**")
    report.text(
        f"Reproduce with `{command}`. Published: {check.config.source}. Random weights and "
        "activations at the stated densities. *Theoretical*: entries touched, padding zeros "
        "included, spread evenly over the PEs. *Actual*: simulated with resident weights."
    )
    report.table(columns, rows)
    report.picture(plots.efficiency_by_depth(check, folder), "Load-balance efficiency")
    return report.write(folder)[1]


def _proof(report: Report, proofs: list[dict[str, Any]]) -> None:
    if not proofs:
        report.text("No layer was run in RTL (`--no-rtl`): nothing here is proved.")
        return
    equal = sum(1 for proof in proofs if proof["equal"])
    report.text(
        f"{equal} of {len(proofs)} runs of real layers on the generated Verilog gave the "
        "simulator's outputs and cycles by cause, compared with `==`."
    )
    columns = ["variant", "layer", "M", "K", "N", "cycles simulated", "cycles RTL", "equal"]
    keys = ["variant", "case", "M", "K", "N", "cycles_simulator", "cycles_rtl", "equal"]
    report.table(columns, [[proof[key] for key in keys] for proof in proofs])


def _causes_table(variant: Variant, group: str) -> Table:
    totals = variant.result.counts.causes[group]
    causes = [cause for cause, clocks in totals.items() if clocks]
    columns = ["layer", "M", "K", "N", "MACs", "useful", "cycles", "utilization"]
    columns += [f"{group}: {cause}" for cause in causes]

    def row(name: str, shape: list[object], item: LayerResult | NetworkResult) -> list[object]:
        clocks = item.counts.causes.get(group, {})
        return [
            name, *shape, item.macs, item.useful_macs, item.cycles, item.utilization,
            *(clocks.get(cause, 0) for cause in causes),
        ]  # fmt: skip

    rows = [row(layer.name, list(layer.shape), layer) for layer in variant.result.layers]
    return columns, [*rows, row("total", ["", "", ""], variant.result)]


def _csv_rows(done: Comparison) -> list[dict[str, Any]]:
    rows = []
    for v in done.variants:
        baseline = {layer.name: layer.cycles for layer in done.baseline.result.layers}
        baseline["total"] = done.baseline.result.cycles
        items: list[tuple[str, LayerResult | NetworkResult]] = [
            (layer.name, layer) for layer in v.result.layers
        ]
        for name, item in [*items, ("total", v.result)]:
            row = {
                "variant": v.name,
                "kind": v.kind,
                "arch": v.arch.name,
                "checkpoint": v.config.checkpoint,
                "accuracy": v.accuracy,
                "layer": name,
                "macs": item.macs,
                "useful_macs": item.useful_macs,
                "cycles": item.cycles,
                "speedup": baseline[name] / max(1, item.cycles),
                "utilization": item.utilization,
            }
            row |= {f"bits_{kind}": n for kind, n in item.bits.to_dict().items()}
            for group, clocks in item.counts.causes.items():
                row |= {f"{group}_{cause}": n for cause, n in clocks.items()}
            rows.append(row)
    return rows
