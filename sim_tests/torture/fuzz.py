"""Damaged files for every reader: each is read, or refused in one line."""

from __future__ import annotations

import hashlib
import json
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from hwsim.errors import InputError
from torture import watch
from torture.readers import READERS, Reader
from torture.record import Record

__all__ = ["FOUND", "batch", "figures", "verdict", "work"]

#: Inputs of a batch, which a process reads one after the other.
INPUTS = 500
#: Seconds for one input, and for a batch.
PATIENCE, BATCH_PATIENCE = 20, 1200
#: Characters of a line; longer ones are no message.
LINE = 1500
#: Damaged files that were once read wrongly, by reader: kept so that they never are again.
FOUND = Path(__file__).parent / "found"


class Hang(BaseException):
    """An input took longer than ``PATIENCE``."""


def verdict(reader: Reader, content: bytes, folder: Path) -> str:
    """Read one input from a file in an empty folder.

    Returns
    -------
    str
        ``read``, ``refused``, or what is wrong: an exception that is no ``InputError``, with its
        traceback, a message of several lines, a warning of arithmetic, or ``hang``.
    """
    path = folder / f"input{reader.suffix}"
    path.write_bytes(content)
    try:
        with _alarm(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # overflow and NaN: what is then read is nonsense
            warnings.simplefilter("error", RuntimeWarning)
            reader.read(path)
    except InputError as error:
        line = str(error)
        if "\n" in line or len(line) > LINE:
            return f"no line: {line!r}"
        return "refused"
    except Hang:
        return "hang"
    except Exception:
        return traceback.format_exc()
    finally:
        for left in folder.iterdir():
            left.unlink()
    return "read"


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def batch(name: str, seed: int, inputs: int = INPUTS, kept: Path | None = None) -> dict[str, Any]:
    """Damage files in ``inputs`` ways and read each.

    Returns
    -------
    dict
        Number of ``inputs``, of those ``read`` and ``refused``, and ``wrong``: each wrong verdict,
        shortened; the files of these lie in ``kept``.
    """
    reader = READERS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    seeds = list(reader.seeds())
    counts = {"inputs": inputs, "read": 0, "refused": 0}
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(inputs):
            content = reader.mutation(rng, seeds)
            found = verdict(reader, content, Path(folder))
            if found in counts:
                counts[found] += 1
                continue
            digest = hashlib.sha256(content).hexdigest()[:12]
            wrong.append(f"{digest}: {found.strip().splitlines()[-1][:300]}")
            if kept is not None:
                place = kept / name
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{digest}{reader.suffix}").write_bytes(content)
                (place / f"{digest}.txt").write_text(found, encoding="utf-8", errors="replace")
    return counts | {"wrong": wrong}


def work(folder: Path, wanted: int, report: Callable[[str], None]) -> int:
    """Read ``wanted`` inputs over all readers; return how many batches had a wrong one."""
    record = Record(folder / "fuzz.jsonl")
    batches = -(-wanted // (INPUTS * len(READERS)))
    for seed in range(batches):
        for name in READERS:
            key = f"{name}: {seed}"
            if key in record.done:
                continue
            ended = watch.run(["inputs", name, str(seed), str(folder / "found")], BATCH_PATIENCE)
            entry = ended.result or {"failed": ended.bound or ended.output}
            record.add(key, entry | {"seconds": ended.seconds, "peak": ended.peak})
            report(f"{key}: {entry}")
    return sum(bool(entry.get("wrong") or "failed" in entry) for entry in record.done.values())


def figures(folder: Path) -> list[str]:
    """Lines that say what was read."""
    entries = list(Record(folder / "fuzz.jsonl").done.values())
    if not entries:
        return ["inputs: none"]
    total = {key: sum(e.get(key, 0) for e in entries) for key in ("inputs", "read", "refused")}
    wrong = [each for entry in entries for each in entry.get("wrong", [])]
    hangs = sum(each.endswith(": hang") for each in wrong)
    return [
        f"inputs: {total['inputs']:,} damaged files over {len(READERS)} readers: {total['read']:,} "
        f"read, {total['refused']:,} refused in one line, {len(wrong) - hangs} tracebacks, "
        f"{hangs} hangs, {sum('failed' in e for e in entries)} batches that died; at most "
        f"{max(e['peak'] for e in entries) / 1e9:.2f} GB; "
        f"{sum(e['seconds'] for e in entries) / 60:.0f} minutes"
    ]


def main(name: str, seed: str, kept: str) -> None:
    """Read one batch and print its result."""
    print(json.dumps(batch(name, int(seed), kept=Path(kept))))
