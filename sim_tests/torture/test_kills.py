"""A few kills of the quickest command, and faults that the rounds must see."""

from __future__ import annotations

import sqlite3

import pytest

from hwsim.sweeps.store import Row, Store
from torture import kills


@pytest.mark.slow
def test_a_sweep_that_is_killed_ends_as_if_nothing_had_been(monkeypatch):
    monkeypatch.setattr(kills, "KILLS", 2)
    found = kills.round_("sweep", 1)
    assert found["kills"] > 0
    assert found["wrong"] == []


def test_a_half_of_a_file_is_seen(tmp_path):
    out = tmp_path / "out"
    assert kills.unwhole(out) == []
    out.mkdir()
    (out / "results.json").write_text('{"cycles": 3}')
    (out / ".results.json.x1").write_text('{"cy')
    assert kills.unwhole(out) == []
    (out / "results.json").write_text('{"cy')
    (problem,) = kills.unwhole(out)
    assert "JSONDecodeError" in problem


def test_what_is_lost_and_what_is_doubled_is_seen(tmp_path):
    path = tmp_path / "points.sqlite"
    with Store.open(path) as store:
        store.put(Row("a", "done", {}, result={"cycles": 1}))
        store.put(Row("b", "done", {}, result={"cycles": 2}))
        store.put(Row("b", "done", {}, result={"cycles": 2}))
    found = kills.points_of(path)
    assert {key: runs for key, (_, runs) in found.items()} == {"a": 1, "b": 2}
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises((sqlite3.DatabaseError, AssertionError)):
        kills.points_of(path)
    assert kills.unwhole(tmp_path) != []
