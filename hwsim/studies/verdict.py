"""Claims that the numbers of a comparison support, and their limits, in words.

The thesis, of ADMM-NN-S (arXiv 1907.02124): with the same accuracy and quantization, non-structured
sparsity is not worth building hardware for. Two sides: non-structured weights on index-decoding
arrays, and any weights on systolic arrays, each with its best model and design.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

from hwsim.studies.comparison import KINDS, Comparison, Variant
from hwsim.studies.factors import middle
from hwsim.studies.model import Model

__all__ = [
    "BOUNDS",
    "MEASURES",
    "THESIS",
    "Verdict",
    "answer",
    "limits",
    "spread",
    "supports",
    "times",
    "verdicts",
    "winners",
]

THESIS = "non-structured sparsity is not worth building hardware for"

#: What the sides are compared by: name, unit, and cost of a variant (``None``: not known).
MEASURES: dict[str, tuple[str, Callable[[Variant], float | None]]] = {
    "storage": ("KB", lambda v: v.result.bits.total),
    "storage, best format": ("KB", lambda v: v.smallest),
    "cycles": ("", lambda v: v.result.cycles),
    "time": ("us", lambda v: None if v.silicon is None else v.silicon.microseconds),
    "time x area": ("us mm2", lambda v: None if v.silicon is None else v.silicon.time_area),
    "energy": ("uJ", lambda v: None if v.silicon is None else v.silicon.microjoules),
}

#: What a cost is divided by to be shown in its unit; 1 where it is in it.
SCALES = {"KB": 8e3}

#: Other bounds on accuracy, in points, at which the verdicts are looked at.
BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0)

#: Factors below this are a tie: levels of compression are further apart.
TIE = 1.05


@dataclass(frozen=True)
class Verdict:
    """The best variants of both sides by one measure, at one width of weights or at any."""

    measure: str
    #: Bits of a weight; ``None``: each side at its best width.
    weight_width: int | None
    nonstructured: Variant
    systolic: Variant
    #: Cost of the non-structured side / cost of the systolic side for each pair of seeds, each
    #: side's its own; none where there is one seed.
    factors: tuple[float, ...] = ()

    @property
    def costs(self) -> tuple[float, float]:
        """Cost of the non-structured side and of the systolic side."""
        cost = MEASURES[self.measure][1]
        costs = cost(self.nonstructured), cost(self.systolic)
        assert costs[0] is not None
        assert costs[1] is not None
        return costs[0], costs[1]

    @property
    def factor(self) -> float:
        """Cost of the non-structured side / cost of the systolic side: the median over seeds."""
        return middle(self.factors) if self.factors else self.first_factor

    @property
    def first_factor(self) -> float:
        """The factor of the two variants alone."""
        return self.costs[0] / max(1e-9, self.costs[1])

    @property
    def depends_on_seed(self) -> bool:
        """Whether seeds disagree on the outcome."""
        return len({_outcome(factor) for factor in self.factors}) > 1

    @property
    def thesis(self) -> str:
        """Outcome for the thesis: supported, a tie or not supported."""
        return _outcome(self.factor)

    @property
    def at(self) -> str:
        """Width in words."""
        return "any width" if self.weight_width is None else _bits(self.weight_width)

    def shown(self) -> tuple[str, str]:
        """Costs as text, with their unit."""
        unit = MEASURES[self.measure][0]
        scale = SCALES.get(unit, 1)
        digits = 0 if not unit else 2
        first, second = (f"{cost / scale:,.{digits}f}" for cost in self.costs)
        return f"{first} {unit}".strip(), f"{second} {unit}".strip()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        costs = self.costs
        return {
            "measure": self.measure,
            "weight_width": self.weight_width,
            "nonstructured": self.nonstructured.name,
            "nonstructured_cost": costs[0],
            "systolic": self.systolic.name,
            "systolic_cost": costs[1],
            "factor": self.factor,
            "factors": list(self.factors),
            "thesis": self.thesis,
        }


def _outcome(factor: float) -> str:
    if 1 / TIE < factor < TIE:
        return "a tie"
    return "supported" if factor > 1 else "not supported"


def verdicts(comparison: Comparison, bound: float | None = None) -> list[Verdict]:
    """Compare the sides by each measure, at each width that both have and at any.

    Parameters
    ----------
    bound
        Points of accuracy, in place of the study's: of the first seed alone.
    """
    equal = [v for v in comparison.variants if comparison.is_equal(v.model, bound)]
    seeds = [_sides(equal)]
    if bound is None:
        seeds += [_sides(variants) for variants in comparison.reruns.values()]
    widths: list[int | None] = [*comparison.widths]
    if len({v.model.weight_width for side in seeds[0] for v in side}) > 1:
        widths.append(None)
    rulings = []
    for measure, width in product(MEASURES, widths):
        # of each seed the best of both sides; None: it has none of that width
        best = [[_best(side, measure, width) for side in sides] for sides in seeds]
        ours, theirs = best[0]
        if ours is not None and theirs is not None:
            pairs = product([own for own, _ in best if own], [other for _, other in best if other])
            factors = [Verdict(measure, width, *pair).first_factor for pair in pairs]
            rulings.append(
                Verdict(measure, width, ours, theirs, tuple(factors) if len(seeds) > 1 else ())
            )
    return rulings


def _sides(variants: list[Variant]) -> tuple[list[Variant], list[Variant]]:
    """Non-structured weights on index-decoding arrays, and any weights on systolic arrays."""
    decoding = [v for v in variants if v.arch.array.decodes_indices]
    ours = [v for v in decoding if v.model.kind == "nonstructured"]
    return ours, [v for v in variants if not v.arch.array.decodes_indices]


def _best(side: list[Variant], measure: str, width: int | None) -> Variant | None:
    """Variant of a width that costs least, if there is one; ``width`` ``None``: of any."""
    cost = MEASURES[measure][1]
    some = [v for v in side if width in (None, v.model.weight_width) and cost(v) is not None]
    return min(some, key=lambda v: cost(v) or 0, default=None)


def answer(comparison: Comparison) -> str:
    """State in one sentence by which measures the thesis is supported; factors are in the table."""
    where = (
        f"On {comparison.network.name} and {comparison.dataset}, with "
        f"{comparison.config.images} images, {comparison.baseline.arch.array.multipliers} "
        f'multipliers, and {comparison.rule}, the thesis that "{THESIS}" is'
    )
    rulings = verdicts(comparison)
    if not rulings:
        return f"{where} not judged: one side has no model of that accuracy."
    by_outcome: dict[str, list[str]] = {}
    for measure in MEASURES:
        outcomes = {v.thesis for v in rulings if v.measure == measure}
        if outcomes:
            outcome = outcomes.pop() if len(outcomes) == 1 else "dependent on the width of weights"
            by_outcome.setdefault(outcome, []).append(f"in {_quoted(measure)}")
    parts = [f"{outcome} {' and '.join(measures)}" for outcome, measures in by_outcome.items()]
    return f"{where} {'; '.join(parts)}."


def _quoted(measure: str) -> str:
    """Name of a measure inside a sentence: a qualifier goes into parentheses."""
    name, _, qualifier = measure.partition(", ")
    return f"{name} ({qualifier})" if qualifier else name


def winners(rulings: list[Verdict]) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of the winners: one row per measure, one column per width of weights."""
    widths = list(dict.fromkeys((v.weight_width, v.at) for v in rulings))
    cells = {(v.measure, v.weight_width): _winner(v) for v in rulings}
    rows: list[list[object]] = [
        [measure, *(cells.get((measure, width)) for width, _ in widths)]
        for measure in dict.fromkeys(v.measure for v in rulings)
    ]
    return ["measure", *(at for _, at in widths)], rows


