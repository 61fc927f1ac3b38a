"""The verdict as maps of a page: a cell says which designs were chosen, and shows all of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from hwsim.report.plots.detail import Detail
from hwsim.report.plots.heat import Heat, HeatCell, HeatPanel
from hwsim.studies.map_picture import FULL, label, sides
from hwsim.studies.verdict_map import DECODING, MEASURES, SYSTOLIC, Cell, Choice, lead

__all__ = ["plot"]

_COLUMNS = (
    "weights on array", "model", "design", "weights come", "maps", "images together", "mm2", "MHz",
)  # fmt: skip


def plot(cells: Sequence[Cell], technology: str) -> Heat:
    """Map of one technology: a panel per measure, batch and state of the weights."""
    own = [cell for cell in cells if cell.technology == technology]
    measures = [measure for measure in MEASURES if any(c.measure == measure for c in own)]
    runs = dict.fromkeys((cell.batch, cell.state) for cell in own)
    panels = []
    for measure, (batch, state) in product(measures, runs):
        some = [c for c in own if (c.measure, c.batch, c.state) == (measure, batch, state)]
        images = "1 image" if batch == 1 else f"{batch} images"
        panels.append(_panel(f"{measure}, {images}, weights {state}", some))
    systolic, decoding = sides()
    low, high = f"{DECODING} ahead", f"{SYSTOLIC} ahead"
    return Heat(panels, "B/cycle", "mm2", low, high, decoding, systolic, FULL)


def _panel(title: str, cells: Sequence[Cell]) -> HeatPanel:
    areas = list(dict.fromkeys(cell.mm2 for cell in cells))
    # the widest on top, as on an axis
    bandwidths = list(dict.fromkeys(cell.bandwidth for cell in cells))[::-1]
    at = {(cell.bandwidth, cell.mm2): cell for cell in cells}
    return HeatPanel(
        title,
        ["no limit" if each is None else f"{each:g}" for each in bandwidths],
        [f"{area:.3g}" for area in areas],
        [[_cell(at[row, column]) for column in areas] for row in bandwidths],
    )


def _cell(cell: Cell) -> HeatCell:
    return HeatCell(label(cell), cell.factor, _detail(cell))


def _detail(cell: Cell) -> Detail:
    unit = MEASURES[cell.measure]
    rate = "no limit" if cell.bandwidth is None else f"{cell.bandwidth:g} bytes per cycle"
    images = "1 image" if cell.batch == 1 else f"{cell.batch} images"
    title = (
        f"{cell.measure}, {cell.technology}: {cell.mm2:.3g} mm2, {rate}, {images}, "
        f"weights {cell.state}"
    )
    says = [title, cell.verdict if cell.factor is None else lead(cell.factor)]
    if len(set(cell.factors)) > 1:
        says.append(f"over the seeds {lead(min(cell.factors))} to {lead(max(cell.factors))}")
    says += [
        f"{side}: {choice.candidate.name}, {choice.cost:,.2f} {unit}"
        for side, choice in cell.best.items()
    ]
    rows = [_row(" on ".join(key), choice) for key, choice in cell.kinds.items()]
    rows.sort(key=lambda row: float(str(row[-1]).replace(",", "")))
    return Detail(title, says, [*_COLUMNS, _unit(cell)], rows)


def _unit(cell: Cell) -> str:
    unit = MEASURES[cell.measure]
    return unit if cell.measure == "storage" else f"{unit} per image"


def _row(name: str, choice: Choice) -> list[object]:
    chosen, system = choice.candidate, choice.candidate.system
    return [
        name, chosen.model.name, chosen.design, system.supply,
        "inside" if system.holds_maps else "outside", chosen.images, f"{chosen.mm2:.2f}",
        f"{system.mhz:.0f}", f"{choice.cost:,.2f}",
    ]  # fmt: skip
