"""Studies of networks whose data we do not have: synthetic weights on every family."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config
from hwsim.config.jobs.budgets import BudgetsConfig, ChoicesConfig
from hwsim.config.limits import Images, Seed

__all__ = ["DENSE", "SyntheticStudyConfig", "SyntheticVariantConfig"]

#: In place of a recipe: the network with all its weights.
DENSE = "dense"


class SyntheticVariantConfig(Config):
    """One synthetic checkpoint on one design."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    #: Name or path of the design.
    arch: str
    #: Name or path of the recipe of its weights; absent: all weights, on a dense array.
    recipe: str | None = None


class SyntheticStudyConfig(Config):
    """Count synthetic checkpoints of one network on designs of equal multipliers.

    The layers are simulated and not run in RTL, for a layer of such a network takes millions of
    cycles. Designs are proved on smaller layers.
    """

    kind: Literal["synthetic"]
    network: str
    #: Images run as one batch.
    images: Images = 1
    #: Seed of the random activations.
    seed: Seed = 0
    #: Fractions of the activations that are not zero, of every layer but the first layer. Each
    #: fraction is counted on its own.
    act_densities: Annotated[
        list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1, max_length=8)
    ]
    #: Process that time, area and energy are in: a name in ``configs/tech`` or a file. ``null``:
    #: the study is about cycles and bits alone.
    technology: str | None = "sg13g2"
    #: Variant that speedups are relative to.
    baseline: str
    variants: Annotated[list[SyntheticVariantConfig], Field(min_length=1)]
    #: Area and bandwidth at which each side gets its best design and recipe; the checkpoints of its
    #: ``runs`` are recipes, or :data:`DENSE`. Absent: no such search.
    budgets: BudgetsConfig | None = None

    @property
    def choices(self) -> list[ChoicesConfig]:
        """Recipes and designs that both sides choose from under equal budgets, if there are any."""
        return [] if self.budgets is None else self.budgets.runs or []

    @model_validator(mode="after")
    def _budgets_say_who_chooses(self) -> Self:
        if self.budgets is not None and not self.budgets.runs:
            raise ValueError("budgets.runs must be given: recipes and designs to choose from")
        if self.budgets is not None and not (self.technology or self.budgets.technologies):
            raise ValueError("budgets.technologies must be given without a technology")
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError(f"variants must have different names, not {names}")
        if self.baseline not in names:
            raise ValueError(f"baseline must name a variant ({', '.join(names)})")
        if len(set(self.act_densities)) != len(self.act_densities):
            raise ValueError(f"act_densities must be different, not {self.act_densities}")
        return self
