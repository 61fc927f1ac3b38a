"""What torture has done is never done twice, and batches end at their bounds."""

from __future__ import annotations

import json
import sys

from torture import watch
from torture.record import Record

PYTHON = sys.executable


def test_a_record_survives_a_kill_within_a_line(tmp_path):
    path = tmp_path / "a" / "r.jsonl"
    record = Record(path)
    record.add("one", {"cases": 2})
    record.add("two", {"cases": 3})
    with path.open("a") as file:
        file.write('{"key": "thr')
    again = Record(path)
    assert again.done == {"one": {"cases": 2}, "two": {"cases": 3}}
    assert again.total("cases") == 5
    again.add("three", {"cases": 4})
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == [
        "one", "two", "three"
    ]  # fmt: skip
    assert Record(path).total("cases") == 9


def bounded(monkeypatch, tmp_path, code, **bounds):
    """Run Python code as a batch."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexec {PYTHON} -c '{code}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(watch.sys, "executable", str(program))
    return watch.run([], **bounds)


def test_a_batch_gives_its_last_line(monkeypatch, tmp_path):
    code = 'print("noise"); print("{\\"cases\\": 1}")'
    ended = bounded(monkeypatch, tmp_path, code, seconds=60)
    assert (ended.result, ended.status, ended.bound) == ({"cases": 1}, 0, "")
    assert ended.peak > 1e6


def test_a_batch_that_is_killed_gives_nothing(monkeypatch, tmp_path):
    code = "import os; print(1, flush=True); os.kill(os.getpid(), 11)"
    ended = bounded(monkeypatch, tmp_path, code, seconds=60)
    assert (ended.result, ended.status, ended.bound) == (None, -11, "")


def test_a_batch_ends_at_its_time_and_at_its_memory(monkeypatch, tmp_path):
    slow = bounded(monkeypatch, tmp_path, "import time; time.sleep(600)", seconds=1)
    assert (slow.bound, slow.status, slow.result) == ("time", -9, None)
    code = 'import time; a = bytearray(b"x") * (300 << 20); time.sleep(600)'
    large = bounded(monkeypatch, tmp_path, code, seconds=60, memory=200 << 20)
    assert (large.bound, large.status) == ("memory", -9)
