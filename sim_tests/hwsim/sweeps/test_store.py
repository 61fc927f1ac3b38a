"""The store of a sweep: what is put stays, whatever happens next."""

from __future__ import annotations

import os
import resource
import sqlite3
from pathlib import Path

import pytest

from hwsim.errors import InputError
from hwsim.sweeps.store import Row, Store


def row(key: str = "k", cycles: int = 7) -> Row:
    return Row(key, "done", {"arch": "a", "arch.array.rows": 4}, "", {"cycles": cycles}, 0.5)


def test_rows_come_back_equal_and_in_the_order_asked(tmp_path: Path) -> None:
    rows = [row("b"), Row("a", "invalid", {"x": None}, "rule"), row("c", 1 << 60)]
    with Store.open(tmp_path / "s.sqlite") as store:
        for item in rows:
            store.put(item)
    with Store.open(tmp_path / "s.sqlite") as store:
        assert list(store.rows(["b", "a", "missing", "c"])) == rows
        assert store.get("missing") is None


def test_putting_again_replaces_and_counts(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.sqlite") as store:
        store.put(row(cycles=1))
        store.put(row(cycles=2))
        (kept,) = store.rows(["k"])
        assert (kept.result, kept.runs) == ({"cycles": 2}, 2)


def test_a_put_is_visible_to_another_connection_at_once(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.sqlite") as store:
        store.put(row())
        other = sqlite3.connect(tmp_path / "s.sqlite")
        assert other.execute("SELECT key, status, runs FROM point").fetchall() == [("k", "done", 1)]
        other.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store.open(path), pytest.raises(InputError) as caught, Store.open(path):
        pass
    line = str(caught.value)
    assert line.startswith(f"{path}: is in use by process {os.getpid()}: ")
    assert line.endswith("; --store names another")


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"\xff" * 200])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(content * 10)
    with pytest.raises(InputError, match="cannot be used as a sweep store"), Store.open(path):
        pass
    assert path.read_bytes() == content * 10


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE point (x)")
    other.close()
    with (
        pytest.raises(InputError, match="must be a store of layout 2, not none: it is left"),
        Store.open(path),
    ):
        pass


def test_a_full_disk_is_one_line_and_keeps_what_was_put(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store.open(path) as store:
        store.put(row("kept"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
        try:
            with pytest.raises(InputError, match="cannot be used as a sweep store"):
                store.put(Row("big", "failed", {}, "x" * 1_000_000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with Store.open(path) as store:
        assert [item.key for item in store.rows(["kept", "big"])] == ["kept"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="cannot be written"),
        Store.open(tmp_path / "file" / "s.sqlite"),
    ):
        pass


def test_merging_takes_what_is_settled_there_and_not_here(tmp_path: Path) -> None:
    here, there = tmp_path / "here.sqlite", tmp_path / "there.sqlite"
    with Store.open(there) as store:
        for key in ("both", "failed here", "only there"):
            store.put(row(key, cycles=2))
        store.put(Row("failed there", "failed", {}, "why"))
        store.put(Row("bounded there", "bounded", {}, "why"))
    with Store.open(here) as store:
        store.put(row("both", cycles=1))
        store.put(Row("failed here", "failed", {}, "why"))
        store.put(row("failed there", cycles=1))
        store.merge(there)
        keys = ["both", "failed here", "only there", "failed there", "bounded there"]
        assert [(r.status, r.result.get("cycles")) for r in store.rows(keys)] == [
            ("done", 1), ("done", 2), ("done", 2), ("done", 1), ("bounded", None)
        ]  # fmt: skip
        with pytest.raises(InputError, match="no such file"):
            store.merge(tmp_path / "nowhere.sqlite")
        with pytest.raises(InputError, match="is in use"):
            store.merge(here)


def test_layers_come_back_equal(tmp_path: Path) -> None:
    layers = [{"layer": "conv1", "causes": {"pe": {"mac": 1 << 40}}}, {"layer": "fc"}]
    with Store.open(tmp_path / "s.sqlite") as store:
        store.put(Row("k", "done", {}, layers=layers))
        assert store.layers("k") == layers
        assert store.layers("missing") == []
