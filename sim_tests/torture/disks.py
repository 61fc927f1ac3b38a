"""Full disks at any step of every command: one line, whole files, and what was there stays."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness.commands import COMMANDS, environment, program
from harness.disks import FULL, refused, small_disk

from torture.kills import results_of, unwhole
from torture.record import Record

__all__ = ["case", "figures", "reference_of", "work"]

#: Bytes of the smallest disk, and of one that has room for every command.
LEAST, ENOUGH = 1 << 12, 1 << 30
#: Seconds in which a command must end.
PATIENCE = 900


def case(name: str, seed: int, reference: dict[str, Any]) -> dict[str, Any]:
    """Run a command on a disk of a size that is drawn, empty or with what an earlier run left.

    Parameters
    ----------
    name
        Of :data:`harness.commands.COMMANDS`.
    reference
        Of :func:`reference_of`.

    Returns
    -------
    dict
        ``room`` in bytes beside what was ``before``, whether it was ``full``, and what is
        ``wrong``: a traceback, a file that is not whole, a result that is lost or differs.
    """
    rng = np.random.default_rng([seed, *name.encode()])
    room = int(np.exp(rng.uniform(np.log(LEAST), np.log(1.5 * reference["bytes"]))))
    before = bool(rng.random() < 0.5)
    size = room + (reference["bytes"] if before else 0)
    found = {"room": room, "before": before, "full": False}
    with tempfile.TemporaryDirectory(prefix="torture.") as folder:
        earlier = Path(reference["folder"]) if before else None
        with _on_disk(name, Path(folder), size, earlier) as (done, out):
            try:
                line = refused(done)
            except AssertionError as error:
                return found | {"wrong": [str(error)[-500:]]}
            found["full"] = bool(line)
            # looked at where there is room: SQLite needs some to read
            seen = Path(folder) / "seen"
            if out.is_dir():
                shutil.copytree(out, seen)
            wrong = unwhole(seen)
            if line and not any(said in line for said in FULL):
                wrong.append(f"not what a full disk is called: {line}")
            if not wrong and (before or not line):
                wrong += _changed(reference["results"], results_of(seen))
    return found | {"wrong": wrong}


def _changed(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Results that are lost or are others."""
    return [f"{name} is lost or differs" for name in wanted if found.get(name) != wanted[name]]


def reference_of(name: str, folder: Path) -> dict[str, Any]:
    """What a command gives where there is room, and the bytes that it takes."""
    with (
        tempfile.TemporaryDirectory(prefix="torture.") as own,
        _on_disk(name, Path(own), ENOUGH) as (done, out),
    ):
        assert done.returncode == 0, done.stderr
        kept = folder / "out"
        shutil.copytree(out, kept)
        size = sum(path.lstat().st_size for path in out.parent.rglob("*") if path.is_file())
        return {"results": results_of(out), "bytes": max(size, 2 * LEAST), "folder": kept}


@contextlib.contextmanager
def _on_disk(
    name: str, folder: Path, size: int, earlier: Path | None = None
) -> Iterator[tuple[subprocess.CompletedProcess[str], Path]]:
    """Run a command on a disk that holds its results, its caches and its temporary files.

    Its inputs lie elsewhere. ``earlier`` is what its folder of results holds before.
    """
    command = program(name, folder)
    for made in folder.iterdir():
        command = [str(made) if part == made.name else part for part in command]
    disk = folder / "disk"
    env = environment(
        PYTHONDONTWRITEBYTECODE="1", HOME=str(disk), TMPDIR=str(disk),
        XDG_CACHE_HOME=str(disk / "cache"),
    )  # fmt: skip
    with small_disk(disk, size) as options:
        if earlier:
            shutil.copytree(earlier, disk / "out")
        done = subprocess.run(
            command, cwd=disk, env=env, text=True, errors="replace", capture_output=True,
            timeout=PATIENCE, check=False, **options,  # type: ignore[call-overload]
        )  # fmt: skip
        yield done, disk / "out"


def work(folder: Path, wanted: int, report: Callable[[str], None]) -> int:
    """Fill disks below each command in turn, ``wanted`` in all; return the bad ones."""
    record = Record(folder / "disks.jsonl")
    names = [name for name in COMMANDS if name != "doctor"]  # which writes nothing
    with tempfile.TemporaryDirectory(prefix="torture.") as kept:
        references: dict[str, dict[str, Any]] = {}
        for number in range(wanted):
            name, seed = names[number % len(names)], number // len(names)
            key = f"{name} {seed}"
            if key in record.done:
                continue
            if name not in references:
                own = Path(kept, str(len(references)))
                own.mkdir()
                references[name] = reference_of(name, own)
            start = time.monotonic()
            entry = case(name, seed, references[name])
            record.add(key, entry | {"seconds": round(time.monotonic() - start, 1)})
            ended = "full" if entry["full"] else "enough"
            report(f"{key}: {entry['room']:,} bytes, {ended}; {entry['wrong'] or 'fine'}")
    return sum(bool(entry["wrong"]) for entry in record.done.values())


def figures(folder: Path) -> list[str]:
    """Line that says how many disks were filled."""
    record = Record(folder / "disks.jsonl")
    wrong = [found for entry in record.done.values() for found in entry["wrong"]]
    commands = {key.rpartition(" ")[0] for key in record.done}
    return [
        f"disks: {len(record.done)} of sizes that were drawn, {record.total('full')} of them "
        f"too small, under {len(commands)} commands; {len(wrong)} times a traceback, a half of a "
        f"file or a lost result; {record.total('seconds') / 60:.0f} minutes"
    ]
