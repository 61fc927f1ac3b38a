"""Files of a comparison: report, pictures, results.csv and results.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwsim.engine.results import LayerResult, NetworkResult
from hwsim.report.page import Report, write_csv, write_json
from hwsim.studies import curves, map_section, outside, pictures, verdict
from hwsim.studies.budgets import Candidates
from hwsim.studies.comparison import Comparison, Variant
from hwsim.studies.effects import Effects
from hwsim.studies.effects_report import write_effects
from hwsim.studies.plots import ComparisonPlots
from hwsim.studies.verdict import BOUNDS, Verdict
from hwsim.studies.verdict_map import Cell, cells
from hwsim.system.files import staged

__all__ = [
    "accuracy_table",
    "cycles_table",
    "layer_rows",
    "silicon_table",
    "storage_table",
    "to_dict",
    "verdict_table",
    "write_comparison",
]

Table = tuple[list[str], list[list[object]]]


def cycles_table(comparison: Comparison, variants: list[Variant]) -> Table:
    """Columns and rows on accuracy and time: one row per variant."""
    columns = [
        "checkpoint", "design", "bits", "held out %", "test %", "weights left", "factor",
        "cycles", "loading", "speedup", "utilization",
    ]  # fmt: skip
    rows: list[list[object]] = [
        [
            v.model.name, v.arch.name, v.model.weight_width,
            None if v.model.accuracy_heldout is None else f"{v.model.accuracy_heldout:.2f}",
            f"{v.model.accuracy:.2f}", v.model.nonzeros, f"{v.model.factor:.1f}x",
            v.result.cycles, v.load_cycles, f"{comparison.speedup(v):.2f}x", v.result.utilization,
        ]
        for v in variants
    ]  # fmt: skip
    return columns, rows


def accuracy_table(comparison: Comparison) -> Table:
    """Columns and rows on accuracy: each model against the baseline, by both rules."""
    columns = [
        "checkpoint", "bits", "factor", "held out %", "points below", "lost", "gained", "p",
        "by the test", "images to spare", "by the bound",
    ]  # fmt: skip
    level = comparison.config.accuracy_level
    rows: list[list[object]] = []
    for model in comparison.models:
        paired = comparison.paired(model)
        tested: list[object] = [None] * 3
        if paired is not None:
            tested = [paired.lost, paired.gained, f"{paired.p:.4f}"]
        rows.append(
            [
                model.name, model.weight_width, f"{model.factor:.1f}x",
                f"{comparison.decides(model):.2f}", f"{comparison.points_below(model):.2f}",
                *tested,
                *((None, None) if paired is None or level is None else
                  (paired.p > level, paired.margin(level))),
                comparison.is_within(model),
            ]
        )  # fmt: skip
    return columns, rows


def storage_table(comparison: Comparison, variants: list[Variant]) -> Table:
    """Columns and rows on storage in KB: one row per variant."""
    kinds = ("values", "indices", "pointers", "padding")
    columns = ["checkpoint", "design", *kinds, "total", "smaller", "own bits", "as"]
    baseline = comparison.baseline
    rows: list[list[object]] = []
    for v in variants:
        bits = v.result.bits.to_dict()
        rows.append(
            [
                v.model.name, v.arch.name, *(f"{bits[kind] / 8000:.2f}" for kind in kinds),
                f"{bits['total'] / 8000:.2f}",
                f"{baseline.result.bits.total / max(1, bits['total']):.2f}x",
                f"{v.model.own[1].total / 8000:.2f}", v.model.own[0],
            ]
        )  # fmt: skip
    return columns, rows


def silicon_table(comparison: Comparison, variants: list[Variant]) -> Table:
    """Columns and rows on time, area and energy per image: one row per variant."""
    columns = [
        "checkpoint", "design", "MHz", "us", "mm2", "memories", "us mm2", "uJ", "in the array",
        "time x area", "energy",
    ]  # fmt: skip
    images, base = comparison.config.images, comparison.baseline.silicon
    rows: list[list[object]] = []
    for v in variants:
        cost = v.silicon
        if cost is None or base is None:
            continue
        rows.append(
            [
                v.model.name, v.arch.name, f"{cost.mhz:.0f}", f"{cost.microseconds / images:.1f}",
                f"{cost.mm2:.3f}", f"{cost.area.memory / 1e6:.3f}",
                f"{cost.time_area / images:.1f}", f"{cost.microjoules / images:.3f}",
                f"{cost.energy.array / 1e6 / images:.3f}",
                f"{cost.time_area / base.time_area:.3f}",
                f"{cost.microjoules / base.microjoules:.3f}",
            ]
        )  # fmt: skip
    return columns, rows


def verdict_table(rulings: list[Verdict]) -> Table:
    """Columns and rows of the verdicts: one row per measure and width."""
    columns = ["measure", "weights", "non-structured", "systolic", "ahead", "thesis"]
    rows: list[list[object]] = [
        [v.measure, v.at, *v.shown(), verdict.times(v.factor), v.thesis] for v in rulings
    ]
    return columns, rows


def write_comparison(
    comparison: Comparison,
    title: str,
    command: str,
    proofs: list[dict[str, Any]],
    folder: Path,
    found: Sequence[Candidates] = (),
    effects: Effects | None = None,
) -> Path:
    """Write all files of a comparison, or none; return the path of the page.

    Parameters
    ----------
    command
        The command that reproduces the report.
    proofs
        One record for each RTL run: :func:`hwsim.studies.prove.run`.
    found
        What both sides may choose from under equal budgets, where the study has some.
    effects
        The effects that the comparison mixes, where they could be separated.
    """
    judged = cells(found)
    with staged(folder) as inside:
        document = to_dict(comparison, judged, effects)
        document |= {"title": title, "command": command, "rtl": proofs}
        write_json(inside / "results.json", document)
        write_csv(inside / "results.csv", layer_rows(comparison))
        if judged:
            map_section.write_files(judged, inside)
        report = _report(comparison, title, command, proofs, inside, found, judged, effects)
        page = report.write(inside)[1]
    return folder / page.name


def to_dict(
    comparison: Comparison, judged: Sequence[Cell] = (), effects: Effects | None = None
) -> dict[str, Any]:
    """Plain data for ``results.json``: variants and verdicts, those of each budget too, effects."""
    return {
        **({} if effects is None else {"effects": effects.to_dict()}),
        **({"map": [cell.to_dict() for cell in judged]} if judged else {}),
        "answer": verdict.answer(comparison),
        "supports": verdict.supports(comparison),
        "limits": verdict.limits(comparison),
        "verdicts": [each.to_dict() for each in verdict.verdicts(comparison)],
        **outside.document(comparison.network),
        **comparison.to_dict(),
    }


def _report(
    comparison: Comparison,
    title: str,
    command: str,
    proofs: list[dict[str, Any]],
    folder: Path,
    found: Sequence[Candidates],
    judged: Sequence[Cell],
    effects: Effects | None,
) -> Report:
    report = Report(title)
    if judged:
        map_section.write_verdict(report, found, judged, folder)
    report.text(f"**{verdict.answer(comparison)}**")
    rulings = verdict.verdicts(comparison)
    if rulings:
        report.table(*verdict.winners(rulings))
        _spread(report, comparison)
    report.text(f"Reproduce with `{command}`.")
    if effects is not None:
        write_effects(report, comparison, effects, found)
    _chosen(report, comparison, judged)
    _curves(report, comparison, folder)
    outside.write(report, comparison.network, folder)
    report.heading("Proof in RTL")
    _proof(report, proofs)
    if judged:
        map_section.write_every(report, found, judged)
    report.heading("Every point")
    report.table(*cycles_table(comparison, comparison.variants))
    report.table(*storage_table(comparison, comparison.variants))
    if comparison.config.technology is not None:
        report.table(*silicon_table(comparison, comparison.variants))
    for variant in comparison.best:
        report.heading(variant.name)
        report.text(f"`{variant.arch.name}`: {variant.arch.description}.")
        for group in variant.result.counts.causes:
            report.table(*_causes_table(variant, group))
    return report


def _spread(report: Report, comparison: Comparison) -> None:
    """Range of the factors above, where models have several seeds."""
    columns, rows = verdict.spread(comparison)
    if rows:
        report.text(
            "Factors are medians over pairs of seeds, one for each side; a star: seeds disagree on "
            "who is ahead. With each seed a side takes its best of the models that are equal to "
            "the dense network of that seed, the first seed's standing in for a model that has no "
            "other; a pair in which a side has none is left out. Costs, models and tables of "
            "designs are those of the first seed."
        )
        report.table(columns, rows)


def _chosen(report: Report, comparison: Comparison, judged: Sequence[Cell]) -> None:
    """Designs and models chosen: for each budget, and at equal multipliers."""
    if judged:
        map_section.write_chosen(report, judged)
    report.heading("At equal accuracy")
    report.text(
        "The tables show, for each kind of sparsity and width of weights, the smallest model of "
        f"equal accuracy, by stored bits, on each of its designs. {_terms(comparison)}"
    )
    if any(comparison.paired(model) for model in comparison.models):
        report.text(_paired_terms(comparison))
        report.table(*accuracy_table(comparison))
        report.text("On their designs:")
    report.table(*cycles_table(comparison, comparison.short))
    report.table(*storage_table(comparison, comparison.short))
    if comparison.config.technology is not None:
        report.table(*silicon_table(comparison, comparison.short))
    report.heading("What the numbers support")
    if comparison.reruns:
        report.text("With the first seed:")
    report.text("\n".join(f"- {line}" for line in verdict.supports(comparison)))
    report.heading("What they do not")
    if comparison.reruns:
        report.text("With the first seed:")
    report.text("\n".join(f"- {line}" for line in verdict.limits(comparison)))
    report.text(
        "Who is ahead with the first seed at bounds on accuracy, in points below the baseline:"
    )
    report.table(*_bounds_table(comparison))


def _curves(report: Report, comparison: Comparison, folder: Path) -> None:
    report.heading("Accuracy against cost")
    report.text(
        "A line joins the points of a family that no other point of it beats, labelled by how many "
        "times fewer weights are left. The dotted line is for non-structured weights in the "
        "smallest format that there is."
    )
    drawn = ComparisonPlots(comparison)
    report.plot(
        drawn.accuracy_by_bits(), curves.accuracy_by_bits(comparison, folder),
        "Accuracy against stored bits",
    )  # fmt: skip
    report.plot(
        drawn.accuracy_by_cycles(), curves.accuracy_by_cycles(comparison, folder),
        "Accuracy against cycles",
    )  # fmt: skip
    report.heading("Where cycles and bits go")
    report.text("Of the chosen models the variant of fewest cycles in each family.")
    report.plot(
        drawn.cycles_by_cause(), pictures.cycles_by_cause(comparison, folder), "Cycles by cause"
    )
    report.plot(
        drawn.bits_by_kind(), pictures.bits_by_kind(comparison, folder), "Stored bits by kind"
    )
    report.plot(
        drawn.speedup_by_layer(), pictures.speedup_by_layer(comparison, folder),
        "Speedup over the baseline, by layer",
    )  # fmt: skip


def _terms(comparison: Comparison) -> str:
    """Explain the columns."""
    decided = (
        "models are chosen by their accuracy on training images that were held out"
        if comparison.is_held_out
        else "models are chosen by their accuracy on the test images, for want of another"
    )
    return (
        "Accuracies are those of integer inference, as the checkpoints record them: "
        f"*equal* are {comparison.rule}; {decided}. Cycles are for "
        f"{comparison.batch} in one batch; every "
        f"design has {comparison.baseline.arch.array.multipliers} multipliers. *Loading* is what "
        "filling resident "
        "weight memories costs; a systolic array streams its weights in every fold instead, which "
        "its cycles contain. *Factor* is all weights over those left. Bits are those of the format "
        "that the design consumes, in KB of 1000 bytes; beside them (*own bits*) those of the "
        "smallest format with each layer in its own bits, which an array need not consume: dense "
        "but for empty rows and columns, or with indices." + _silicon_terms(comparison)
    )


def _silicon_terms(comparison: Comparison) -> str:
    """Explain the columns on silicon."""
    if comparison.config.technology is None:
        return ""
    return (
        f" Time, area and energy are per image in {comparison.config.technology}, each design at "
        "its own clock (typical corner), its memories sized for the model; *us mm2* is time times "
        "area. "
        "*uJ* has the array's energy, that of a buffer of 64 KiB through which its streams pass, "
        "and of fetching weights, input and output from LPDDR4 once per batch; the last columns "
        "are relative to the baseline."
    )


def _paired_terms(comparison: Comparison) -> str:
    """Explain the columns of the paired test, and say where it and the bound disagree."""
    level, bound = comparison.config.accuracy_level, comparison.config.accuracy_bound
    decides = "the bound decides" if level is None else f"equal is a p above {level:g}"
    apart = [m.name for m in comparison.models if comparison.is_equal(m) != comparison.is_within(m)]
    differ = f"It and the bound disagree on {', '.join(apart)}." if apart else ""
    return (
        "*Lost* and *gained* are images held out that only the model, and only the baseline of its "
        "seed, gets wrong; *p* is the chance of losing so many or more of them if both are equally "
        f"good (McNemar's test, exact and one-sided); {decides}. *To spare*: images more that it "
        "may lose and be equal; below 0, that it may not have lost. *By the bound*: at most "
        f"{bound:g} "
        f"points below. {differ}"
    ).strip()


def _bounds_table(comparison: Comparison) -> Table:
    """Who is ahead, and by how much, at other bounds."""
    bounds = sorted({*BOUNDS, comparison.config.accuracy_bound})
    by_bound = {bound: verdict.verdicts(comparison, bound) for bound in bounds}
    keys = dict.fromkeys(
        (v.measure, v.weight_width, v.at) for rulings in by_bound.values() for v in rulings
    )
    rows: list[list[object]] = []
    for measure, width, at in keys:
        row: list[object] = [f"{measure}, {at}"]
        for bound in bounds:
            same = [v for v in by_bound[bound] if (v.measure, v.weight_width) == (measure, width)]
            row.append(verdict.times(same[0].factor) if same else None)
        rows.append(row)
    return ["measure, weights", *(f"{bound:g}" for bound in bounds)], rows


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
    causes = [cause for cause, cycles in totals.items() if cycles]
    columns = ["layer", "M", "K", "N", "MACs", "useful", "cycles", "utilization"]
    columns += [f"{group}: {cause}" for cause in causes]

    def row(name: str, shape: list[object], item: LayerResult | NetworkResult) -> list[object]:
        cycles = item.counts.causes.get(group, {})
        return [
            name, *shape, item.macs, item.useful_macs, item.cycles, item.utilization,
            *(cycles.get(cause, 0) for cause in causes),
        ]  # fmt: skip

    rows = [row(layer.name, list(layer.shape), layer) for layer in variant.result.layers]
    return columns, [*rows, row("total", ["", "", ""], variant.result)]


def layer_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Rows of ``results.csv``: one per variant and layer, then its total."""
    rows = []
    baseline = {layer.name: layer.cycles for layer in comparison.baseline.result.layers}
    baseline["total"] = comparison.baseline.result.cycles
    for v in comparison.variants:
        items: list[tuple[str, LayerResult | NetworkResult]] = [
            (layer.name, layer) for layer in v.result.layers
        ]
        for name, item in [*items, ("total", v.result)]:
            row = {
                "checkpoint": v.model.name,
                "arch": v.arch.name,
                "kind": v.model.kind,
                "weight_width": v.model.weight_width,
                "accuracy": v.model.accuracy,
                "accuracy_heldout": v.model.accuracy_heldout,
                "equal_accuracy": comparison.is_equal(v.model),
                "layer": name,
                "macs": item.macs,
                "useful_macs": item.useful_macs,
                "cycles": item.cycles,
                "speedup": baseline[name] / max(1, item.cycles),
                "utilization": item.utilization,
            }
            if v.silicon is not None and name == "total":
                row |= {key: n for key, n in v.silicon.to_dict().items() if isinstance(n, float)}
            row |= {f"bits_{kind}": n for kind, n in item.bits.to_dict().items()}
            for group, causes in item.counts.causes.items():
                row |= {f"{group}_{cause}": n for cause, n in causes.items()}
            rows.append(row)
    return rows
