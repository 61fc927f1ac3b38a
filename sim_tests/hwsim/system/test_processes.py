"""A worker leaves Ctrl-C to its parent, and never outlives it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hwsim.errors import InputError
from hwsim.system.processes import pool

PATIENCE_S = 60

#: Starts a worker in the way named by the first argument, and sleeps; so does the worker.
PARENT = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from hwsim.system.processes import WORKERS

def dawdle():
    begun = Path(__file__).with_name("begun")
    begun.with_suffix(".new").write_text(str(os.getpid()))
    begun.with_suffix(".new").rename(begun)
    time.sleep(600)

if __name__ == "__main__":
    if sys.argv[1] == "pool":
        ProcessPoolExecutor(1, mp_context=WORKERS).submit(dawdle)
    else:
        WORKERS.Process(target=dawdle).start()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


@pytest.mark.parametrize("way", ["pool", "alone"])
def test_a_worker_survives_ctrl_c_and_ends_with_its_parent(tmp_path, way):
    script, begun = tmp_path / "parent.py", tmp_path / "begun"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script), way], start_new_session=True)
    try:
        wait_until(begun.exists)
        worker = int(begun.read_text())
        assert worker != parent.pid
        os.killpg(parent.pid, signal.SIGINT)
        time.sleep(0.5)
        assert is_running(worker)
    finally:
        parent.kill()
        parent.wait(PATIENCE_S)
    wait_until(lambda: not is_running(worker))


def refuse() -> None:
    raise InputError("mine.yaml", "array.rows", len, "must be at least 1")


def test_an_error_of_a_worker_arrives_as_it_was_raised():
    """Its value may be one that does not travel."""
    value = lambda: None  # noqa: E731
    error = InputError("mine.yaml", "array.rows", value, "must be at least 1")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    with pool(1, "study") as workers:
        future = workers.submit(refuse)
        with pytest.raises(InputError, match=r"^mine\.yaml: array\.rows = .*: must be at least 1$"):
            future.result()


def test_a_worker_that_dies_is_an_error_of_its_command():
    died = r"study: jobs: a process ended by itself \(out of memory\?\)"
    with pytest.raises(InputError, match=died), pool(1, "study") as workers:
        workers.submit(os._exit, 9).result()
