"""Processes that this one started, and those that they started."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from pathlib import Path

__all__ = ["descendants", "end_descendants"]

_PROCESSES = Path("/proc")


def descendants(root: int | None = None) -> list[int]:
    """Process ids of all that descend from a process, by default from this one: parents first.

    Empty where the system has no ``/proc``.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # the name, in parentheses, may hold anything
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            children[int(parent)].append(int(entry.name))
    found = list(children[os.getpid() if root is None else root])
    for pid in found:
        found += children[pid]
    return found


def end_descendants() -> None:
    """Ask every descendant of this process to end (SIGTERM); those that are gone are passed over.

    A program that starts others is asked before them, so that it starts no more.
    """
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)
