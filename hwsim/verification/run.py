"""Prove a design: the same jobs on its simulator and its Verilog, compared with ``==``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Run, array_model
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig, PatternConfig
from hwsim.fixedpoint import wrap
from hwsim.formats import codes, project
from hwsim.system import extras
from hwsim.verification.layers import draw_layer
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer
from hwsim.workload.random import act_levels

if TYPE_CHECKING:
    from hwsim.rtl.cosim.run import RTLRun

__all__ = ["STALLS", "Case", "Comparison", "compare", "layer_cases", "random_cases", "verify"]

#: Streams that are paused in a case.
STALLS: dict[str, tuple[str, ...]] = {
    "none": (),
    "sources": ("command", "weight", "act"),
    "sink": ("ofmap",),
    "all": ("command", "weight", "act", "ofmap"),
}

#: Clocks up to which a job without pauses also runs on the clock-by-clock model.
STEP_LIMIT = 20_000
#: Largest N, and with ``csc`` M, that random cases go to in order to exceed a memory.
MAX_EXTENT = 2048
#: One case in so many is first cut by a reset.
RESET_EVERY = 9

Notify = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Case:
    """One job to be proved: a GEMM with operands, what pauses it, when a reset cuts a first try."""

    name: str
    gemm: GEMM
    stalls: str = "none"
    pauses: Pauses = field(default_factory=dict)
    #: Clock of the cut, as a fraction of the job's cycles.
    cut: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What simulator and RTL made of one case; ``difference`` is the first one, ``""`` for none."""

    case: Case
    simulator: Counts
    rtl: Counts
    difference: str

    @property
    def equal(self) -> bool:
        """Whether outputs and cycles by cause are all the same."""
        return not self.difference

    def to_dict(self) -> dict[str, Any]:
        """Plain data: one case of the command's JSON document."""
        gemm = self.case.gemm
        return {
            "case": self.case.name,
            "M": gemm.M,
            "K": gemm.K,
            "N": gemm.N,
            "weight_density": _density(gemm.weight),
            "act_density": _density(gemm.act),
            "stalls": self.case.stalls,
            "reset": self.case.cut is not None,
            "cycles_simulator": self.simulator.cycles,
            "cycles_rtl": self.rtl.cycles,
            "causes_simulator": self.simulator.causes,
            "causes_rtl": self.rtl.causes,
            "equal": self.equal,
            "difference": self.difference,
        }


def verify(
    arch: ArchConfig,
    cases: Sequence[Case],
    build_dir: Path,
    simulator: str = "verilator",
    notify: Notify = lambda stage, done, total: None,
) -> list[Comparison]:
    """Run every case on the simulator and, in one Verilog simulation, on the generated array.

    Parameters
    ----------
    build_dir
        Gets NAME.v, NAME.json and the built simulation, which is used again while it is the same.
    simulator
        ``verilator`` or ``icarus``.
    notify
        Called with a stage (``simulate``, ``generate``, ``build``, ``run``), cases done, and cases.

    Raises
    ------
    InputError
        A case does not fit the design, or a tool is missing.
    hwsim.rtl.cosim.run.SimulationError
        The build or the Verilog simulation failed by itself.
    """
    extras.require("rtl")
    from hwsim.rtl.cosim import toolchain
    from hwsim.rtl.cosim.run import simulate_rtl

    toolchain.require(simulator)

    jobs, models = [], []
    for place, case in enumerate(cases):
        notify("simulate", place, len(cases))
        jobs.append(array_model(arch).compile(arch, case.gemm))
        models.append(_model(arch, case, jobs[-1]))
    cycles = [model.counts.cycles for model in models]
    runs = simulate_rtl(
        arch,
        jobs,
        [case.pauses for case in cases],
        build_dir=build_dir,
        simulator=simulator,
        limits=[1000 + 2 * count for count in cycles],
        resets={
            place: int(case.cut * count)
            for place, (case, count) in enumerate(zip(cases, cycles, strict=True))
            if case.cut is not None
        },
        notify=lambda stage: notify(stage, 0, len(cases)),
    )
    return [
        compare(arch, case, model, run)
        for case, model, run in zip(cases, models, runs, strict=True)
    ]


def compare(arch: ArchConfig, case: Case, model: Run, run: RTLRun) -> Comparison:
    """Compare golden product, simulator's run and RTL's run; find the first difference."""
    return Comparison(
        case, model.counts, run.counts, next(_differences(arch, case, model, run), "")
    )


