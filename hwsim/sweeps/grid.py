"""From a sweep to its points: every combination of the grid's values, resolved and named."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hwsim import __version__
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.sweep import SweepConfig, fields_of
from hwsim.cost.book import record_digest
from hwsim.errors import InputError

__all__ = ["Point", "expand"]

Tree = dict[str, Any]

#: Keys that say nothing about the hardware or the workload: editing them keeps results valid.
PROSE = ("description", "source")


@dataclass(frozen=True)
class Point:
    """One design and one network of a sweep.

    ``key`` is a hash of everything that decides the result: both configurations with every field
    resolved, the batch, the seed, the technology's files and the version of the simulator. Where a
    rule of the configurations is broken ``error`` says which, and ``arch`` or ``network`` is
    ``None``.
    """

    key: str
    #: Base design and network.
    base: tuple[str, str]
    #: Value of every field that the grid varies.
    values: dict[str, Any]
    arch: ArchConfig | None
    network: NetworkConfig | None
    images: int
    seed: int
    #: Process that time, area and energy are in, if they are measured.
    technology: str | None = None
    error: str = ""


def expand(sweep: SweepConfig, source: str) -> list[Point]:
    """Points of a sweep in the order of the file, the last key varying fastest.

    Points that resolve to the same configurations are one point: the first is kept.

    Raises
    ------
    InputError
        A base cannot be read, or the grid names a field that a base does not have.
    """
    archs = {name: ArchConfig.read(name).model_dump() for name in sweep.arch}
    networks = {name: NetworkConfig.read(name).model_dump() for name in sweep.network}
    for key in sweep.grid:
        for name in fields_of(key):
            trees = archs if name.startswith("arch.") else networks
            for base, tree in trees.items():
                if not _has(tree, name):
                    raise InputError(source, f"grid.{key}", None, f"{base} has no field {name}")
    points: dict[str, Point] = {}
    for arch, network in itertools.product(archs, networks):
        for values in _combinations(sweep):
            point = _resolve(sweep, (arch, network), values, archs[arch], networks[network])
            points.setdefault(point.key, point)
    return list(points.values())


def _combinations(sweep: SweepConfig) -> Iterator[Tree]:
    axes = []
    for key, values in sweep.grid.items():
        fields = fields_of(key)
        axes.append(
            [
                dict(zip(fields, value, strict=True))
                if len(fields) > 1 and isinstance(value, list)
                else dict.fromkeys(fields, value)
                for value in values
            ]
        )
    for chosen in itertools.product(*axes):
        yield {name: value for part in chosen for name, value in part.items()}


def _resolve(
    sweep: SweepConfig, base: tuple[str, str], values: Tree, arch: Tree, network: Tree
) -> Point:
    error = ""
    trees = [_plain(arch), _plain(network)]
    configs: list[ArchConfig | NetworkConfig | None] = [None, None]
    try:
        for name, value in values.items():
            _set(trees[0] if name.startswith("arch.") else trees[1], name, value)
        configs = [
            parse(ArchConfig, trees[0], f"arch {base[0]}"),
            parse(NetworkConfig, trees[1], f"network {base[1]}"),
        ]
    except InputError as broken:
        error = str(broken)
    if not error:
        trees = [_plain(config.model_dump()) for config in configs if config is not None]
    decides = {
        "hwsim": __version__, "arch": trees[0], "network": trees[1],
        "images": sweep.images, "seed": sweep.seed,
        "technology": sweep.technology and record_digest(sweep.technology),
    }  # fmt: skip
    canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"))
    return Point(
        key=hashlib.sha256(canonical.encode()).hexdigest(),
        base=base,
        values=values,
        arch=configs[0] if isinstance(configs[0], ArchConfig) else None,
        network=configs[1] if isinstance(configs[1], NetworkConfig) else None,
        images=sweep.images,
        seed=sweep.seed,
        technology=sweep.technology,
        error=error,
    )


def _plain(tree: Tree) -> Tree:
    """Copy a dumped configuration as plain JSON data without its prose."""
    copied: Tree = json.loads(json.dumps(tree))
    return {key: value for key, value in copied.items() if key not in PROSE}


def _layer(tree: Tree, name: str) -> tuple[list[Tree], str]:
    """Layers that ``network.<...>`` addresses, if any, and the key inside each."""
    path = name.removeprefix("network.")
    if path in ("weight_density", "act_density"):
        return [layer for layer in tree["layers"] if layer["type"] in ("conv", "fc")], path
    # a layer's name may hold dots, a layer's key does not
    layer_name, _, key = path.removeprefix("layers.").rpartition(".")
    if not path.startswith("layers."):
        return [], key
    return [layer for layer in tree["layers"] if layer["name"] == layer_name], key


def _has(tree: Tree, name: str) -> bool:
    if name.startswith("network."):
        layers, key = _layer(tree, name)
        if layers:
            return all(key in layer for layer in layers)
    *parents, last = name.split(".")[1:]
    node: Any = tree
    for step in parents:
        node = node.get(step) if isinstance(node, dict) else None
    return isinstance(node, dict) and last in node


def _set(tree: Tree, name: str, value: Any) -> None:
    if name.startswith("network."):
        layers, key = _layer(tree, name)
        if layers:
            for layer in layers:
                layer[key] = value
            return
    *parents, last = name.split(".")[1:]
    node: Any = tree
    for step in parents:
        node = node.get(step) if isinstance(node, dict) else None
        if not isinstance(node, dict):
            raise InputError("grid", name, value, "is no key of the value of its parent")
    node[last] = value
