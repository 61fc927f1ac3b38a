"""A sweep: a space of designs, networks, weights and memories, and what a good point is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from hwsim.config.base import Config, load
from hwsim.config.catalog import resolve
from hwsim.config.jobs.metrics import SILICON, check_metric
from hwsim.config.limits import Images, Name, Seed

__all__ = [
    "MAX_POINTS",
    "BoundConfig",
    "SamplerConfig",
    "SpaceConfig",
    "SweepConfig",
    "fields_of",
]

#: Points that may be looked at one by one; of a larger space a sampler takes some.
MAX_POINTS = 100_000
#: Values nested in one grid value; an alias can repeat a branch without end.
MAX_NODES = 1000

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
Memories = Annotated[list[str | None], Field(min_length=1)]
Counts = Annotated[list[Images], Field(min_length=1)]
#: Beyond any number of cycles.
Bound = Annotated[float, Field(ge=-1e18, le=1e18)]
Slacks = Annotated[list[Annotated[float, Field(ge=0, le=100)]], Field(min_length=1)]


def _alone() -> list[str | None]:
    return [None]


def _least_slack() -> list[float]:
    return [0.01]


class BoundConfig(Config):
    """Least and greatest value that a metric may have."""

    min: Bound | None = None
    max: Bound | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("must give min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min must be at most max ({self.max}), not {self.min}")
        return self


class SamplerConfig(Config):
    """Which points of a space are looked at.

    ``exhaustive`` takes all of them; ``sobol`` spreads ``points`` evenly; ``nsga2`` begins like
    ``sobol`` and then breeds ``population`` points at a time from the best so far; ``optuna`` asks
    the library of that name (extra ``optuna``).
    """

    kind: Literal["exhaustive", "sobol", "nsga2", "optuna"] = "exhaustive"
    #: Points to look at.
    points: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    #: Points of a generation.
    population: Annotated[int, Field(ge=4, le=10_000)] = 64
    seed: Seed = 0

    @model_validator(mode="after")
    def _has_a_budget(self) -> Self:
        if self.kind == "exhaustive" and self.points is not None:
            raise ValueError("points must be absent for kind exhaustive: it takes all")
        if self.kind != "exhaustive" and self.points is None:
            raise ValueError(f"points must be given for kind {self.kind}")
        return self


class SpaceConfig(Config):
    """Axes of a space: each value of one with each value of all others.

    ``grid`` maps a dotted field of the design (``arch.array.rows``) or of the network
    (``network.layers.conv2.weight_density``; ``network.weight_density`` for all weighted layers)
    to the values it takes. A key may name several fields with commas between: they are linked,
    and a value is either given to all of them or a list with one value for each.
    """

    #: Base designs and networks, by name or path. A network may be a checkpoint or the folder of an
    #: import, whose weights are then the point's, or an ``.onnx`` file.
    arch: Names = Field(default_factory=list)
    network: Names = Field(default_factory=list)
    #: Multipliers that each design is to have: it is then taken in every shape of so many that its
    #: family has (``splits`` of its array). Absent: as it is.
    multipliers: Counts | None = None
    #: Checkpoints. Absent: the network's own, else synthetic weights at the densities of its file.
    weights: Names | None = None
    #: Memories outside, which the design's machine runs the network from; ``null``: the array
    #: alone, whose streams never wait.
    memory: Memories = Field(default_factory=_alone)
    #: Batch: images run together.
    images: Counts = Field(default_factory=lambda: [1])
    #: Fraction of cycles, and of words on each stream, that fitted memories may lose: how ``fit``
    #: trades time for area.
    slack: Slacks = Field(default_factory=_least_slack)
    grid: dict[str, list[Any]] = Field(default_factory=dict)

    @field_validator("arch", "network", "weights", "memory", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, raw: object) -> object:
        return [raw] if isinstance(raw, str) else raw

    @field_validator("multipliers", "images", "slack", mode="before")
    @classmethod
    def _one_number_is_a_list(cls, raw: object) -> object:
        return [raw] if isinstance(raw, int | float) else raw

    @model_validator(mode="after")
    def _axes_are_well_formed(self) -> Self:
        seen: set[str] = set()
        for key, values in self.grid.items():
            fields = fields_of(key)
            for name in fields:
                if not name.startswith(("arch.", "network.")) or "" in name.split("."):
                    raise ValueError(
                        f"grid.{key}: must name fields as arch.<field> or network.<field>"
                    )
                if name in seen:
                    raise ValueError(f"grid.{key}: {name} must be given once")
                seen.add(name)
            _check_values(key, len(fields), values)
        for key in ("arch", "network", "weights", "memory", "images", "multipliers", "slack"):
            values = getattr(self, key) or []
            if len(set(values)) < len(values):
                raise ValueError(f"{key}: must list each one once")
        return self


class SweepConfig(SpaceConfig):
    """A space, which of its points are looked at, and what is sought.

    A sweep is one space, or with ``runs`` several, whose keys replace the sweep's own; their
    ``grid`` is added to the sweep's. Points of all runs compete.
    """

    name: Name
    description: str = ""
    runs: dict[Name, SpaceConfig] = Field(default_factory=dict)
    #: Seed of synthetic operands.
    seed: Seed = 0
    #: Process that time, area and energy are in: a name in ``configs/tech`` or a file. Absent: they
    #: are not measured.
    technology: str | None = None
    #: Size the memories of each design for the point's workload (``hwsim fit``) before its area and
    #: energy are taken.
    fit: bool = False
    #: Metrics that span the Pareto fronts; the first two are the axes of the plot.
    objectives: Annotated[dict[str, Literal["min", "max"]], Field(min_length=2)]
    #: Metric -> bounds. Points outside are kept, and say which bound they miss by how much.
    constraints: dict[str, BoundConfig] = Field(default_factory=dict)
    sampler: SamplerConfig = SamplerConfig()

    @field_validator("sampler", mode="before")
    @classmethod
    def _a_kind_is_a_sampler(cls, raw: object) -> object:
        return {"kind": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _names_what_is_measured(self) -> Self:
        for section in ("objectives", "constraints"):
            for metric in getattr(self, section):
                check_metric(section, metric)
                if metric in SILICON and self.technology is None:
                    what = section.removesuffix("s")
                    raise ValueError(f"technology: must be given for the {what} {metric}")
        if self.fit and self.technology is None:
            raise ValueError("technology: must be given with fit, which compares areas")
        for name, space in self.spaces.items():
            where = f"runs.{name}." if name else ""
            if space.slack != _least_slack() and not self.fit:
                raise ValueError(
                    f"{where}slack: must be absent without fit: it is what that may lose"
                )
            for key in ("arch", "network"):
                if not getattr(space, key):
                    raise ValueError(f"{where}{key}: must be given")
        return self

    @property
    def spaces(self) -> dict[str, SpaceConfig]:
        """Space of each run, whole; without runs the sweep's own under an empty name."""
        own = {key: getattr(self, key) for key in SpaceConfig.model_fields}
        if not self.runs:
            return {"": SpaceConfig(**own)}
        return {
            name: SpaceConfig(
                **own
                | {key: getattr(run, key) for key in run.model_fields_set}
                | {"grid": self.grid | run.grid}
            )
            for name, run in self.runs.items()
        }

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a sweep by name (``configs/sweep``) or path."""
        return load(cls, resolve(name, "sweep"))


def fields_of(key: str) -> list[str]:
    """Fields that one key of the grid names: several where they are linked."""
    return [part.strip() for part in key.split(",")]


def _check_values(key: str, linked: int, values: list[Any]) -> None:
    if not values:
        raise ValueError(f"grid.{key}: must have at least one value")
    if not all(map(_is_plain, values)):
        raise ValueError(f"grid.{key}: must have plain values: text, numbers, lists, mappings")
    for value in values:
        if linked > 1 and isinstance(value, list) and len(value) != linked:
            raise ValueError(
                f"grid.{key}: must have one entry per field ({linked}) in each list, "
                f"not {len(value)}"
            )
    # as JSON, where unlike in Python true, 1 and 1.0 differ
    if len({json.dumps(value, sort_keys=True) for value in values}) < len(values):
        raise ValueError(f"grid.{key}: must have each value once")


def _is_plain(value: object) -> bool:
    """Say whether JSON can hold a value, in at most ``MAX_NODES`` nodes."""
    waiting, nodes = [value], 0
    while waiting:
        node = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES:
            return False
        if isinstance(node, dict):
            if not all(isinstance(name, str) for name in node):
                return False
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, float):
            if not math.isfinite(node):
                return False
        elif isinstance(node, int):
            # also keeps out integers too long to be printed
            if abs(node) >= 1 << 63:
                return False
        elif not isinstance(node, str | None):
            return False
    return True
