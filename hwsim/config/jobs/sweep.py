"""A sweep: a grid over any fields of designs and networks, and what a good point is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from hwsim.config.base import Config, load
from hwsim.config.catalog import resolve

__all__ = ["METRICS", "Metric", "SweepConfig", "fields_of"]

#: Points a grid may have; more is a mistake in the file rather than a wish.
MAX_POINTS = 100_000
#: Values nested in one grid value; an alias can repeat a branch without end.
MAX_NODES = 1000

Metric = Literal[
    "cycles", "time_us", "area_mm2", "time_area", "energy_uj", "mhz", "multipliers",
    "utilization", "macs", "useful_macs", "nonzeros", "bits", "bits_values", "bits_indices",
    "bits_pointers", "bits_padding",
]  # fmt: skip

#: What is measured at a point: column -> what it is, with its unit; the label of its axis.
METRICS: dict[Metric, str] = {
    "cycles": "cycles of all layers",
    "time_us": "time of all layers (us)",
    "area_mm2": "area with memories (mm2)",
    "time_area": "time x area (us mm2)",
    "energy_uj": "energy of all layers (uJ)",
    "mhz": "clock (MHz)",
    "multipliers": "multipliers (count)",
    "utilization": "utilization (useful MACs per multiplier and cycle)",
    "macs": "dense work (MACs)",
    "useful_macs": "MACs with both operands non-zero (MACs)",
    "nonzeros": "non-zero weights (count)",
    "bits": "stored weights (bits)",
    "bits_values": "weight values (bits)",
    "bits_indices": "indices (bits)",
    "bits_pointers": "pointers (bits)",
    "bits_padding": "padding (bits)",
}

#: Metrics that need a technology.
SILICON: tuple[Metric, ...] = ("time_us", "area_mm2", "time_area", "energy_uj", "mhz")

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class SweepConfig(Config):
    """A grid of points; every point is one design and one network, simulated cycle-exact.

    ``grid`` maps a dotted field of the design (``arch.array.rows``) or of the network
    (``network.layers.conv2.weight_density``; ``network.weight_density`` for all weighted layers)
    to the values it takes. A key may name several fields with commas between: they are linked,
    and a value is either given to all of them or a list with one value for each.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: str = ""
    #: Base designs and networks, by name or path; one name or a list, each crossed with the grid.
    arch: Names
    network: Names
    #: Batch: images run together.
    images: Annotated[int, Field(ge=1, le=100_000)] = 1
    #: Seed of synthetic operands.
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    #: Process that time, area and energy are in: a name in ``configs/tech`` or a file. Absent: they
    #: are not measured.
    technology: str | None = None
    grid: Annotated[dict[str, list[Any]], Field(min_length=1)]
    #: Result columns that span each network's Pareto front; the first two are the axes of the plot.
    objectives: Annotated[dict[Metric, Literal["min", "max"]], Field(min_length=2)]

    @field_validator("arch", "network", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, raw: object) -> object:
        return [raw] if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _grid_is_well_formed(self) -> Self:
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
        for metric in self.objectives:
            if metric in SILICON and self.technology is None:
                raise ValueError(f"technology: must be given for the objective {metric}")
        for key in ("arch", "network"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise ValueError(f"{key}: must list each name once")
        points = math.prod(map(len, (self.arch, self.network, *self.grid.values())))
        if points > MAX_POINTS:
            raise ValueError(f"grid: must have at most {MAX_POINTS} points, not {points}")
        return self

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
