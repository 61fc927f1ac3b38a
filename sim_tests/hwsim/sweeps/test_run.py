"""Running a sweep: every point once, also when the process is killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hwsim.config.base import load, parse
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.errors import InputError
from hwsim.sweeps.bounds import Bounds
from hwsim.sweeps.engines.base import Evaluate
from hwsim.sweeps.engines.local import local
from hwsim.sweeps.evaluate import Measured
from hwsim.sweeps.point import Point
from hwsim.sweeps.run import Looked, Search
from hwsim.sweeps.samplers.exhaustive import Exhaustive
from hwsim.sweeps.samplers.nsga2 import NSGA2
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Store

PATIENCE_S = 60

#: A sweep of 30 slow points on 2 processes, which logs every evaluation it starts. While there is a
#: file ``hold``, evaluations wait from that on whose number is in it: however slow the machine, a
#: signal then finds the sweep under way.
SWEEPER = """
import os, signal, sys, time
from pathlib import Path
from hwsim.config.base import load
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.sweeps.bounds import Bounds
from hwsim.sweeps.engines.local import local
from hwsim.sweeps.evaluate import Measured
from hwsim.sweeps.run import Search
from hwsim.sweeps.samplers.exhaustive import Exhaustive
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Store

FOLDER = Path(__file__).parent

def is_held(started):
    try:
        return started >= int((FOLDER / "hold").read_text())
    except (FileNotFoundError, ValueError):
        return False

def slow(point):
    with (FOLDER / "log").open("a") as log:
        log.write(f"{point.key} {os.getpid()}\\n")
    time.sleep(0.04)
    started = len((FOLDER / "log").read_text().splitlines())
    while is_held(started):
        time.sleep(0.01)
    return Measured({"cycles": point.fields["arch.array.rows"]})

if __name__ == "__main__":
    # a shell that starts the tests in the background lets them ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    space = Space(load(SweepConfig, FOLDER / "sweep.yaml"), "sweep.yaml")
    with Store.open(FOLDER / "sweep.sqlite") as store, local(slow, 2) as engine:
        print("ready", flush=True)
        search = Search(space, store, {"cycles": "min"}, {}, Bounds(None))
        search.run(Exhaustive(len(space)), engine)
"""

YAML = """
name: killed
arch: dense_8x8_ws
network: lenet5
grid:
  arch.array.rows: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  arch.array.cols: [1, 2, 3]
