"""Budgets of a study: what both sides may spend, and the designs and models they choose from."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config
from hwsim.config.jobs.runs import RunsConfig
from hwsim.config.limits import Extent, Images, Positive

__all__ = ["BudgetsConfig", "ChoicesConfig"]

Name = Annotated[str, Field(min_length=1)]


class ChoicesConfig(RunsConfig):
    """Models and designs of one side or kind."""

    #: Each design in every shape of so many multipliers. Absent: as it is.
    multipliers: Annotated[list[Extent], Field(min_length=1)] | None = None


class BudgetsConfig(Config):
    """Area and bandwidth that each side may spend, in every combination, and its choices.

    Each side takes of its designs and of its models of equal accuracy the best for each combination
    and measure.
    """

    #: Total area: mm2, or a design whose area it is, with its memories.
    areas: Annotated[list[Positive | Name], Field(min_length=1)]
    #: Bytes per cycle from and to the memory outside; ``null``: without limit.
    bandwidths: Annotated[list[Positive | None], Field(min_length=1)]
    #: Clock in MHz of these cycles: one for all designs, for a memory does not know theirs.
    clock_mhz: Positive = 200
    #: Images that come together.
    batches: Annotated[list[Images], Field(min_length=1)]
    #: Images that a design may run together, where their number divides the batch: fewer at a time
    #: need less room for maps, and load weights more often. Absent: ``batches``.
    groups: Annotated[list[Images], Field(min_length=1)] | None = None
    #: Of the study's designs, where ``runs`` is absent.
    multipliers: Annotated[list[Extent], Field(min_length=1)] | None = None
    #: Fractions of cycles, and of words on each stream, that smaller memories may lose.
    slacks: Annotated[list[Annotated[float, Field(ge=0, le=100)]], Field(min_length=1)] = Field(
        default_factory=lambda: [0.01]
    )
    #: Processes that areas, times and energies are in. Absent: the study's.
    technologies: Annotated[list[Name], Field(min_length=1)] | None = None
    #: Models and designs to choose from. Absent: those of the study.
    runs: Annotated[list[ChoicesConfig], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _multipliers_are_given_once(self) -> Self:
        if self.runs is not None and self.multipliers is not None:
            raise ValueError("multipliers must be absent with runs, each of which has its own")
        return self

    @model_validator(mode="after")
    def _lists_each_once(self) -> Self:
        for key in type(self).model_fields:
            if key in ("clock_mhz", "runs"):
                continue
            values = getattr(self, key) or []
            if len(set(values)) < len(values):
                raise ValueError(f"{key} must list each one once")
        return self
