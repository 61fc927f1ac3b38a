"""Run a batch in a process of its own, within a time and a memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.commands import ROOT, environment

__all__ = ["MEMORY", "Ended", "run"]

#: Bytes that a batch may hold at once.
MEMORY = 2 << 30
#: Seconds between two looks at a batch.
LOOK = 0.2
#: Bytes of the end of its output that are kept.
TAIL = 2000


@dataclass(frozen=True)
class Ended:
    """How a batch ended."""

    #: What it wrote as JSON on its last line; ``None`` where it wrote none.
    result: dict[str, Any] | None
    #: Exit status; negative for a signal.
    status: int
    seconds: float
    #: Most bytes that it, or one of its children, held at once.
    peak: int
    #: ``""``, ``time`` or ``memory``: the bound at which it was ended.
    bound: str
    #: End of what it wrote to either stream.
    output: str


def run(arguments: Sequence[str], seconds: float, memory: int = MEMORY) -> Ended:
    """Run ``python -m torture`` with arguments, and end its whole group at a bound."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "torture", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=ROOT,
        env=environment(), start_new_session=True,
    )  # fmt: skip
    bound: list[str] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK):
            late, large = time.monotonic() - start > seconds, _resident(process.pid) > memory
            if late or large:
                bound.append("time" if late else "memory")
                os.killpg(process.pid, signal.SIGKILL)
                return

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    ended.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        _last_json(output), process.returncode, round(time.monotonic() - start, 3),
        usage.ru_maxrss * 1024, bound[0] if bound else "", output[-TAIL:],
    )  # fmt: skip


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _last_json(output: str) -> dict[str, Any] | None:
    lines = output.splitlines()
    try:
        found = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