objectives: {cycles: min, multipliers: min}
"""


def sweep(grid: dict[str, list[Any]]) -> Space:
    raw: dict[str, Any] = {
        "name": "test",
        "arch": "dense_8x8_ws",
        "network": "lenet5",
        "grid": grid,
        "objectives": {"multipliers": "min", "cycles": "min"},
    }
    return Space(parse(SweepConfig, raw, "test.yaml"), "test.yaml")


def search(space: Space, store: Store, evaluate: Evaluate, **options: Any) -> Looked:
    """Look at every point of a space in this process."""
    searched = Search(space, store, {"cycles": "min"}, {}, Bounds(None), **options)
    with local(evaluate, 1) as engine:
        return searched.run(Exhaustive(len(space)), engine)


def rows_of(point: Point) -> Measured:
    if point.fields["arch.array.rows"] == 13:
        raise ZeroDivisionError("thirteen")
    if point.fields["arch.array.rows"] == 14:
        raise InputError("engine", "rows", 14, "must not be 14")
    return Measured({"cycles": point.fields["arch.array.rows"]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sweeper.py").write_text(SWEEPER)
    (tmp_path / "sweep.yaml").write_text(YAML)
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(folder / "sweeper.py")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    code = process.wait(PATIENCE_S)
    process.stdout.close()
    return code


def stored(folder: Path) -> dict[str, tuple[str, int, str]]:
    connection = sqlite3.connect(folder / "sweep.sqlite")
    try:
        rows = connection.execute("SELECT key, result, runs, finished FROM point").fetchall()
    finally:
        connection.close()
    return {key: tuple(rest) for key, *rest in rows}  # type: ignore[misc]


def evaluations(folder: Path) -> list[tuple[str, int]]:
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [(key, int(pid)) for key, pid in map(str.split, lines)]


def wait_until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_killed_at_any_moment_and_resumed_every_point_is_recorded_once(folder: Path) -> None:
    points = Space(load(SweepConfig, folder / "sweep.yaml"), "sweep.yaml")
    kills = 0
    for target in (1, 9, 20):
        (folder / "hold").write_text(str(len(evaluations(folder)) + target + 4))
        process = start(folder)
        wait_until(lambda target=target: len(stored(folder)) >= target)
        process.send_signal(signal.SIGKILL)
        assert finish(process) == -signal.SIGKILL
        kills += 1
        before = stored(folder)
        assert target <= len(before) < len(points)
        workers = {pid for _, pid in evaluations(folder)}
        wait_until(lambda workers=workers: not any(map(is_running, workers)))
        assert stored(folder) == before
        (folder / "hold").unlink()
    known = stored(folder)
    started_before = Counter(key for key, _ in evaluations(folder))
    assert finish(start(folder)) == 0
    final = stored(folder)
    assert set(final) == {point.key for point in points}
    for point in points:
        result, runs, _ = final[point.key]
        assert result == f'{{"cycles": {point.fields["arch.array.rows"]}}}'
        assert runs == 1
    # nothing that was stored is touched, let alone evaluated, again
    assert {key: final[key] for key in known} == known
    started = Counter(key for key, _ in evaluations(folder))
    assert all(started[key] == started_before[key] for key in known)
    # a kill costs at most the points that were under way: two a process
    assert sum(started.values()) <= len(points) + kills * 4
    count = len(evaluations(folder))
    assert finish(start(folder)) == 0
    assert len(evaluations(folder)) == count


def test_interrupt_stores_what_is_under_way(folder: Path) -> None:
    (folder / "hold").write_text("6")
    process = start(folder)
    wait_until(lambda: len(stored(folder)) >= 2 and len(evaluations(folder)) >= 6)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    (folder / "hold").unlink()
    assert finish(process) != 0
    # each evaluation that began has its result: none is done again
    assert {key for key, _ in evaluations(folder)} == set(stored(folder))
    assert len(stored(folder)) < 30
    assert finish(start(folder)) == 0
    assert Counter(key for key, _ in evaluations(folder)).most_common(1)[0][1] == 1
    assert len(stored(folder)) == 30


def test_each_status_is_recorded_and_only_failures_run_again(tmp_path: Path) -> None:
    points = sweep({"arch.array.rows": [1, 13, 14, 0]})
    seen: list[int] = []
    with Store.open(tmp_path / "s.sqlite") as store:
        assert search(points, store, rows_of, progress=seen.append).ran == 4
        rows = list(store.rows(point.key for point in points))
        assert [row.status for row in rows] == ["done", "failed", "invalid", "invalid"]
        assert rows[0].result == {"cycles": 1}
        assert rows[0].fields == {
            "arch": "dense_8x8_ws", "family": "dense", "network": "lenet5", "arch.array.rows": 1
        }  # fmt: skip
        assert rows[1].error == "ZeroDivisionError: thirteen"
        assert rows[2].error == "engine: rows = 14: must not be 14"
        assert rows[3].error.startswith("arch dense_8x8_ws: array.rows = 0:")
        assert seen == [1, 2, 3, 4]
        assert search(points, store, rows_of).ran == 1
        assert [row.runs for row in store.rows(p.key for p in points)] == [1, 2, 1, 1]
        assert search(points, store, rows_of, fresh=True).ran == 4
        assert [row.runs for row in store.rows(p.key for p in points)] == [2, 3, 2, 2]


def test_points_that_resolve_alike_are_one(tmp_path: Path) -> None:
    points = sweep({"arch.array.rows": [4, 5], "arch.array": [
        {"family": "dense", "dataflow": "os", "rows": 3, "cols": 3, "acc_depth": None}
    ]})  # fmt: skip
    with Store.open(tmp_path / "s.sqlite") as store:
        looked = search(points, store, lambda point: Measured({"cycles": 1}))
    assert (len(points), len(looked), looked.ran) == (2, 1, 1)
    assert [number for number, _ in looked] == [0]


def test_a_process_that_dies_is_one_line_and_its_results_stay(folder: Path) -> None:
    death = "os._exit(9) if point.fields['arch.array.rows'] == 7 else None"
    (folder / "sweeper.py").write_text(SWEEPER.replace("time.sleep(0.04)", death))
    process = subprocess.run(
        [sys.executable, str(folder / "sweeper.py")],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert process.returncode != 0
    assert process.stderr.rstrip().endswith(
        "a process ended by itself (out of memory?); the same command goes on from here"
    )
    assert 0 < len(stored(folder)) < 30
    (folder / "sweeper.py").write_text(SWEEPER)
    assert finish(start(folder)) == 0
    assert len(stored(folder)) == 30


def test_a_search_that_is_run_again_asks_for_the_same_and_counts_nothing(tmp_path: Path) -> None:
    points = sweep({"arch.array.rows": list(range(15, 27)), "arch.array.cols": [1, 2, 3, 4]})
    ran = []
    for _ in range(2):
        sampler = NSGA2(points, 30, population=8, seed=2)
        with Store.open(tmp_path / "s.sqlite") as store, local(rows_of, 1) as engine:
            objectives = {"cycles": "min"}
            search = Search(points, store, objectives, {}, Bounds(None))
            ran.append(search.run(sampler, engine).ran)
    assert ran == [30, 0]
