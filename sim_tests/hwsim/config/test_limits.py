"""Every number of a configuration is bounded where it is read."""

from __future__ import annotations

import importlib
import pkgutil
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from annotated_types import Le, Lt
from pydantic import BeforeValidator

import hwsim.config
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
from hwsim.config.base import Config, parse
from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.compress import CompressConfig
from hwsim.config.jobs.storage import StorageConfig
from hwsim.config.jobs.study import StudyConfig
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.config.jobs.synthetic import SyntheticConfig
from hwsim.config.limits import LARGEST_REAL, name_of
from hwsim.config.tech import TechConfig
from hwsim.errors import InputError


def groups(cls: type[Config] = Config) -> Iterator[type[Config]]:
    """Every group of keys there is."""
    for module in pkgutil.walk_packages(hwsim.config.__path__, "hwsim.config."):
        importlib.import_module(module.name)
    for child in cls.__subclasses__():
        if child.__module__.startswith("hwsim."):
            yield child
            yield from groups(child)


def unbounded(kind: Any, metadata: list[Any]) -> Iterator[type]:
    """Numbers of a type that nothing bounds above."""
    if hasattr(kind, "__metadata__"):
        own = [each for part in kind.__metadata__ for each in getattr(part, "metadata", [part])]
        yield from unbounded(typing.get_args(kind)[0], own)
    elif any(isinstance(each, BeforeValidator) for each in metadata):
        return  # strides and padding, which say their bounds themselves
    elif kind in (int, float):
        if not any(isinstance(each, Le | Lt) for each in metadata):
            yield kind
    elif typing.get_origin(kind) is not typing.Literal:
        is_union = typing.get_origin(kind) in (types.UnionType, typing.Union)
        for part in typing.get_args(kind):
            yield from unbounded(part, metadata if is_union else [])


def test_every_number_of_every_configuration_has_a_largest():
    classes = set(groups())
    assert len(classes) > 40
    found = [
        f"{cls.__name__}.{name}"
        for cls in classes
        for name, field in cls.model_fields.items()
        for _ in unbounded(field.annotation, field.metadata)
    ]
    assert sorted(found) == []


#: File, path of a key, a value that means nothing, and how the line begins.
NONSENSE = [
    (StudyConfig, "study/lenet5", "study.images", 1 << 60, "less than or equal to 100000"),
    (StudyConfig, "study/lenet5", "study.verify.images", 1 << 60, "less than or equal to 100000"),
    (StudyConfig, "study/lenet5", "study.budgets.clock_mhz", 1e300, "less than or equal to 1000"),
    (StudyConfig, "study/eie", "study.layers.0.theoretical_us", 1e300, "less than or equal to 1"),
    (StudyConfig, "study/eie", "study.layers.0.M", 1 << 20, "M x K must be at most 134,217,728"),
    (StudyConfig, "study/eie", "study.fifo_depths.0", 1 << 40, "less than or equal to 1024"),
    (StudyConfig, "study/eie", "study.seed", 1 << 200, "less than 4294967296"),
    (StudyConfig, "study/eie", "name", "a" * 64, "should match pattern"),
    (SweepConfig, "sweep/array_size", "name", "a" * 300, "should match pattern"),
    (NetworkConfig, "network/lenet5", "name", "a" * 300, "should match pattern"),
    (NetworkConfig, "network/lenet5", "layers.0.relu_max", 1e300, "less than or equal to 34028"),
    (CompressConfig, "compress/lenet5_dense", "quantize.images", 10**9, "equal to 100000"),
    (SyntheticConfig, "compress/published_vgg16_pattern", "seed", -1, "greater than or equal"),
    (StorageConfig, "storage/admm_nn", "rows.0.published.data_kb", 1e300, "less than or equal"),
    (ArchConfig, "arch/csc_16x4", "array.load_pes", 1 << 70, "less than or equal to 65536"),
    (MemoryConfig, "memory/ideal", "latency", 1 << 70, "less than or equal to 4096"),
    (TechConfig, "tech/45nm", "scaled.delay", 1e300, "less than or equal to 1000000000000"),
]


@pytest.mark.parametrize(("cls", "file", "key", "value", "rule"), NONSENSE)
def test_nonsense_is_refused_where_it_is_read(
    cls: type[Config], file: str, key: str, value: Any, rule: str
):
    raw = yaml.safe_load((CONFIGS / f"{file}.yaml").read_text())
    *steps, last = [int(step) if step.isdecimal() else step for step in key.split(".")]
    node = raw
    for step in steps:
        node = node[step] if isinstance(step, int) else node.setdefault(step, {})
    node[last] = value
    with pytest.raises(InputError, match=rule) as caught:
        parse(cls, raw, file)
    assert len(str(caught.value)) < 300


def test_the_largest_weight_is_within():
    layers = [
        {"name": "a", "type": "activation", "function": "clip", "alpha": -LARGEST_REAL, "beta": 6.0}
    ]
    raw = {"name": "n", "input": {"channels": 1}, "layers": layers}
    assert parse(NetworkConfig, raw, "x").layers[0].alpha == -LARGEST_REAL


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/Résumé v2.onnx", "r_sum__v2"),
        ("7x7.csv", "kind_7x7"),
        ("_.csv", "kind"),
        ("x" * 300 + ".csv", "x" * 63),
        ("\N{SNOWMAN}.csv", "kind"),
    ],
)
def test_names_of_files_are_names(path: str, name: str):
    assert name_of(Path(path), "kind") == name
    NetworkConfig(name=name, input={"channels": 1}, layers=[{"name": "f", "type": "fc", "M": 1}])


@pytest.mark.parametrize(
    ("array", "rule"),
    [
        (
            {"family": "dense", "dataflow": "ws", "rows": 1, "cols": 8, "acc_depth": 4096,
             "gather_depth": 1024},
            "gather_depth x acc_depth must be at most 524,288, not 4,194,304",
        ),
        (
            {"family": "csc", "pes": 16, "entry_depth": 4, "acc_depth": 128, "carries": True,
             "window": 16, "col_depth": 4},
            r"window must be at most col_depth \(4\) with carries, not 16",
        ),
    ],
)  # fmt: skip
def test_what_random_designs_found(array: dict[str, Any], rule: str):
    """A memory that took gigabytes to be generated; a word wider than the memory of its columns."""
    with pytest.raises(InputError, match=rule):
        parse(ArchConfig, {"name": "found", "array": array}, "found")
