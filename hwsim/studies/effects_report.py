"""The separated effects in a report."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.report.page import Report
from hwsim.studies.budgets import Candidates
from hwsim.studies.choices import alike
from hwsim.studies.comparison import Comparison
from hwsim.studies.effects import (
    PUBLISHED,
    Effects,
    at_equal_area,
    at_equal_multipliers,
    index_table,
    ratio_table,
)
from hwsim.studies.verdict_map import Cell, cells

__all__ = ["write_effects"]


def write_effects(
    report: Report, comparison: Comparison, effects: Effects, found: Sequence[Candidates]
) -> None:
    """Add the 2 x 2 table, the factors, pruning ratios over speedups, and bits of indices."""
    report.heading("Effects, one at a time")
    report.text(
        "Cycles per image of two models on two arrays of "
        f"{comparison.baseline.arch.array.multipliers} multipliers: the arrays on which the chosen "
        "structured and non-structured models do best. *All non-zero* are as many activations of "
        "which none is zero, so that nothing is gained by skipping them."
    )
    report.table(*effects.table())
    rows: list[list[object]] = [
        [effect, f"{factor:.2f}x"] for effect, factor in effects.factors().items()
    ]
    report.table(["effect", "times fewer cycles"], rows)
    report.text(
        "Pruning ratio over speedup against the dense model: 1 where every weight that is left out "
        "saves its time. *Breaks even* is the portion that would have to be pruned, at that ratio, "
        "to be as fast as the dense model. Published: ratios of about "
        f"{PUBLISHED['structured']:g} for structured and {PUBLISHED['non-structured']:g} or more "
        f"for non-structured weights (ADMM-NN-S), and {PUBLISHED['break-even']:.0%} for a layer of "
        "AlexNet at equal area in 40 nm (ADMM-NN, figure 4). At equal multipliers, in cycles:"
    )
    report.table(*ratio_table(at_equal_multipliers(comparison)))
    # a narrower multiplier is smaller, which is no merit of what was pruned
    cell = _reference(cells(found, alike(comparison)))
    at_area = {} if cell is None else at_equal_area(comparison, cell)
    if cell is not None and at_area:
        report.text(
            f"At equal area ({cell.mm2:.3g} mm2 in {cell.technology}, each design at its own clock "
            f"with memories that never wait, {cell.batch} images at most), in time, all with "
            f"weights of {comparison.baseline.model.weight_width} bits:"
        )
        report.table(*ratio_table(at_area))
    report.text("Bits per weight that is left:")
    report.table(*index_table(comparison))


def _reference(judged: Sequence[Cell]) -> Cell | None:
    """Budget of the first area without a limit of bandwidth, or with the widest: by time."""
    some = [cell for cell in judged if cell.measure == "time" and cell.state == "resident"]
    if not some:
        return None
    rate = max(float("inf") if cell.bandwidth is None else cell.bandwidth for cell in some)
    batch = max(cell.batch for cell in some)
    return next(
        cell
        for cell in some
        if (float("inf") if cell.bandwidth is None else cell.bandwidth) == rate
        and cell.batch == batch
    )
