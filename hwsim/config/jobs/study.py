"""Studies: which designs to compare on which weights, and which layers to run in RTL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config, load
from hwsim.config.catalog import resolve
from hwsim.config.jobs.budgets import BudgetsConfig, ChoicesConfig
from hwsim.config.jobs.runs import RunsConfig
from hwsim.config.jobs.study_synthetic import SyntheticStudyConfig
from hwsim.config.limits import Extent, Images, Name, Positive, Seed

__all__ = [
    "CompareConfig",
    "PairConfig",
    "PublishedConfig",
    "PublishedLayer",
    "StudyConfig",
    "VerifyConfig",
]

#: Weights of a layer whose operands are drawn as one matrix.
MAX_WEIGHTS = 1 << 27
Density = Annotated[float, Field(gt=0, le=1)]


class PairConfig(Config):
    """One checkpoint on one design."""

    #: Name or path of the design.
    arch: str
    #: Name or path of the checkpoint.
    checkpoint: str


class VerifyConfig(Config):
    """Real layers that the generated RTL runs."""

    #: Designs to prove, each with the models that the study chooses for it.
    archs: Annotated[list[str], Field(min_length=1)]
    layers: Annotated[list[str], Field(min_length=1)]
    images: Images = 1


class CompareConfig(Config):
    """Compare compressed models of one network, at equal accuracy, on designs of equal multipliers.

    A family is a kind of sparsity on the arrays of one family, at one width of weights; its
    checkpoints are the points of its curve.
    """

    kind: Literal["compare"]
    #: Network, by name or path; also the folder of an import, or an ``.onnx`` file.
    network: str
    #: Test images run as one batch.
    images: Images
    #: Speedups are relative to its cycles, accuracies to that of its checkpoint.
    baseline: PairConfig
    #: Accuracy is equal where it is at most this far below the baseline's (points of per cent).
    accuracy_bound: Annotated[float, Field(gt=0, le=100)] = 0.2
    #: Level of a paired test on the images held out (McNemar's, exact, one-sided): with it a model
    #: is equal where the test does not find it worse than the baseline, and the bound stands beside
    #: it. Models that are not on record are judged by the bound.
    accuracy_level: Annotated[float, Field(gt=0, lt=1)] | None = None
    #: Process that time, area and energy are in: a name in ``configs/tech`` or a file. ``null``:
    #: the study is about cycles and bits alone.
    technology: str | None = "sg13g2"
    runs: Annotated[list[RunsConfig], Field(min_length=1)]
    #: Area and bandwidth at which each side gets its best design and model. Absent: no such search.
    budgets: BudgetsConfig | None = None
    verify: VerifyConfig

    @property
    def choices(self) -> list[ChoicesConfig]:
        """Models and designs that both sides choose from under equal budgets, if there are any."""
        if self.budgets is None:
            return []
        return self.budgets.runs or [
            ChoicesConfig(**run.model_dump(), multipliers=self.budgets.multipliers)
            for run in self.runs
        ]

    @property
    def pairs(self) -> list[PairConfig]:
        """Every checkpoint with every design that it runs on, in the order of the file."""
        return [
            PairConfig(arch=arch, checkpoint=checkpoint)
            for runs in self.runs
            for checkpoint in runs.checkpoints
            for arch in runs.archs
        ]

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        pairs = [(pair.checkpoint, pair.arch) for pair in self.pairs]
        for pair in pairs:
            if pairs.count(pair) > 1:
                raise ValueError(f"runs must name a pair once, not {' on '.join(pair)} again")
        checkpoints = list(dict.fromkeys(checkpoint for checkpoint, _ in pairs))
        names = [Path(checkpoint).stem for checkpoint in checkpoints]
        if len(set(names)) < len(names):
            raise ValueError(f"runs must be of checkpoints of different names, not {checkpoints}")
        if self.budgets is not None and not (self.technology or self.budgets.technologies):
            raise ValueError("budgets.technologies must be given without a technology")
        if (self.baseline.checkpoint, self.baseline.arch) not in pairs:
            raise ValueError("baseline must be one of the runs")
        archs = {arch for _, arch in pairs}
        for arch in self.verify.archs:
            if arch not in archs:
                raise ValueError(f"verify.archs must be designs of the runs: {arch} is none")
        return self


class PublishedLayer(Config):
    """One layer of a published table: what we simulate, and the times the paper gives."""

    name: str
    M: Extent
    K: Extent
    weight_density: Density
    act_density: Density
    theoretical_us: Positive
    actual_us: Positive
    #: Why its times are known to lie outside of the tolerance. Absent: they must not.
    outside: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        if self.M * self.K > MAX_WEIGHTS:
            raise ValueError(f"M x K must be at most {MAX_WEIGHTS:,}, not {self.M * self.K:,}")
        return self


class PublishedConfig(Config):
    """Hold our simulator to a published table, on random operands at the stated densities."""

    kind: Literal["published"]
    #: Where the figures come from.
    source: str
    arch: str
    #: Clock in MHz that the table's times are at.
    clock_mhz: Annotated[float, Field(gt=0, le=10000)]
    seed: Seed = 0
    #: Largest relative difference from either published time, of layers that do not say why theirs
    #: is larger.
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    layers: Annotated[list[PublishedLayer], Field(min_length=1)]
    #: Depths of the activation queue to plot load-balance efficiency against.
    fifo_depths: Annotated[list[Annotated[int, Field(ge=1, le=1024)]], Field(min_length=2)]


class StudyConfig(Config):
    """One study: a name and what to do."""

    name: Name
    title: str
    study: Annotated[
        CompareConfig | PublishedConfig | SyntheticStudyConfig, Field(discriminator="kind")
    ]

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a study by name (``configs/study``) or path."""
        return load(cls, resolve(name, "study"))
