"""Studies: which designs to compare on which weights, and what of it the RTL must prove."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config, load, resolve

__all__ = [
    "CompareConfig",
    "PublishedConfig",
    "PublishedLayer",
    "StudyConfig",
    "VariantConfig",
    "VerifyConfig",
]

Positive = Annotated[int, Field(ge=1)]
Density = Annotated[float, Field(gt=0, le=1)]


class VariantConfig(Config):
    """One compressed model on one design."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    #: Name or path of the design.
    arch: str
    #: Name or path of the checkpoint.
    checkpoint: str
    #: Whether the RTL runs the study's layers with these weights and must agree.
    verify: bool = False


class VerifyConfig(Config):
    """Real layers that the generated RTL runs."""

    layers: Annotated[list[str], Field(min_length=1)]
    images: Positive = 1


class CompareConfig(Config):
    """Compare compressed models of one network on designs with as many multipliers."""

    kind: Literal["compare"]
    network: str
    #: Test images run as one batch.
    images: Positive
    #: Variant that speedups are relative to.
    baseline: str
    #: A variant may win if its accuracy is at most this far below the best (points of per cent).
    accuracy_bound: Annotated[float, Field(gt=0, le=100)] = 0.5
    variants: Annotated[list[VariantConfig], Field(min_length=1)]
    verify: VerifyConfig

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError(f"variants must have different names, not {names}")
        if self.baseline not in names:
            raise ValueError(f"baseline must name a variant ({', '.join(names)})")
        return self


class PublishedLayer(Config):
    """One layer of a published table: what we simulate, and the times the paper gives."""

    name: str
    M: Positive
    K: Positive
    weight_density: Density
    act_density: Density
    theoretical_us: Annotated[float, Field(gt=0)]
    actual_us: Annotated[float, Field(gt=0)]


class PublishedConfig(Config):
    """Hold our simulator to a published table, on random operands at the stated densities."""

    kind: Literal["published"]
    #: Where the figures come from.
    source: str
    arch: str
    seed: Annotated[int, Field(ge=0)] = 0
    #: Largest relative difference from either published time.
    tolerance: Annotated[float, Field(gt=0, lt=1)]
    layers: Annotated[list[PublishedLayer], Field(min_length=1)]
    #: Depths of the activation queue to plot load-balance efficiency against.
    fifo_depths: Annotated[list[Positive], Field(min_length=2)]


class StudyConfig(Config):
    """One study: a name and what to do."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    study: Annotated[CompareConfig | PublishedConfig, Field(discriminator="kind")]

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a study by name (``configs/study``) or path."""
        return load(cls, resolve(name, "study"))
