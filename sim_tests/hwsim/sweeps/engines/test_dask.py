"""A search on a Dask cluster of two workers, one of which is killed on the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwsim.config.base import parse
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.errors import InputError
from hwsim.sweeps.bounds import Bounds
from hwsim.sweeps.engines import dask as module
from hwsim.sweeps.engines.dask import dask
from hwsim.sweeps.evaluate import Measured
from hwsim.sweeps.point import Point
from hwsim.sweeps.run import Search
from hwsim.sweeps.samplers.exhaustive import Exhaustive
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Store
from hwsim.system import extras

distributed = pytest.importorskip(
    "distributed", reason="the extra dask is missing: pip install 'hwsim[dask]'"
)

PATIENCE_S = 120

SPACE = {
    "name": "cluster",
    "arch": "dense_8x8_ws",
    "network": "lenet5",
    "grid": {
        "arch.array.rows": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        "arch.array.cols": [1, 2, 3],
    },
    "objectives": {"cycles": "min", "multipliers": "min"},
}


def start(*arguments: object, cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *map(str, arguments)],
        cwd=cwd, env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Address of a scheduler, and its two workers of a thread each."""
    file = tmp_path / "scheduler.json"
    scheduler = start(
        "scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard",
        "--scheduler-file", file, cwd=tmp_path,
    )  # fmt: skip
    workers = []
    try:
        wait_until(lambda: file.is_file() and bool(file.read_text()))
        address = json.loads(file.read_text())["address"]
        workers = [
            start("worker", address, "--nthreads", 1, "--no-nanny", "--no-dashboard", cwd=tmp_path)
            for _ in range(2)
        ]
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait(PATIENCE_S)


def slow(point: Point) -> Measured:
    """Log the evaluation beside the scheduler's file, and take a while: the workers share it."""
    with Path("log").open("a") as log:
        log.write(f"{os.getpid()} {point.key}\n")
    time.sleep(0.1)
    return Measured({"cycles": point.fields["arch.array.rows"], "multipliers": 1})


def test_a_killed_worker_loses_nothing_and_every_point_is_kept_once(
    tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    space = Space(parse(SweepConfig, SPACE, "cluster"), "cluster")
    log = tmp_path / "log"

    def started() -> list[list[str]]:
        return [line.split() for line in log.read_text().splitlines()] if log.exists() else []

    killed: list[int] = []

    def kill_one(looked: int) -> None:
        pids = {int(pid) for pid, _ in started()}
        if looked >= 8 and not killed and len(pids) == 2:
            killed.append(workers[0].pid)
            workers[0].send_signal(signal.SIGKILL)

    with Store.open(tmp_path / "s.sqlite") as store, dask(slow, address) as engine:
        search = Search(space, store, {"cycles": "min"}, {}, Bounds(None), progress=kill_one)
        looked = search.run(Exhaustive(len(space)), engine)
        rows = list(store.rows(point.key for point in space))
        # what was there is not counted again
        again = Search(space, store, {"cycles": "min"}, {}, Bounds(None))
        assert again.run(Exhaustive(len(space)), engine).ran == 0
    assert killed
    assert looked.ran == len(space) == 30
    assert [row.status for row in rows] == ["done"] * 30
    assert {row.runs for row in rows} == {1}
    for point, row in zip(space, rows, strict=True):
        assert row.result["cycles"] == point.fields["arch.array.rows"]
    # the worker that was killed had begun a point at most that another one began again
    assert 30 <= len(started()) <= 32
    after = [int(pid) for pid, _ in started()]
    assert len(set(after)) == 2


def test_a_scheduler_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(InputError) as caught, dask(slow, address):
            pass
    assert str(caught.value) == (
        f"arguments: scheduler = '{address}': does not answer within 1 s: is it tcp://HOST:PORT of "
        "a dask scheduler?"
    )


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:1", "tcp://127.0.0.1", ""])
def test_an_address_that_is_none_is_one_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # a client without a scheduler writes a traceback when it is forgotten: none is made
    monkeypatch.setattr(distributed, "Client", None)
    with pytest.raises(InputError) as caught, dask(slow, address):
        pass
    assert str(caught.value) == (
        f"arguments: scheduler = '{address}': must be the address of a dask scheduler, such as "
        "tcp://HOST:PORT"
    )


def test_dask_that_is_absent_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught, dask(slow, "tcp://127.0.0.1:1"):
        pass
    assert str(caught.value) == (
        "environment: distributed: is not installed: pip install 'hwsim[dask]'"
    )
