"""Kills (-9) at any moment: nothing is lost, nothing doubled, no file is half written."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness.commands import environment, program
from harness.small_designs import SMALL

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.system.descendants import descendants
from torture.record import Record

__all__ = ["JOBS", "figures", "points_of", "round_", "unwhole", "work"]

#: Seconds in which a command must end that is not killed, and a program whose parent was killed.
PATIENCE, LEAVING = 900, 30
#: Kills of a round at most; then the command is left to its end.
KILLS = 10
#: Keys and columns that say when or where, not what.
_TIMES = ("seconds", "finished", "verilog", "files", "report")


def _verify(folder: Path) -> list[str]:
    """``hwsim verify`` of a small design."""
    (folder / "tiny.yaml").write_text(SMALL["tiny_csc"].to_yaml())
    base = program("doctor", folder)[:-1]
    return [*base, "verify", "tiny.yaml", "--random", "60", "--out", "out"]


#: What is killed: command lines that write to ``out`` in a folder.
JOBS: dict[str, Callable[[Path], list[str]]] = {
    "sweep": lambda folder: program("sweep", folder),
    "compress": lambda folder: program("compress", folder),
    "verify": _verify,
    "study": lambda folder: program("study of models", folder),
}


def round_(job: str, seed: int, reference: dict[str, Any] | None = None) -> dict[str, Any]:
    """Kill a command again and again at random moments, then let it end.

    Parameters
    ----------
    reference
        What the command gives where nothing kills it: :func:`results_of`, with ``seconds``.

    Returns
    -------
    dict
        ``kills``, and ``wrong``: what was lost, doubled, half written or left running; and the
        seconds of the ``last`` run, which nothing killed.
    """
    rng = np.random.default_rng([seed, *job.encode()])
    reference = reference or reference_of(job)
    wrong: list[str] = []
    points: dict[str, Any] = {}
    kills = 0
    folder = Path(tempfile.mkdtemp(prefix="torture."))
    try:
        command = JOBS[job](folder)
        for _ in range(KILLS):
            process = _start(command, folder, subprocess.DEVNULL)
            try:
                process.wait(float(rng.uniform(0.02, 1)) * reference["seconds"])
                break
            except subprocess.TimeoutExpired:
                pass
            whole_group = bool(rng.random() < 0.5)
            below = descendants(process.pid)
            if whole_group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
            kills += 1
            wrong += unwhole(folder / "out")
            kept = points_of(folder / "out" / "points.sqlite")
            wrong += [f"{key} is lost" for key in points if key not in kept]
            wrong += [f"{key} was run {row[1]} times" for key, row in kept.items() if row[1] != 1]
            points = kept
            if not whole_group:
                wrong += _left(below)
        start = time.monotonic()
        process = _start(command, folder)
        output, _ = process.communicate(timeout=PATIENCE)
        seconds = time.monotonic() - start
        if process.returncode:
            wrong.append(f"exit {process.returncode}: {output[-500:]}")
        found = results_of(folder / "out")
        for name, content in reference["results"].items():
            if found.get(name) != content:
                wrong.append(f"{name} differs from that of a run that nothing killed")
        wrong += [f"{name} is left" for name in found if name not in reference["results"]]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"kills": kills, "wrong": wrong, "last": seconds}


def reference_of(job: str) -> dict[str, Any]:
    """What a command gives where nothing kills it, and the seconds that it takes."""
    with tempfile.TemporaryDirectory(prefix="torture.") as name:
        folder = Path(name)
        start = time.monotonic()
        process = _start(JOBS[job](folder), folder)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output
        seconds = time.monotonic() - start
        return {"results": results_of(folder / "out"), "seconds": seconds}


def _start(
    command: list[str], folder: Path, stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=stdout, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip


def results_of(folder: Path) -> dict[str, Any]:
    """What lies in a folder of results: the content of data, the names of everything else."""
    found: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        match path.suffix:
            case ".json":
                found[path.name] = _timeless(json.loads(path.read_text()))
            case ".csv":
                rows = csv.DictReader(io.StringIO(path.read_text()))
                found[path.name] = _timeless(list(rows))
            case ".safetensors":
                layers = Checkpoint.read(path).layers
                found[path.name] = {n: own.weight.tolist() for n, own in layers.items()}
            case ".sqlite":
                found[path.name] = {key: row[0] for key, row in points_of(path).items()}
            case _ if path.name.startswith("."):
                # what a killed process left, and locks: none of it is a result
                continue
            case _ if path.suffix not in (".lock", ".sqlite-wal", ".sqlite-shm"):
                found[path.name] = ""
    return found


def _timeless(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _timeless(value) for key, value in tree.items() if key not in _TIMES}
    return [_timeless(each) for each in tree] if isinstance(tree, list) else tree


def unwhole(folder: Path) -> list[str]:
    """Files of a folder of results that are not whole."""
    if not folder.is_dir():
        return []
    try:
        results_of(folder)
    except Exception as error:  # whatever a half of a file makes its reader throw
        return [f"a file is not whole: {type(error).__name__}: {error}"]
    return []


def points_of(path: Path) -> dict[str, tuple[Any, int]]:
    """Result and number of runs of each point of a store that is settled."""
    if not path.is_file():
        return {}
    connection = sqlite3.connect(path)
    try:
        (state,) = connection.execute("PRAGMA integrity_check").fetchone()
        assert state == "ok", state
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables[0]:
            return {}
        rows = connection.execute("SELECT key, status, result, runs FROM point").fetchall()
    finally:
        connection.close()
    return {key: ([status, json.loads(result)], runs) for key, status, result, runs in rows}


def _left(pids: list[int]) -> list[str]:
    """Programs of a killed process that still run after a while; compilers end by themselves."""
    end = time.monotonic() + LEAVING
    while True:
        running = [pid for pid in pids if _runs(pid)]
        if not running or time.monotonic() > end:
            break
        time.sleep(0.1)
    left = []
    for pid in running:
        try:
            name = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:100]
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
        left.append(f"still runs: {name}")
    return left


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def work(folder: Path, wanted: int, report: Callable[[str], None]) -> int:
    """Kill commands, each as often as the others, ``wanted`` times in all."""
    record = Record(folder / "kills.jsonl")
    references: dict[str, dict[str, Any]] = {}
    seed = 0
    done = {job: _kills(record, job) for job in JOBS}
    while sum(done.values()) < wanted:
        job = min(done, key=done.__getitem__)
        key = f"{job} {seed}"
        seed += 1
        if key in record.done:
            continue
        if job not in references:
            references[job] = reference_of(job)
        start = time.monotonic()
        entry = round_(job, seed, references[job])
        # the reference may have been slower: caches were empty, the machine busy
        least = max(entry.pop("last"), references[job]["seconds"] / 2)
        references[job]["seconds"] = min(references[job]["seconds"], least)
        record.add(key, entry | {"seconds": round(time.monotonic() - start, 1)})
        done[job] += entry["kills"]
        report(f"{key}: {entry['kills']} kills, {done[job]} in all; {entry['wrong'] or 'fine'}")
    return sum(bool(entry["wrong"]) for entry in record.done.values())


def _kills(record: Record, job: str) -> int:
    return sum(e["kills"] for key, e in record.done.items() if key.rpartition(" ")[0] == job)


def figures(folder: Path) -> list[str]:
    """Line that says how often each command was killed."""
    record = Record(folder / "kills.jsonl")
    each = ", ".join(f"{_kills(record, job)} of {job}" for job in JOBS)
    wrong = [found for entry in record.done.values() for found in entry["wrong"]]
    return [
        f"kills (-9): {record.total('kills')} ({each}), {len(wrong)} times something was lost, "
        f"doubled, half written or left running; {record.total('seconds') / 60:.0f} minutes"
    ]
