"""Small file systems, and what a command says that finds no room on them."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FULL", "refused", "small_disk"]

#: What a line says of a disk that is full, by who finds it: files, SQLite, a limit in its place.
FULL = ("No space left", "disk is full", "disk I/O", "File too large")


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[dict[str, object]]:
    """Make a file system of ``size`` bytes at a folder.

    Where none can be mounted, what is yielded are options of a process that limit its files.
    """
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
            capture_output=True,
            check=False,
        ).returncode
    )
    try:
        limits = (size, resource.RLIM_INFINITY)

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        yield {} if mounted else {"preexec_fn": limit}
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Give the one line of a command that gave up, "" of one that had enough room."""
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode == 0:
        return ""
    # a recipe that fails while it trains is exit 1
    assert done.returncode in (1, 2), done.stderr
    lines = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(lines) == 1, done.stderr
    return lines[0]
