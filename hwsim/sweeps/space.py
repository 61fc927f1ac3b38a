"""The space of a sweep: points by number, each resolved when it is asked for."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.checkpoints.find import find_checkpoint, named_network
from hwsim.config import ArchConfig, MemoryConfig
from hwsim.config.base import parse
from hwsim.config.jobs.sweep import SpaceConfig, SweepConfig, fields_of
from hwsim.errors import InputError
from hwsim.sweeps.fields import Tree, has, put
from hwsim.sweeps.point import Point, digest
from hwsim.sweeps.weights import network_of, read
from hwsim.workload.outside import Outside, outside_of

__all__ = ["Space"]


@dataclass(frozen=True)
class _Design:
    """A base design in one of its shapes."""

    name: str
    tree: Tree
    #: Fields in which the shape differs from the base, those that name it first.
    shape: Tree

    @property
    def title(self) -> str | None:
        """Name of the shape: 8 x 8; ``None`` for a design as it is."""
        return " x ".join(map(str, list(self.shape.values())[:2])) or None


class Space(Sequence[Point]):
    """Every point of a sweep, by number; the last axis varies fastest.

    Nothing is kept of a point but what its number says, so that a space may have any size. Points
    of different numbers may be the same one: see :class:`~hwsim.sweeps.point.Point`.

    Parameters
    ----------
    source
        File the sweep was read from, for messages.

    Raises
    ------
    InputError
        A file of a base cannot be read, the grid names a field that a base does not have, or a
        family has no shape of so many multipliers.
    """

    def __init__(self, sweep: SweepConfig, source: str) -> None:
        self.sweep = sweep
        self._parts = [_Part(sweep, name, space, source) for name, space in sweep.spaces.items()]
        size = sum(math.prod(part.sizes) for part in self._parts)
        if size > sys.maxsize:
            rule = f"must have less than 2^63 points, not {size:.1e}"
            raise InputError(source, "grid", None, rule)
        #: Columns that say where a point lies, and those that are enough for people.
        self.columns = list(dict.fromkeys(c for part in self._parts for c in part.columns))
        shown = dict.fromkeys(c for part in self._parts for c in part.shown)
        self.shown = list(shown)

    @property
    def axes(self) -> list[tuple[int, ...]]:
        """Number of values of each axis, for each run."""
        return [part.sizes for part in self._parts]

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        run, coordinates = self.coordinates(number)
        return self._parts[run].point(coordinates)

    def __iter__(self) -> Iterator[Point]:
        return (self[number] for number in range(len(self)))

    @property
    def outside(self) -> dict[str, list[Outside]]:
        """What runs outside the array, of each network of which something does."""
        every = {name: layers for part in self._parts for name, layers in part.outside.items()}
        return {name: layers for name, layers in every.items() if layers}

    def fields(self, number: int) -> Tree:
        """Where a point lies, without resolving it."""
        run, coordinates = self.coordinates(number)
        return self._parts[run].fields(coordinates)

    def coordinates(self, number: int) -> tuple[int, tuple[int, ...]]:
        """Run of a point, and which value it has on each of the run's axes."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        run = 0
        while number >= len(self._parts[run]):
            number -= len(self._parts[run])
            run += 1
        found = []
        for size in reversed(self._parts[run].sizes):
            number, value = divmod(number, size)
            found.append(value)
        return run, tuple(reversed(found))

    def number(self, run: int, coordinates: Sequence[int]) -> int:
        """Number of a point from its coordinates."""
        number = 0
        for size, value in zip(self._parts[run].sizes, coordinates, strict=True):
            number = number * size + value
        return sum(len(part) for part in self._parts[:run]) + number


