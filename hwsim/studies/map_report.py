"""The verdict under equal budgets in a report: a table of five rows, who wins, what was chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hwsim.studies.budgets import Candidates
from hwsim.studies.factors import middle
from hwsim.studies.verdict_map import DECODING, MEASURES, SYSTOLIC, Cell, lead

__all__ = [
    "answer",
    "chosen_table",
    "held_fixed",
    "kinds_table",
    "map_table",
    "rules_table",
    "spread",
    "summary_table",
]

Table = tuple[list[str], list[list[object]]]

#: Measures of the summary -> cells that they are of: time is told apart by the batch.
ROWS = ("time, one image", "time, most images", "energy", "traffic", "storage")


def summary_table(cells: Sequence[Cell]) -> Table:
    """Columns and rows of the verdict in short: five measures over the budgets of a technology."""
    technologies = list(dict.fromkeys(cell.technology for cell in cells))
    columns = ["measure"]
    for technology in technologies:
        columns += [f"{technology}: {each}" for each in ("budgets", "median", "least", "most")]
    rows: list[list[object]] = []
    for name in ROWS:
        row: list[object] = [name]
        for technology in technologies:
            own = [cell for cell in cells if cell.technology == technology]
            row += _in_short(_of_row(own, name))
        rows.append(row)
    return columns, rows


def _in_short(cells: Sequence[Cell]) -> list[str | None]:
    """Who is ahead in how many budgets; the median, the least and the most of the factors."""
    verdicts = Counter(cell.verdict for cell in cells)
    ahead = [f"{side} {verdicts.pop(side, 0)}" for side in (SYSTOLIC, DECODING)]
    ahead += [f"{verdict or 'neither'} {number}" for verdict, number in verdicts.items()]
    factors = sorted(cell.factor for cell in cells if cell.factor is not None)
    if not factors:
        return [", ".join(ahead), None, None, None]
    return [", ".join(ahead), *map(lead, (middle(factors), factors[0], factors[-1]))]


def _of_row(cells: Sequence[Cell], name: str) -> list[Cell]:
    measure, _, which = name.partition(", ")
    some = [cell for cell in cells if cell.measure == measure]
    if not which:
        return some
    batches = [cell.batch for cell in some]
    wanted = min(batches) if which == "one image" else max(batches)
    return [cell for cell in some if cell.batch == wanted]


def answer(cells: Sequence[Cell]) -> str:
    """State in one sentence who is ahead under equal budgets."""
    parts = []
    for measure in MEASURES:
        told = [cell for cell in cells if cell.measure == measure and cell.factor is not None]
        if not told:
            continue
        factors = [cell.factor for cell in told if cell.factor is not None]
        ours, theirs = (sum(cell.verdict == side for cell in told) for side in (SYSTOLIC, DECODING))
        parts.append(
            f"in {measure} systolic arrays are ahead in {ours} and index-decoding arrays in "
            f"{theirs} of {len(told)} budgets (median {lead(middle(factors))})"
        )
    if not parts:
        return "Under equal budgets nothing is judged: no budget has a design of both sides."
    return f"Under equal budgets of area and bandwidth, {'; '.join(parts)}."


def chosen_table(cells: Sequence[Cell], measure: str) -> Table:
    """Columns and rows of what each side chose by one measure: a row per cell."""
    columns = ["budget", "verdict"]
    for side in (SYSTOLIC, DECODING, "decompressor"):
        columns += [side, "model", "mm2", _unit(measure)]
    rows: list[list[object]] = []
    for cell in cells:
        if cell.measure != measure:
            continue
        row: list[object] = [
            _budget(cell),
            cell.verdict if cell.factor is None else lead(cell.factor),
        ]
        for side in (SYSTOLIC, DECODING, "decompressor"):
            choice = cell.best.get(side)
            if choice is None:
                row += [None] * 4
                continue
            system = choice.candidate.system
            row += [
                f"{choice.candidate.design}, weights {system.supply}, maps "
                f"{'inside' if system.holds_maps else 'outside'}, "
                f"{choice.candidate.images} at once",
                choice.candidate.model.name, f"{choice.candidate.mm2:.2f}", f"{choice.cost:,.2f}",
            ]  # fmt: skip
        rows.append(row)
    return columns, rows


def map_table(cells: Sequence[Cell], technology: str) -> Table:
    """Columns and rows of the map of a technology: factors, a column per area and bandwidth."""
    own = [cell for cell in cells if cell.technology == technology]
    budgets = dict.fromkeys((cell.mm2, cell.bandwidth) for cell in own)
    columns = [f"{technology}: measure, images, weights"]
    columns += [f"{mm2:.3g} mm2, {_rate(bandwidth)}" for mm2, bandwidth in budgets]
    rows: dict[str, list[object]] = {}
    for cell in own:
        images = "1 image" if cell.batch == 1 else f"{cell.batch} images"
        name = f"{cell.measure}, {images}, {cell.state}"
        shown = cell.verdict if cell.factor is None else lead(cell.factor)
        rows.setdefault(name, [name]).append(shown + ("*" if cell.depends_on_seed else ""))
    return columns, list(rows.values())


def kinds_table(cells: Sequence[Cell], measure: str) -> Table:
    """Columns and rows of the best of each kind of weights on each side: a column per budget."""
    some = [cell for cell in cells if cell.measure == measure]
    keys = list(dict.fromkeys(key for cell in some for key in cell.kinds))
    columns = [f"weights on array, {_unit(measure)}", *(_budget(cell) for cell in some)]
    rows: list[list[object]] = [
        [
            " on ".join(key),
            *(f"{cell.kinds[key].cost:,.2f}" if key in cell.kinds else None for cell in some),
        ]
        for key in keys
    ]
    return columns, rows


def spread(cells: Sequence[Cell]) -> list[str]:
    """Sentences on the seeds: how far factors are apart, what is left out, which verdicts turn."""
    several = [cell for cell in cells if len(set(cell.factors)) > 1]
    partial = [cell for cell in cells if cell.pairs_left_out]
    if not several and not partial:
        return ["No factor has several seeds: nothing is known of the spread."]
    said = []
    if several:
        widest = max(several, key=lambda cell: max(cell.factors) / min(cell.factors))
        said.append(
            f"In {len(several)} of {len(cells)} cells the factor differs with the seed: what is "
            "there is the median over all pairs of seeds of both sides, of which each holds its "
            "models to the dense network of its seed, where there is one. The widest range is "
            f"{lead(min(widest.factors))} to {lead(max(widest.factors))} "
            f"({widest.measure}, {_budget(widest)})."
        )
    if partial:
        said.append(
            f"In {len(partial)} cells one side has, of some seed, no model that is equal and fits "
            "the area: these pairs are left out, in favour of that side."
        )
    turned = Counter(cell.measure for cell in several if cell.depends_on_seed)
    counted = ", ".join(f"{measure} {count}" for measure, count in turned.items())
    said.append(
        f"The verdict depends on the seed in {turned.total()} cells ({counted}): starred."
        if turned
        else "No verdict depends on the seed."
    )
    return said


def rules_table(judged: Mapping[str, Sequence[Cell]]) -> Table:
    """Columns and rows of what other rules of who may be chosen would change: a row per rule.

    Parameters
    ----------
    judged
        Cells by each rule, the study's first.
    """
    own = next(iter(judged.values()))
    columns = [
        "who may be chosen",
        "verdicts that differ",
        *(f"{each}: median" for each in MEASURES),
    ]
    rows: list[list[object]] = []
    for rule, judgement in judged.items():
        turned = sum(a.verdict != b.verdict for a, b in zip(own, judgement, strict=True))
        row: list[object] = [rule, f"{turned} of {len(own)}"]
        for measure in MEASURES:
            some = [cell for cell in judgement if cell.measure == measure]
            factors = [cell.factor for cell in some if cell.factor is not None]
            # a side without a model has no factor
            alone = Counter(cell.verdict for cell in some).most_common(1)[0][0]
            row.append(lead(middle(factors)) if factors else alone or None)
        rows.append(row)
    return columns, rows


def held_fixed(found: Sequence[Candidates]) -> list[str]:
    """Sentences on what a budget is, what was searched, and what both sides have alike."""
    config = found[0].config
    said = [
        f"A budget is a total area (array, the memories inside it, and the memories that feed it) "
        f"and a bandwidth to the memory outside, in bytes per cycle of {config.clock_mhz:g} MHz: "
        "one clock for all, while each array computes at its own.",
        "Each side chooses the model, the design and its shape, how far memories are shrunk, how "
        "many images are run together, on how many copies of the design side by side, where "
        "weights come from (streamed, kept, prefetched, resident, or doubled or held in the PEs of "
        "an index-decoding array), and whether maps stay inside.",
        "Alike on both sides: maps are those of the unpruned network in 8 bits; a buffer is as "
        "wide as the beats that it feeds; lists of what pruning left out are moved, stored and "
        "read, and lanes of weight-stationary arrays have maps in banks of their own; engines, "
        "transposers and the postprocess are not in the area; the memory outside takes 8 pJ per "
        "bit, and has no latency.",
    ]
    for each in found:
        said.append(
            f"In {each.technology}: {each.looked:,} points, of which {each.bounded:,} are too "
            f"large by their logic alone and {each.invalid:,} break a rule of their "
            f"family; fed in every way {len(each.every):,} candidates fit the largest budget. "
            "Budgets of area: "
            + ", ".join(f"{name} {mm2:.2f} mm2" for name, mm2 in each.areas.items())
            + "."
        )
    return said


def _budget(cell: Cell) -> str:
    """Budget of a cell in words."""
    where = f"{cell.technology}, {cell.mm2:.3g} mm2, {_rate(cell.bandwidth)}"
    return f"{where}, batch {cell.batch}, {cell.state}"


def _rate(bandwidth: float | None) -> str:
    return "no limit" if bandwidth is None else f"{bandwidth:g} B/cycle"


def _unit(measure: str) -> str:
    return f"{MEASURES[measure]} per image" if measure != "storage" else MEASURES[measure]
