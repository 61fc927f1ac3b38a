"""Any text and any data given to a reader is read or refused in one line, never a traceback."""

from __future__ import annotations

import datetime
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import Config, load, parse
from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.compress import CompressConfig
from hwsim.config.jobs.storage import StorageConfig
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.config.jobs.synthetic import SyntheticConfig
from hwsim.errors import InputError
from hwsim.sweeps.space import Space

READERS: list[type[Config]] = [
    ArchConfig,
    CompressConfig,
    NetworkConfig,
    StorageConfig,
    SweepConfig,
    SyntheticConfig,
]
FILES = {
    ArchConfig: CONFIGS / "arch" / "csc_16x4.yaml",
    CompressConfig: CONFIGS / "compress" / "lenet5_structured_10x.yaml",
    NetworkConfig: CONFIGS / "network" / "lenet5.yaml",
    StorageConfig: CONFIGS / "storage" / "admm_nn.yaml",
    SweepConfig: CONFIGS / "sweep" / "array_size.yaml",
    SyntheticConfig: CONFIGS / "compress" / "published_vgg16_pattern.yaml",
}

#: What YAML can give that JSON cannot, and values at the borders of the rules.
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 2, 3, 8, 255, 256, 1 << 20, -1, 1 << 64, 1 << 13000]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["dense", "csc", "ws", "os", "conv", "fc", "add", "maxpool", "input", "min"]),
    st.binary(max_size=4),
    st.dates(),
    st.just(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)),
    st.sets(st.integers(), max_size=2),
)
WORDS = """
name array family rows cols acc_depth dataflow pes numbers psum_width input layers type M R G inputs
channels stride padding grid arch network objectives cycles bits images seed arch.array.rows
network.weight_density
"""
KEYS = st.one_of(
    st.sampled_from(re.findall(r"\S+", WORDS)),
    st.text(max_size=5),
    st.integers(-2, 2),
    st.none(),
    st.booleans(),
)
DATA = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@contextmanager
def file_of(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.yaml"
        path.write_bytes(content)
        yield path


def told(read: Callable[[], Config]) -> str:
    """Read something: the complaint it gives, or nothing where it is good."""
    try:
        read()
    except InputError as error:
        return str(error)
    return ""


def read_or_refuse(cls: type[Config], content: bytes) -> None:
    with file_of(content) as path:
        line = told(lambda: load(cls, path))
        assert line == "" or line.startswith(f"{path}: ")
        assert "\n" not in line
        assert len(line) < len(str(path)) + 400


def places(node: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of every node of plain data."""
    inner = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    return [here, *(path for key, child in inner for path in places(child, (*here, key)))]


@pytest.mark.parametrize("cls", READERS)
@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@example(content=b"a: &a [*a]")
@example(content=b"name: &a {x: *a}\narray: *a\ngrid: *a\nlayers: [*a]\ninput: *a")
@example(content=b"[" * 3000)
@example(content=b"a: " + b"[" * 900 + b"]" * 900)
@example(content=b"name: 0x" + b"f" * 5000)
@example(content=b"rows: " + b"9" * 5000)
@example(content=b"? [a, b]\n: c")
@example(content=b"? {a: b}\n: c")
@example(content=b"!!python/object/apply:os.system ['true']")
@example(content=b"- !!set {a, b}\n--- second\n")
@example(content=b"a: 2020-99-99")
@example(content=b"a: !!binary x")
@example(content=b"<<: [1]")
@example(content=b"<<: {name: x}\nname: y")
@example(content=b"a: 1:99999999999999999999")
@example(content=b"a\0b")
@example(content=b"\xef\xbb\xbfname: x")
@example(content=b"=: 1")
@example(content=b"a: =")
def test_any_text(cls: type[Config], content: bytes) -> None:
    read_or_refuse(cls, content)


@pytest.mark.parametrize("cls", READERS)
@settings(max_examples=200, deadline=None)
@given(data=DATA)
def test_any_data(cls: type[Config], data: Any) -> None:
    line = told(lambda: parse(cls, data, "fuzz"))
    assert line == "" or line.startswith("fuzz: ")
    assert "\n" not in line


@pytest.mark.parametrize("cls", READERS)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_wrong_value_in_a_good_file(cls: type[Config], data: st.DataObject) -> None:
    good = yaml.safe_load(FILES[cls].read_text())
    if cls is SweepConfig:
        good["network"] = ["lenet5"]  # the others are large: too slow to expand so often
    path = data.draw(st.sampled_from(places(good)[1:]))
    node = good
    for step in path[:-1]:
        node = node[step]
    match data.draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            node[path[-1]] = data.draw(DATA)
        case "remove":
            del node[path[-1]]
        case _ if isinstance(node, dict):
            node[data.draw(KEYS)] = data.draw(DATA)

    def read() -> Config:
        config = parse(cls, good, "fuzz")
        if isinstance(config, SweepConfig):
            list(Space(config, "fuzz"))
        return config

    assert "\n" not in told(read)


@pytest.mark.parametrize("cls", READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_good_file_damaged(cls: type[Config], data: st.DataObject) -> None:
    content = FILES[cls].read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 10)))
    read_or_refuse(cls, content[:start] + data.draw(st.binary(max_size=6)) + content[end:])


@pytest.mark.parametrize("cls", READERS)
@pytest.mark.parametrize("place", ["a", "name", "array", "input", "layers", "grid", "arch"])
def test_a_bomb_of_aliases_is_refused_at_once(cls: type[Config], place: str) -> None:
    lines = ["a0: &a0 [1, 1]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    read_or_refuse(cls, "\n".join([*lines, f"{place}: *a59"]).encode())


def test_a_bomb_as_a_value_of_a_sweep_is_refused_at_once() -> None:
    bomb: Any = [1, 1]
    for _ in range(60):
        bomb = [bomb, bomb]
    raw = yaml.safe_load(FILES[SweepConfig].read_text())
    raw["grid"] = {"arch.array.acc_depth": [bomb, [bomb]]}
    assert told(lambda: parse(SweepConfig, raw, "fuzz")) == (
        "fuzz: grid.arch.array.acc_depth: must have plain values: text, numbers, lists, mappings"
    )