class _Part:
    """Space of one run: the product of its axes."""

    def __init__(self, sweep: SweepConfig, name: str, space: SpaceConfig, source: str) -> None:
        self._sweep, self._name, self._space = sweep, name, space
        where = f"runs.{name}." if name else ""
        bases = {each: named_network(each) for each in space.network}
        self._networks = {
            each: named.network.model_dump(mode="json") for each, named in bases.items()
        }
        #: What of each network runs outside the array.
        self.outside = {each: outside_of(named.network) for each, named in bases.items()}
        #: Weights of networks that have their own, where the space names none.
        self._own = {
            each: Path(named.checkpoint.source)
            for each, named in bases.items()
            if named.checkpoint is not None
        }
        archs = {each: ArchConfig.read(each) for each in space.arch}
        trees = {each: arch.model_dump(mode="json") for each, arch in archs.items()}
        for key in space.grid:
            for field in fields_of(key):
                roots = trees if field.startswith("arch.") else self._networks
                for base, tree in roots.items():
                    if not has(tree, field):
                        rule = f"{base} has no field {field}"
                        raise InputError(source, f"{where}grid.{key}", None, rule)
        for memory in space.memory:
            if memory is not None:
                MemoryConfig.read(memory)
        designs = []
        for each, arch in archs.items():
            shapes = [{}] if space.multipliers is None else [
                {f"arch.array.{field}": value for field, value in shape.items()}
                for count in space.multipliers
                for shape in arch.array.splits(count)
            ]  # fmt: skip
            if not shapes:
                rule = f"{each} has no shape of so many: its PEs have {arch.array.multipliers}"
                raise InputError(source, f"{where}multipliers", space.multipliers, rule)
            designs += [_Design(each, trees[each], shape) for shape in shapes]
        # what is slow to prepare varies slowest: weights and images are inferred once for many
        self._axes: list[list[Any]] = [
            list(self._networks),
            space.weights or [None],
            space.images,
            space.memory,
            designs,
            space.slack,
            *map(_linked, space.grid, space.grid.values()),
        ]
        for weights in space.weights or ():
            for tree in self._networks.values():
                read(find_checkpoint(weights), json.dumps(tree))
        self.sizes = tuple(map(len, self._axes))

    def __len__(self) -> int:
        return math.prod(self.sizes)

    @property
    def columns(self) -> list[str]:
        """Columns that say where a point lies."""
        shapes = (field for design in self._axes[4] for field in design.shape)
        return list(dict.fromkeys((*self.shown, *shapes)))

    @property
    def shown(self) -> list[str]:
        """Columns without the fields of a shape, which has a name."""
        grid = (field for key in self._space.grid for field in fields_of(key))
        return [*self._base((0,) * len(self.sizes), {}), *grid]

    def fields(self, coordinates: Sequence[int]) -> Tree:
        """Where a point lies."""
        design, values = self._values(coordinates)
        return self._base(coordinates, values) | design.shape | values

    def point(self, coordinates: Sequence[int]) -> Point:
        """Resolve a point."""
        network, weights, images, memory = (
            axis[value] for axis, value in zip(self._axes[:4], coordinates, strict=False)
        )
        design, values = self._values(coordinates)
        fields = self._base(coordinates, values) | design.shape | values
        trees = {"arch": _copy(design.tree), "network": _copy(self._networks[network])}
        sweep = self._sweep
        try:
            for field, value in (design.shape | values).items():
                put(trees[field.partition(".")[0]], field, value)
            text = json.dumps(trees["network"])
            path = self._own.get(network) if weights is None else find_checkpoint(weights)
            return Point.of(
                parse(ArchConfig, trees["arch"], f"arch {design.name}"),
                network_of(text),
                fields,
                checkpoint=None if path is None else read(path, text),
                memory=memory,
                technology=sweep.technology,
                images=images,
                seed=sweep.seed,
                slack=self._axes[5][coordinates[5]] if sweep.fit else None,
            )
        except InputError as broken:
            key = digest({"error": str(broken), "weights": weights, "memory": memory, **trees})
            return Point(key=key, fields=fields, arch=None, network=None, error=str(broken))

    def _values(self, coordinates: Sequence[int]) -> tuple[_Design, Tree]:
        """Design of a point, and the values that the grid gives its fields."""
        chosen = (axis[value] for axis, value in zip(self._axes[6:], coordinates[6:], strict=True))
        design: _Design = self._axes[4][coordinates[4]]
        return design, {name: value for part in chosen for name, value in part.items()}

    def _base(self, coordinates: Sequence[int], values: Tree) -> Tree:
        """What a point is of, where the space says it."""
        network, weights, images, memory, design, slack = (
            axis[value] for axis, value in zip(self._axes[:6], coordinates, strict=False)
        )
        space = self._space
        said = {
            "run": self._name or None,
            "arch": design.name,
            "shape": design.title,
            "family": _family(design.tree, values),
            "network": network,
            "weights": weights,
            "memory": None if space.memory == [None] else memory or "none",
            "images": None if space.images == [1] else images,
            "slack": None if len(space.slack) == 1 else slack,
        }
        return {key: value for key, value in said.items() if value is not None}


def _linked(key: str, values: Sequence[Any]) -> list[Tree]:
    """Values of an axis of the grid: for each of its fields one."""
    fields = fields_of(key)
    return [
        dict(zip(fields, value, strict=True))
        if len(fields) > 1 and isinstance(value, list)
        else dict.fromkeys(fields, value)
        for value in values
    ]


def _family(arch: Tree, values: Tree) -> str:
    """Family of a design, which a value of the grid may replace."""
    replaced = values.get("arch.array")
    array = replaced if isinstance(replaced, dict) else arch["array"]
    return str(values.get("arch.array.family", array.get("family", "")))


def _copy(tree: Tree) -> Tree:
    copied: Tree = json.loads(json.dumps(tree))
    return copied
