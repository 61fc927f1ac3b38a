"""The verdict as a map: who is ahead by how much, at each area and bandwidth, by each measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.studies.budgets import Candidate, Candidates
from hwsim.studies.factors import middle

__all__ = ["DECODING", "MEASURES", "STATES", "SYSTOLIC", "TIE", "Cell", "Choice", "cells", "lead"]

#: Measure -> unit, of an image.
MEASURES = {"time": "us", "energy": "uJ", "traffic": "bytes", "storage": "bytes"}
#: Where weights are when a run begins.
STATES = {"cold": "no weights on the chip", "resident": "weights on the chip, if there is room"}

#: The two sides that the map compares.
SYSTOLIC, DECODING = "systolic", "index-decoding"
#: Factors below this are a tie: levels of compression are further apart.
TIE = 1.05

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Choice:
    """The best that a side, or a kind of weights on it, has for a cell."""

    candidate: Candidate
    cost: float

    def to_dict(self) -> dict[str, Any]:
        """Flat row of plain values."""
        chosen, system = self.candidate, self.candidate.system
        return {
            "side": chosen.side,
            "kind": chosen.model.kind,
            "model": chosen.model.name,
            "design": chosen.arch,
            "shape": chosen.shape,
            "copies": chosen.copies,
            "multipliers": chosen.copies * system.arch.array.multipliers,
            "weights_from": system.supply,
            "maps": "inside" if system.holds_maps else "outside",
            "images_together": chosen.images,
            "slack": chosen.slack,
            "used_mm2": chosen.mm2,
            "memories_mm2": chosen.copies * system.memories_mm2,
            "mhz": system.mhz,
            "cost": self.cost,
        }


@dataclass(frozen=True)
class Cell:
    """One budget and one measure: what each side does best with it."""

    technology: str
    #: One of :data:`STATES`.
    state: str
    batch: int
    #: Budget of area, by how the study names it, and mm2.
    area: str
    mm2: float
    #: Bytes per cycle; ``None``: without limit.
    bandwidth: float | None
    #: One of :data:`MEASURES`.
    measure: str
    #: Side -> its best of the first seed; a side without a design of that area is missing.
    best: dict[str, Choice]
    #: (kind of weights, side) -> its best of the first seed.
    kinds: dict[tuple[str, str], Choice]
    #: Cost of the index-decoding side / that of the systolic one, for each pair of seeds.
    factors: tuple[float, ...]
    #: Pairs of seeds without a factor: one side has no model of its seed that is equal and fits.
    pairs_left_out: int = 0

    @property
    def factor(self) -> float | None:
        """Median of the factors; ``None`` where a side has no design."""
        return middle(self.factors) if self.factors else None

    @property
    def verdict(self) -> str:
        """Side that is ahead, ``a tie``, or the only one that has a design; empty without any."""
        if self.factor is None:
            alone = [side for side in (SYSTOLIC, DECODING) if side in self.best]
            return f"only {alone[0]}" if alone else ""
        return _ahead(self.factor)

    @property
    def depends_on_seed(self) -> bool:
        """Whether seeds disagree on who is ahead."""
        return len({_ahead(factor) for factor in self.factors}) > 1

    def to_dict(self) -> dict[str, Any]:
        """Flat row of ``map.csv``."""
        row: dict[str, Any] = {
            "technology": self.technology,
            "weights": self.state,
            "batch": self.batch,
            "area": self.area,
            "mm2": self.mm2,
            "bandwidth": "unlimited" if self.bandwidth is None else self.bandwidth,
            "measure": self.measure,
            "unit": MEASURES[self.measure],
            "verdict": self.verdict,
            "factor": "" if self.factor is None else self.factor,
            "factor_least": min(self.factors, default=""),
            "factor_most": max(self.factors, default=""),
            "seeds": len(self.factors),
            "pairs_left_out": self.pairs_left_out,
            "depends_on_seed": self.depends_on_seed,
        }
        for side, choice in self.best.items():
            row |= {
                f"{side}_{key}": value for key, value in choice.to_dict().items() if key != "side"
            }
        return row

    def choices(self) -> list[dict[str, Any]]:
        """Rows of ``designs.csv``: the best of each kind of weights on each side."""
        key = {
            name: value
            for name, value in self.to_dict().items()
            if name in ("technology", "weights", "batch", "area", "mm2", "bandwidth", "measure")
        }
        return [
            key | choice.to_dict() | {"best_of_side": choice == self.best[side]}
            for (_, side), choice in self.kinds.items()
        ]


def lead(factor: float) -> str:
    """Side that is ahead, and by which factor."""
    side, times = (SYSTOLIC, factor) if factor >= 1 else (DECODING, 1 / factor)
    return f"a tie ({side}, {times:.2f}x)" if _ahead(factor) == "a tie" else f"{side}, {times:.2f}x"


def cells(found: Sequence[Candidates], rule: str | None = None) -> list[Cell]:
    """Every cell of the map.

    Parameters
    ----------
    rule
        Name of the rule of who may be chosen; the study's by default.
    """
    return [cell for candidates in found for cell in _cells(candidates, rule)]


def _ahead(factor: float) -> str:
    if 1 / TIE < factor < TIE:
        return "a tie"
    return SYSTOLIC if factor > 1 else DECODING


def _cells(candidates: Candidates, rule: str | None) -> Iterator[Cell]:
    config, every = candidates.config, candidates.every
    rule = candidates.rules[0] if rule is None else rule
    if not every:
        return
    systems = [each.system for each in every]
    mm2, images = (np.array([getattr(e, name) for e in every]) for name in ("mm2", "images"))
    equal = np.array([rule in each.admitted_by for each in every])
    is_cold = np.array([s.is_cold for s in systems])
    sides, kinds, seeds = _by_side(every), _by_kind(every), _by_seed(candidates)
    first = next(iter(seeds.values()))
    costs = {bandwidth: candidates.costs(bandwidth) for bandwidth in config.bandwidths}
    for state, batch, (area, limit) in product(STATES, config.batches, candidates.areas.items()):
        fits = (mm2 <= limit) & (batch % images == 0) & equal
        if state == "cold":
            fits &= is_cold
        for bandwidth, measure in product(config.bandwidths, MEASURES):
            cost = costs[bandwidth][measure]
            factors = _factors(cost, fits, sides, list(seeds.values()))
            yield Cell(
                candidates.technology, state, batch, area, limit, bandwidth, measure,
                _choices(every, cost, fits & first, sides),
                _choices(every, cost, fits & first, kinds),
                factors,
                len(seeds) ** 2 - len(factors) if factors else 0,
            )  # fmt: skip


def _by_side(every: Sequence[Candidate]) -> dict[str, Bools]:
    names = np.array([each.side for each in every])
    return {side: names == side for side in dict.fromkeys(names.tolist())}


def _by_kind(every: Sequence[Candidate]) -> dict[tuple[str, str], Bools]:
    keys = [(each.model.kind, each.side) for each in every]
    return {key: np.array([each == key for each in keys]) for key in sorted(dict.fromkeys(keys))}


def _by_seed(candidates: Candidates) -> dict[int, Bools]:
    """Candidates of each seed: of a base that was not trained with it those of the first."""
    trained: dict[str, set[int]] = {}
    for model in candidates.models:
        trained.setdefault(model.base, set()).add(model.seed)
    found = {}
    for seed in sorted({seed for seeds in trained.values() for seed in seeds}):
        own = {base: seed if seed in seeds else min(seeds) for base, seeds in trained.items()}
        found[seed] = np.array([e.model.seed == own[e.model.base] for e in candidates.every])
    return found


def _choices(
    every: Sequence[Candidate], cost: NDArray[np.float64], fits: Bools, groups: Mapping[Any, Bools]
) -> dict[Any, Choice]:
    """Best of each group that has one which fits."""
    found = {}
    for name, members in groups.items():
        (numbers,) = np.nonzero(fits & members)
        if len(numbers):
            best = int(numbers[np.argmin(cost[numbers])])
            found[name] = Choice(every[best], float(cost[best]))
    return found


def _factors(
    cost: NDArray[np.float64], fits: Bools, sides: Mapping[str, Bools], seeds: Sequence[Bools]
) -> tuple[float, ...]:
    """Factor of each pair of seeds, each side's its own; none where a side has no design."""
    least: dict[str, list[float]] = {}
    for side in (SYSTOLIC, DECODING):
        if side not in sides:
            return ()
        own = [cost[fits & sides[side] & seed] for seed in seeds]
        least[side] = [float(some.min()) for some in own if len(some)]
    return tuple(theirs / ours for ours, theirs in product(least[SYSTOLIC], least[DECODING]))