def _winner(verdict: Verdict) -> str:
    star = "*" if verdict.depends_on_seed else ""
    return _ahead(verdict.factor) + star


def _ahead(factor: float) -> str:
    """Side that is ahead, and by how much."""
    size, _, side = times(factor).partition(" for ")
    return f"a tie ({side}, {size})" if _outcome(factor) == "a tie" else f"{side}, {size}"


def spread(comparison: Comparison) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of how far seeds are apart: a row per verdict, none where there is one."""
    columns = ["measure", "weights", "least", "median", "most", "pairs of seeds"]
    pairs = (1 + len(comparison.reruns)) ** 2
    rows: list[list[object]] = [
        [
            verdict.measure,
            verdict.at,
            *(_ahead(of(verdict.factors)) for of in (min, middle, max)),
            f"{len(verdict.factors)} of {pairs}",
        ]
        for verdict in verdicts(comparison)
        if verdict.factors
    ]
    return columns, rows


def times(factor: float) -> str:
    """Factor by which the better of two sides leads, and which it is."""
    if factor >= 1:
        return f"{factor:.2f}x for systolic"
    return f"{1 / max(factor, 1e-9):.2f}x for non-structured"


def supports(comparison: Comparison) -> list[str]:
    """Sentences on who needs least, at each width, and by how much."""
    said = []
    for width in comparison.widths:
        equal = [
            v
            for v in comparison.variants
            if v.model.weight_width == width and comparison.is_equal(v.model)
        ]
        if len({v.model.kind for v in equal}) < 2:
            continue
        small = min(equal, key=lambda v: v.result.bits.total)
        fast = min(equal, key=lambda v: v.result.cycles)
        said.append(
            f"With weights of {_bits(width)}, the fewest bits are those of {_of(small)}, "
            f"{small.result.bits.total / 8000:,.2f} KB with indices"
            f"{_over(comparison, equal, small, lambda v: v.result.bits.total, 'less')}; "
            f"the fewest cycles those of {_of(fast)}, {fast.result.cycles:,}, "
            f"{comparison.speedup(fast):.2f}x fewer than the baseline's"
            f"{_over(comparison, equal, fast, lambda v: v.result.cycles, 'fewer')}."
        )
    pairs = set()
    for verdict in verdicts(comparison):
        pair = (verdict.measure, verdict.nonstructured.name, verdict.systolic.name)
        # at any width it is often the pair of one
        if pair not in pairs:
            pairs.add(pair)
            said.append(_compared(verdict))
    return said


def _compared(verdict: Verdict) -> str:
    first, second = verdict.shown()
    outcome = _outcome(verdict.first_factor)
    outcome = outcome if outcome == "a tie" else f"the thesis is {outcome}"
    return (
        f"{verdict.measure.capitalize()}, {verdict.at}: non-structured {first} "
        f"({verdict.nonstructured.name}), systolic {second} ({verdict.systolic.name}), "
        f"{times(verdict.first_factor)}: {outcome}"
        + (f"; over seeds {_ahead(verdict.factor)}." if verdict.factors else ".")
    )


def _over(
    comparison: Comparison,
    equal: list[Variant],
    winner: Variant,
    cost: Callable[[Variant], int],
    word: str,
) -> str:
    """Compare a winner with the best variant of another kind of sparsity."""
    rivals = [v for v in equal if v.model.kind != winner.model.kind]
    rival = min(rivals, key=cost)
    times_less = cost(rival) / max(1, cost(winner))
    return f" and {times_less:.2f}x {word} than those of {_of(rival)}"


def limits(comparison: Comparison) -> list[str]:
    """Sentences on what the numbers do not support."""
    said = []
    baseline, bound = comparison.baseline.model, comparison.config.accuracy_bound
    if not comparison.is_held_out:
        said.append(
            "Not every checkpoint says how accurate it is on images held out: models were chosen "
            "by their accuracy on the test images, which favours the lucky."
        )
    for kind, width in comparison.unequalled:
        models = [m for m in comparison.models if (m.kind, m.weight_width) == (kind, width)]
        best = max(models, key=comparison.decides)
        points = comparison.points_below(best)
        said.append(
            f"No {KINDS.get(kind, (kind, ''))[0]} model of {_bits(width)} is of equal accuracy: "
            f"the best, {best.name}, is {points:.2f} points below the baseline."
        )
    open_ended = [
        model.name for model in comparison.chosen.values() if _is_smallest(comparison, model)
    ]
    if open_ended:
        said.append(
            "The smallest model that was tried is still of equal accuracy, so that a smaller one "
            f"may be, too: {', '.join(open_ended)}."
        )
    below = [
        f"{model.name} ({points:.2f})"
        for model in comparison.chosen.values()
        if (points := comparison.held_to(model).accuracy - model.accuracy) > bound + 1e-6
    ]
    if below and comparison.is_held_out:
        said.append(
            "Chosen on the images held out, but on the test images more than "
            f"{bound:g} points below the baseline: {', '.join(below)}."
        )
    error = 100 * math.sqrt(baseline.accuracy / 100 * (1 - baseline.accuracy / 100) / TEST_IMAGES)
    said.append(
        f"The standard error of an accuracy of {baseline.accuracy:.2f} % on {TEST_IMAGES:,} images "
        f"is {error:.2f} points: differences of less say nothing"
        + ("." if comparison.reruns else ", and each model is of one seed.")
    )
    missed = [
        f"{model.name} ({comparison.points_below(model) - bound:.2f})"
        for model in comparison.models
        if 1e-6 < comparison.points_below(model) - bound < error and _is_smaller(comparison, model)
    ]
    if missed:
        said.append(
            "Smaller than the chosen model of their kind, and short of the bound by less than that "
            f"error, in points: {', '.join(missed)}."
        )
    said += _flips(comparison)
    if comparison.config.technology is not None:
        said.append(
            "Area, clock and energy are those of netlists: a routed design is larger and slower. "
            "An index-decoding array holds its weights, a systolic one streams them: the memory "
            "that feeds it is in its energy, not in its area."
        )
    said.append(
        "Streams never wait for a memory, and the answer is one network's on one data set at one "
        "size of array."
    )
    return said


#: Images of the test sets, MNIST's and Fashion-MNIST's.
TEST_IMAGES = 10_000


def _is_smallest(comparison: Comparison, model: Model) -> bool:
    """Whether no model of its kind and width is smaller; one alone, or dense, is no series."""
    if model.kind == "dense":
        return False
    peers = [
        m for m in comparison.models if (m.kind, m.weight_width) == (model.kind, model.weight_width)
    ]
    return len(peers) > 1 and model.nonzeros == min(peer.nonzeros for peer in peers)


def _is_smaller(comparison: Comparison, model: Model) -> bool:
    """Whether a model has fewer weights than the one chosen of its kind and width, if any."""
    chosen = comparison.chosen.get((model.kind, model.weight_width))
    return chosen is not None and model.nonzeros < chosen.nonzeros


def _flips(comparison: Comparison) -> list[str]:
    """Sentences on verdicts that another bound on accuracy turns round."""
    said = []
    at_bounds = {bound: verdicts(comparison, bound) for bound in BOUNDS}
    for verdict in verdicts(comparison):
        outcome = _outcome(verdict.first_factor)
        if outcome == "a tie":
            continue
        turned = [
            f"{bound:g}"
            for bound, others in at_bounds.items()
            for other in others
            if (other.measure, other.weight_width) == (verdict.measure, verdict.weight_width)
            and other.thesis not in (outcome, "a tie")
        ]
        if turned:
            said.append(
                f"{verdict.measure.capitalize()}, {verdict.at}: the verdict holds at this bound; "
                f"at {', '.join(turned)} points it is reversed."
            )
    return said


def _bits(width: int) -> str:
    return "1 bit" if width == 1 else f"{width} bits"


def _of(variant: Variant) -> str:
    return f"{variant.curve.label} weights ({variant.name}, {variant.model.accuracy:.2f} %)"
