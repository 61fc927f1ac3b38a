"""Results of a sweep: one row per point in SQLite, written as they come, safe against a kill."""

from __future__ import annotations

import contextlib
import fcntl
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hwsim import __version__
from hwsim.errors import InputError

__all__ = ["Row", "Status", "Store"]

#: ``done``: has a result. ``invalid``: breaks a rule, which ``error`` names. ``failed``: the
#: simulator gave up; run again on the next start.
Status = Literal["done", "invalid", "failed"]

#: ``user_version`` of the file; another number is another layout.
LAYOUT = 1

CREATE = """
CREATE TABLE IF NOT EXISTS point (
    key TEXT PRIMARY KEY,      -- hash of everything that decides the result
    status TEXT NOT NULL,      -- done, invalid or failed
    error TEXT NOT NULL,       -- the broken rule, or what failed
    fields TEXT NOT NULL,      -- JSON: base design, base network, value of each varied field
    result TEXT NOT NULL,      -- JSON: what was measured
    seconds REAL NOT NULL,     -- wall time of the simulation
    runs INTEGER NOT NULL,     -- how often a result was recorded
    hwsim TEXT NOT NULL,       -- version of the simulator
    finished TEXT NOT NULL     -- when, UTC
) STRICT
"""

PUT = """
INSERT INTO point VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    status = excluded.status, error = excluded.error, fields = excluded.fields,
    result = excluded.result, seconds = excluded.seconds, runs = runs + 1,
    hwsim = excluded.hwsim, finished = excluded.finished
"""


@dataclass(frozen=True)
class Row:
    """One point as it is kept."""

    key: str
    status: Status
    fields: dict[str, Any]
    error: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    runs: int = 1


class Store:
    """An open store; only one process at a time can hold it.

    Every :meth:`put` is a committed transaction: a process killed at any moment loses only the
    points that it had not put. Use :meth:`open`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Store]:
        """Open or create the store, for as long as the context lasts.

        Raises
        ------
        InputError
            Another process holds it, the file is not a store, or it cannot be written.
        """
        with contextlib.ExitStack() as stack:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context(path.with_suffix(".lock").open("a"))
            except OSError as error:
                raise InputError(path, "", None, f"cannot be written: {error.strerror}") from error
            try:
                # the kernel drops the lock with the process, however it ends
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                rule = "is in use: another sweep is running in this folder"
                raise InputError(path, "", None, rule) from error
            with _told_to_the_user(path):
                connection = stack.enter_context(contextlib.closing(_connect(path)))
                store = cls(path, connection)
                store._prepare()
            yield store

    def _prepare(self) -> None:
        (layout,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (layout != LAYOUT and tables) or layout not in (0, LAYOUT):
            raise InputError(self.path, "", None, f"must be a sweep store of layout {LAYOUT}")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(CREATE)
        self._connection.execute(f"PRAGMA user_version = {LAYOUT}")

    def put(self, row: Row) -> None:
        """Keep a point; one that is there is replaced and its run count goes up."""
        with _told_to_the_user(self.path):
            self._connection.execute(
                PUT,
                (
                    row.key, row.status, row.error, json.dumps(row.fields),
                    json.dumps(row.result), row.seconds, __version__,
                    datetime.now(UTC).isoformat(timespec="seconds"),
                ),
            )  # fmt: skip

    def rows(self, keys: Iterable[str]) -> list[Row]:
        """Rows of those points that are known, in the order asked for."""
        with _told_to_the_user(self.path):
            known = {
                key: Row(key, status, json.loads(fields), error, json.loads(result), seconds, runs)
                for key, status, error, fields, result, seconds, runs in self._connection.execute(
                    "SELECT key, status, error, fields, result, seconds, runs FROM point"
                )
            }
        return [known[key] for key in keys if key in known]

    def clear(self) -> None:
        """Forget every point."""
        with _told_to_the_user(self.path):
            self._connection.execute("DELETE FROM point")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)  # each statement is a transaction


@contextmanager
def _told_to_the_user(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        raise InputError(path, "", None, f"cannot be used as a sweep store: {error}") from error