def _differences(arch: ArchConfig, case: Case, model: Run, run: RTLRun) -> Iterator[str]:
    golden = _golden(arch, case.gemm)
    yield from _unlike("simulator", model.ofmap, "golden", golden)
    if not case.pauses:
        counts = array_model(arch).count(arch, case.gemm)
        yield from _uncounted("simulator", model.counts, "fast form", counts)
    if run.fault:
        yield f"rtl: {run.fault}"
    yield from _unlike("rtl", run.ofmap, "golden", golden)
    yield from _uncounted("rtl", run.counts, "simulator", model.counts)


def _unlike(
    what: str, ofmap: NDArray[np.int64], other: str, expected: NDArray[np.int64]
) -> Iterator[str]:
    """First element of an ofmap that is not what it must be."""
    if ofmap.shape != expected.shape:
        yield f"ofmap: {what} has the shape {ofmap.shape}, {other} {expected.shape}"
        return
    wrong = np.argwhere(ofmap != expected)
    if len(wrong):
        m, n = (int(place) for place in wrong[0])
        yield (
            f"ofmap[{m}, {n}]: {what} {ofmap[m, n]}, {other} {expected[m, n]} "
            f"({len(wrong)} of {ofmap.size} differ)"
        )


def _uncounted(what: str, counts: Counts, other: str, expected: Counts) -> Iterator[str]:
    """First count that is not what it must be."""
    if counts.cycles != expected.cycles:
        yield f"cycles: {what} {counts.cycles}, {other} {expected.cycles}"
    for group, causes in expected.causes.items():
        found = counts.causes.get(group, {})
        for cause, cycles in causes.items():
            if found.get(cause) != cycles:
                yield f"{group}.{cause}: {what} {found.get(cause)}, {other} {cycles}"
    if counts.causes.keys() != expected.causes.keys():
        yield f"groups: {what} {list(counts.causes)}, {other} {list(expected.causes)}"
    for event, times in expected.events.items():
        if counts.events.get(event) != times:
            yield f"events.{event}: {what} {counts.events.get(event)}, {other} {times}"


def _golden(arch: ArchConfig, gemm: GEMM) -> NDArray[np.int64]:
    assert gemm.weight is not None
    assert gemm.act is not None
    product: NDArray[np.int64] = gemm.weight.astype(np.int64) @ gemm.act.astype(np.int64)
    return wrap(product, arch.numbers.psum_width)


def _model(arch: ArchConfig, case: Case, job: Job) -> Run:
    """Run of the simulator: clock by clock, or counted where that takes long and nothing pauses."""
    if not case.pauses:
        counts = array_model(arch).count(arch, case.gemm)
        if counts.cycles > STEP_LIMIT:
            return Run(_golden(arch, case.gemm), counts)
    return array_model(arch).simulate(arch, job, case.pauses)


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

    The same seed gives the same cases, and a longer list begins with the shorter one.
    """
    return [_draw(arch, place, np.random.default_rng([seed, place])) for place in range(count)]


def _draw(arch: ArchConfig, place: int, rng: np.random.Generator) -> Case:
    kind, shape, densities = _shape(arch, place, rng)
    m, k, n = shape
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
    gemm = GEMM.of(project(arch, weight), act, f"random {place}")
    if isinstance(arch.array, PatternConfig):
        kind, gemm = draw_layer(
            arch,
            place,
            rng,
            lambda size, density: _values(rng, size, density, codes.levels(numbers), extremes),
            lambda size, density: _values(rng, size, density, levels_of_act, extremes),
        ) or (kind, gemm)
    stalls = list(STALLS)[place % len(STALLS)]
    pauses = {stream: _pattern(rng) for stream in STALLS[stalls]}
    cut = float(rng.random()) if place % RESET_EVERY == RESET_EVERY - 1 else None
    return Case(f"{place} {kind}", gemm, stalls, pauses, cut)


def _shape(
    arch: ArchConfig, place: int, rng: np.random.Generator
) -> tuple[str, tuple[int, int, int], tuple[float, float]]:
    """Kind, shape and densities of a case. Eleven kinds against four kinds of stall: all meet."""
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
    if place < len(STALLS) * len(kinds):
        return kinds[place % len(kinds)]
    tall = arch.array.long_runs(MAX_EXTENT)
    if tall and place % 3 == 0:
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
    """Stall pattern with at least one free clock."""
    pattern: NDArray[np.bool_] = rng.random(int(rng.integers(2, 60))) < float(
        rng.choice([0.2, 0.5, 0.8])
    )
    pattern[int(rng.integers(len(pattern)))] = False
    return pattern


def _density(values: NDArray[np.integer] | None) -> float:
    assert values is not None
    return int(np.count_nonzero(values)) / values.size
