"""Search for the best design and model of each side under equal budgets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig
from hwsim.config.jobs.budgets import BudgetsConfig, ChoicesConfig
from hwsim.config.jobs.sweep import BoundConfig, SpaceConfig, SweepConfig
from hwsim.cost.book import Book
from hwsim.cost.system import AHEAD, System, systems, time_of
from hwsim.errors import InputError
from hwsim.studies.choices import Choices
from hwsim.studies.model import Model
from hwsim.sweeps.bounds import Bounds
from hwsim.sweeps.engines.local import local
from hwsim.sweeps.evaluate import RESIDENT, evaluate
from hwsim.sweeps.known import result_of
from hwsim.sweeps.point import Point
from hwsim.sweeps.run import Looked, Search
from hwsim.sweeps.samplers.choose import sampler_of
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Store

__all__ = ["SIDES", "Candidate", "Candidates", "designs", "search", "side_of"]

#: Organisations of an array that stand against each other.
SIDES = ("systolic", "decompressor", "index-decoding")

Progress = Callable[[str], None]
Floats = NDArray[np.float64]


def side_of(arch: ArchConfig) -> str:
    """Organisation of a design: one of :data:`SIDES`."""
    if arch.array.decodes_indices:
        return "index-decoding"
    return "decompressor" if getattr(arch.array, "decompresses", False) else "systolic"


@dataclass(frozen=True)
class Candidate:
    """A model on a design with what feeds it, for one number of images."""

    model: Model
    #: Base design, and its shape: 8 x 8.
    arch: str
    shape: str
    slack: float | None
    system: System
    #: Copies of it that run side by side, each its own images.
    copies: int
    #: Names of the rules that its model meets.
    admitted_by: frozenset[str]

    @property
    def side(self) -> str:
        """Organisation of the array."""
        return side_of(self.system.arch)

    @property
    def mm2(self) -> float:
        """Area of all copies."""
        return self.copies * self.system.mm2

    @property
    def images(self) -> int:
        """Images that are run together."""
        return self.copies * self.system.images

    @property
    def layer_times(self) -> list[float]:
        """Time per image of each layer, us, where nothing waits for memories."""
        times: list[float] = (self.system.cycles / self.system.mhz / self.images).tolist()
        return times

    @property
    def design(self) -> str:
        """Design in words."""
        several = f"{self.copies} of " if self.copies > 1 else ""
        return f"{several}{self.arch} {self.shape}".strip()

    @property
    def name(self) -> str:
        """Model and design in words."""
        return f"{self.model.name} on {self.design}"


@dataclass(frozen=True)
class Candidates:
    """Everything that the sides may choose from in one technology, and what it costs per image."""

    config: BudgetsConfig
    technology: str
    #: mm2 of each budget of area, by how the study names it.
    areas: dict[str, float]
    #: Names of the rules of who may be chosen, the study's first.
    rules: list[str]
    every: list[Candidate]
    #: Every model of the study's file, of equal accuracy or not.
    models: list[Model]
    #: Points that were looked at, simulated now, dropped by a bound, and that break a rule.
    looked: int
    ran: int
    bounded: int
    invalid: int

    @cached_property
    def _layers(self) -> tuple[Floats, ...]:
        """Of every candidate and layer: us until weights must have come, after, to fill; tiles.

        Then bytes of weights, and of maps.
        """
        systems = [candidate.system for candidate in self.every]
        mhz = np.array([[system.mhz] for system in systems])
        front = np.stack([system.front for system in systems]) / mhz
        whole = np.stack([system.cycles for system in systems]) / mhz
        fill = np.stack([system.fill for system in systems]) / mhz
        tiles = np.stack([system.tiles for system in systems])
        weights = np.stack([system.weight_bytes for system in systems])
        maps = np.stack([system.map_bytes for system in systems])
        return front, whole - front, fill, tiles, weights, maps

    def costs(self, bandwidth: float | None) -> dict[str, Floats]:
        """Cost per image of every candidate, by measure; ``storage`` is that of the model."""
        rate = np.inf if bandwidth is None else bandwidth * self.config.clock_mhz
        systems = [candidate.system for candidate in self.every]
        copies = np.array([candidate.copies for candidate in self.every], float)
        images = np.array([system.images for system in systems], float)
        front, rest, fill, tiles, weights, maps = self._layers
        ahead = np.array([system.supply in AHEAD for system in systems])
        # of copies that run side by side each has its share of the bandwidth
        share = (rate / copies)[:, None]
        weights_us = np.maximum(weights / share, fill)
        time = time_of(front, rest, weights_us, maps / share, ahead, tiles)
        active = np.array([system.active for system in systems])
        waits = np.array([system.idle for system in systems]) * (time - (front + rest).sum(axis=1))
        return {
            "time": time / images / copies,
            "energy": (active + waits) / 1e6 / images,
            "traffic": (weights + maps).sum(axis=1) / images,
            "storage": np.array([system.bits / 8 for system in systems]),
        }


def search(
    choices: Choices,
    source: str,
    store: Path,
    jobs: int = 1,
    progress: Progress = lambda what: None,
) -> list[Candidates]:
    """Count every design that may be chosen with every model that some rule admits.

    Parameters
    ----------
    source
        File the study was read from, for messages.
    store
        Points that are known; what is not is counted and kept there.
    jobs
        Processes; 0: one for each core.

    Returns
    -------
    list of Candidates
        One for each technology.

    Raises
    ------
    InputError
        A file is missing or bad; or no side has a model of equal accuracy.
    """
    budgets, spaces = choices.budgets, _spaces(choices)
    if not spaces:
        rule = "must have a model that is as accurate as the baseline"
        raise InputError(source, "study.budgets.runs", None, rule)
    found = []
    with Store.open(store) as known:
        for technology in choices.technologies:
            book = Book(technology, progress)
            areas = dict(_area(book, area) for area in budgets.areas)
            sweep = SweepConfig(
                name="budgets", network=[choices.network],
                images=budgets.groups or budgets.batches,
                slack=budgets.slacks, technology=technology,
                fit=True, runs=spaces, objectives={"time_us": "min", "energy_uj": "min"},
                constraints={"area_mm2": BoundConfig(max=max(areas.values()))},
            )  # fmt: skip
            space = Space(sweep, source)
            sampler = sampler_of(sweep, space, source)

            def told(looked: int, total: int = sampler.total, name: str = technology) -> None:
                progress(f"budgets in {name}: {looked} of {total} points")

            finder = Search(
                space, known, sweep.objectives, sweep.constraints, Bounds(book), progress=told
            )
            with local(evaluate, jobs or os.cpu_count() or 1) as engine:
                looked = finder.run(sampler, engine)
            progress(f"budgets in {technology}: what feeds them")
            found.append(_candidates(choices, book, areas, space, known, looked))
    return found


def _copies(budgets: BudgetsConfig, system: System) -> list[int]:
    """Numbers of copies that a batch can be spread over, each with as many images at once."""
    rounds = [batch // system.images for batch in budgets.batches if batch % system.images == 0]
    return [n for n in range(1, max(rounds, default=0) + 1) if any(r % n == 0 for r in rounds)]


def _spaces(choices: Choices) -> dict[str, SpaceConfig]:
    """Space of each run that has a model which some rule admits."""
    spaces = {}
    for number, run in enumerate(choices.runs):
        models = {name: choices.models[name] for name in run.checkpoints}
        weights = [model.source for model in models.values() if choices.admitted_by(model)]
        if weights:
            spaces[f"run{number}"] = SpaceConfig(
                arch=run.archs, weights=weights, multipliers=run.multipliers
            )
    return spaces


def designs(network: str, runs: Sequence[ChoicesConfig]) -> list[ArchConfig]:
    """Every design that the sides of a study may choose, whatever the models."""
    if not runs:
        return []
    spaces = {
        f"run{number}": SpaceConfig(arch=run.archs, multipliers=run.multipliers)
        for number, run in enumerate(runs)
    }
    sweep = SweepConfig(
        name="designs", network=[network], runs=spaces, objectives={"cycles": "min", "bits": "min"}
    )
    points = Space(sweep, "study")
    return [point.arch for point in points if point.arch is not None]


def _area(book: Book, area: float | str) -> tuple[str, float]:
    """Name of a budget of area, and mm2."""
    if isinstance(area, str):
        return area, book.area(ArchConfig.read(area)).total / 1e6
    return f"{area:g} mm2", area


def _candidates(
    choices: Choices,
    book: Book,
    areas: dict[str, float],
    space: Space,
    store: Store,
    looked: Looked,
) -> Candidates:
    """Feed every point that was counted in every way."""
    most = max(areas.values())
    statuses = {"bounded": 0, "invalid": 0, "failed": 0, "done": 0}
    every = []
    for number, key in looked:
        row = store.get(key)
        assert row is not None
        statuses[row.status] += 1
        if row.status == "done" and row.result["area_mm2"] <= most:
            every += list(_fed(choices, space[number], row.result, book, store, most))
    models = list(choices.models.values())
    return Candidates(
        choices.budgets, book.technology, areas, list(choices.rules), every, models, len(looked),
        looked.ran, statuses["bounded"], statuses["invalid"],
    )  # fmt: skip


def _fed(
    choices: Choices,
    point: Point,
    measured: dict[str, float],
    book: Book,
    store: Store,
    most: float,
) -> Iterator[Candidate]:
    """A point with all that may feed it, where that is no larger than ``most``."""
    assert point.arch is not None
    assert point.network is not None
    resident = {
        name.removeprefix(RESIDENT): int(depth)
        for name, depth in measured.items()
        if name.startswith(RESIDENT)
    }
    result = result_of(point, store)
    fields = point.fields
    (model,) = (m for m in choices.models.values() if m.source == fields["weights"])
    for system in systems(book, point.network, result, logic=point.arch, resident=resident):
        for copies in _copies(choices.budgets, system):
            if copies * system.mm2 > most:
                break
            yield Candidate(
                model, fields["arch"], fields.get("shape", ""),
                fields.get("slack", point.slack), system,
                copies, choices.admitted_by(model),
            )  # fmt: skip
