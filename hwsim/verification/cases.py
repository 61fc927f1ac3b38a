"""Cases that prove a design: random ones, drawn around its sizes, and a network's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Pauses, array_model
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.formats import codes, project
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer
from hwsim.workload.random import act_levels

__all__ = ["STALLS", "Case", "layer_cases", "random_cases"]

#: Streams that are paused in a case.
STALLS: dict[str, tuple[str, ...]] = {
    "none": (),
    "sources": ("command", "weight", "act"),
    "sink": ("ofmap",),
    "all": ("command", "weight", "act", "ofmap"),
}

#: Largest N, and with ``csc`` M, that random cases go to in order to exceed a memory.
MAX_EXTENT = 2048
#: Every ninth case is first cut by a reset.
RESET_EVERY = 9


@dataclass(frozen=True)
class Case:
    """One job: a GEMM with operands, pauses of its streams, and a reset that cuts a first try."""

    name: str
    gemm: GEMM
    stalls: str = "none"
    pauses: Pauses = field(default_factory=dict)
    #: Cycle of the cut, as a fraction of the job's cycles.
    cut: float | None = None


def layer_cases(operands: Mapping[str, Layer], layers: Sequence[str] = ()) -> list[Case]:
    """Cases of the layers of a network, one per group (:mod:`hwsim.inference.operands`).

    ``layers`` picks some of them by name; empty: all.
    """
    return [
        Case(name if layer.groups == 1 else f"{name}.{group}", gemm)
        for name, layer in operands.items()
        if not layers or name in layers
        for group, gemm in enumerate(layer.gemms())
    ]


def random_cases(arch: ArchConfig, count: int, seed: int) -> list[Case]:
    """Draw cases: the corners in turn, then shapes around the array's; each kind of stall in turn.

    A case that does not fit the design's memories is drawn again with half the extents, until one
    fits. The same seed gives the same cases, and a longer list begins with the shorter one.

    Raises
    ------
    InputError
        No layer fits the design.
    """
    return [_fitting(arch, index, seed) for index in range(count)]


def _fitting(arch: ArchConfig, index: int, seed: int) -> Case:
    model, refusal = array_model(arch), None
    for halvings in range(MAX_EXTENT.bit_length()):
        case = _draw(arch, index, np.random.default_rng([seed, index]), halvings)
        try:
            model.compile(arch, case.gemm)
        except InputError as error:
            refusal = refusal or error
        else:
            return case
    assert refusal is not None
    raise refusal


def _draw(arch: ArchConfig, index: int, rng: np.random.Generator, halvings: int) -> Case:
    kind, shape, densities = _shape(arch, index, rng)
    m, k, n = (max(1, extent >> halvings) for extent in shape)
    extremes = kind == "extreme" or rng.random() < 0.1
    numbers = arch.numbers
    weight_density, act_density = densities
    if not numbers.has_zero and arch.array.stores_zeros:
        weight_density = float(weight_density > 0)
    if numbers.act_width == 1:
        act_density = 1
    weight = _values(rng, (m, k), weight_density, codes.levels(numbers), extremes)
    levels_of_act = act_levels(numbers)
    act = _values(rng, (k, n), act_density, levels_of_act, extremes)
    if kind == "zero-lines":
        weight[rng.random(m) < 0.5] = 0
        block = arch.array.block
        weight[:, np.repeat(rng.random(-(-k // block)) < 0.5, block)[:k]] = 0
        act[rng.random(k) < 0.5] *= int(numbers.act_width == 1)
    gemm = GEMM.of(project(arch, weight), act, f"random {index}")
    draw_case = getattr(array_model(arch), "draw_case", None)
    if draw_case is not None:  # the family sees more of a layer than a product
        kind, gemm = draw_case(
            arch,
            index,
            rng,
            lambda size, density: _values(rng, size, density, codes.levels(numbers), extremes),
            lambda size, density: _values(rng, size, density, levels_of_act, extremes),
        ) or (kind, gemm)
    stalls = list(STALLS)[index % len(STALLS)]
    pauses = {stream: _pattern(rng) for stream in STALLS[stalls]}
    cut = float(rng.random()) if index % RESET_EVERY == RESET_EVERY - 1 else None
    return Case(f"{index} {kind}", gemm, stalls, pauses, cut)


def _shape(
    arch: ArchConfig, index: int, rng: np.random.Generator
) -> tuple[str, tuple[int, int, int], tuple[float, float]]:
    """Kind, shape and densities of a case: eleven kinds, which meet each of four kinds of stall."""
    m, k, n = arch.array.extents
    deep_m, deep_n = arch.array.beyond_memory(MAX_EXTENT)
    primes = [p for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37) if p <= 2 * max(m, k, n, 2)]
    any_m, any_k, any_n = (int(rng.integers(1, 2 * extent + 2)) for extent in (m, k, n))
    weight, act = (float(rng.choice([0.05, 0.1, 0.3, 0.5, 0.8, 1])) for _ in range(2))
    prime_m, prime_k, prime_n = (int(p) for p in rng.choice(primes, 3))
    kinds: list[tuple[str, tuple[int, int, int], tuple[float, float]]] = [
        ("one", (1, 1, 1), (1, 1)),
        ("prime", (prime_m, prime_k, prime_n), (weight, act)),
        ("large-m", (2 * m + any_m, any_k, min(any_n, n)), (weight, act)),
        ("large-k", (min(any_m, m), 4 * k + any_k, min(any_n, n)), (weight, act)),
        ("large-n", (min(any_m, m), min(any_k, k), 4 * n + any_n), (weight, act)),
        ("fits", (m, k, n), (weight, act)),
        ("zero-lines", (any_m + m, any_k + k, any_n), (1, 1)),
        ("zero-weight", (any_m, any_k, any_n), (0, act)),
        ("zero-act", (any_m, any_k, any_n), (weight, 0)),
        ("extreme", (any_m, any_k, any_n), (1, 1)),
        ("deep", (deep_m, min(k, 3), deep_n), (0.05 if deep_m > m else weight, act)),
    ]
    if index < len(STALLS) * len(kinds):
        return kinds[index % len(kinds)]
    tall = arch.array.long_runs(MAX_EXTENT)
    if tall and index % 3 == 0:
        # runs of zeros that outgrow the relative index: two padding entries and more
        return "gaps", (tall + any_m, any_k, any_n), (min(weight, 0.1), act)
    return "any", (any_m, any_k, any_n), (weight, act)


def _values(
    rng: np.random.Generator,
    size: tuple[int, ...],
    density: float,
    levels: NDArray[np.int64],
    extremes: bool,
) -> NDArray[np.int64]:
    """Array that is non-zero with probability ``density``; ``extremes``: the two ends only."""
    values = rng.choice(levels[[0, -1]] if extremes else levels[levels != 0], size)
    return np.where(rng.random(size) < density, values, 0)


def _pattern(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Stall pattern with at least one free cycle."""
    pattern: NDArray[np.bool_] = rng.random(int(rng.integers(2, 60))) < float(
        rng.choice([0.2, 0.5, 0.8])
    )
    pattern[int(rng.integers(len(pattern)))] = False
    return pattern
