"""Results of points: one row each in SQLite, written as they come, safe against a kill."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from hwsim import __version__
from hwsim.errors import InputError
from hwsim.system.files import held

__all__ = ["Row", "Status", "Store", "read"]

#: ``done``: has a result. ``invalid``: breaks a rule, which ``error`` names. ``failed``: the
#: simulator gave up; run again on the next start. ``bounded``: misses a constraint by what is known
#: without a simulation; simulated once a sweep has other constraints.
Status = Literal["done", "invalid", "failed", "bounded"]

#: Statuses that do not change any more.
SETTLED = ("done", "invalid")
#: Keys of one query.
CHUNK = 500

#: ``user_version`` of the file; another number is another layout.
LAYOUT = 2

CREATE = """
CREATE TABLE IF NOT EXISTS point (
    key TEXT PRIMARY KEY,      -- hash of everything that decides the result
    status TEXT NOT NULL,      -- done, invalid, failed or bounded
    error TEXT NOT NULL,       -- the broken rule, what failed, or the bound that is missed
    fields TEXT NOT NULL,      -- JSON: where the point lay in the sweep that asked for it
    result TEXT NOT NULL,      -- JSON: metrics
    layers BLOB NOT NULL,      -- JSON of one record per layer, compressed by zlib
    seconds REAL NOT NULL,     -- wall time of the simulation
    runs INTEGER NOT NULL,     -- how often a result was recorded
    hwsim TEXT NOT NULL,       -- version of the simulator
    finished TEXT NOT NULL     -- when, UTC
) STRICT
"""

PUT = """
INSERT INTO point VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    status = excluded.status, error = excluded.error, fields = excluded.fields,
    result = excluded.result, layers = excluded.layers, seconds = excluded.seconds,
    runs = runs + 1,
    hwsim = excluded.hwsim, finished = excluded.finished
"""

MERGE = """
INSERT INTO point SELECT * FROM other.point WHERE true
ON CONFLICT (key) DO UPDATE SET
    status = excluded.status, error = excluded.error, fields = excluded.fields,
    result = excluded.result, layers = excluded.layers, seconds = excluded.seconds,
    runs = excluded.runs,
    hwsim = excluded.hwsim, finished = excluded.finished
WHERE point.status NOT IN ('done', 'invalid') AND excluded.status IN ('done', 'invalid')
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
    #: Records of layers, which are put, and read by :meth:`Store.layers` alone.
    layers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_settled(self) -> bool:
        """Whether the point need not be looked at again."""
        return self.status in SETTLED


class Store:
    """An open store; only one process at a time can hold it, so that no point is counted twice.

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
            stack.enter_context(held(path, advice="--store names another"))
            with _told_to_the_user(path):
                connection = stack.enter_context(contextlib.closing(_connect(path)))
                store = cls(path, connection)
                store._prepare()
            yield store

    def _prepare(self) -> None:
        (layout,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (layout != LAYOUT and tables) or layout not in (0, LAYOUT):
            rule = (
                f"must be a store of layout {LAYOUT}, not {layout or 'none'}: it is left as it is; "
            )
            raise InputError(self.path, "", None, rule + "name another file with --store")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(CREATE)
        self._connection.execute(f"PRAGMA user_version = {LAYOUT}")

    def put(self, row: Row) -> None:
        """Keep a point; one that is there is replaced and its run count goes up."""
        with _told_to_the_user(self.path):
            self._connection.execute(
                PUT,
                (
                    row.key, row.status, row.error, json.dumps(row.fields),
                    json.dumps(row.result), zlib.compress(json.dumps(row.layers).encode()),
                    row.seconds, __version__,
                    datetime.now(UTC).isoformat(timespec="seconds"),
                ),
            )  # fmt: skip

    def get(self, key: str) -> Row | None:
        """Row of a point, if it is known."""
        return next(iter(self.rows([key])), None)

    def rows(self, keys: Iterable[str]) -> Iterator[Row]:
        """Rows of those points that are known, in the order asked for."""
        return _rows_of(self._connection, self.path, keys)

    def layers(self, key: str) -> list[dict[str, Any]]:
        """Records of the layers of a point; none where it is not known."""
        query = "SELECT layers FROM point WHERE key = ?"
        with _told_to_the_user(self.path):
            for (packed,) in self._connection.execute(query, (key,)):
                found: list[dict[str, Any]] = json.loads(zlib.decompress(packed))
                return found
        return []

    def merge(self, other: Path) -> int:
        """Take over the points of another store that are settled there and not here.

        Returns
        -------
        int
            Points taken over.

        Raises
        ------
        InputError
            The other file is no store, or of another layout, or in use.
        """
        if not other.is_file():
            raise InputError(other, "", None, "no such file")
        with Store.open(other):
            pass
        with _told_to_the_user(other):
            self._connection.execute("ATTACH DATABASE ? AS other", (str(other),))
            try:
                return self._connection.execute(MERGE).rowcount
            finally:
                self._connection.execute("DETACH DATABASE other")


def read(path: Path, keys: Iterable[str]) -> Iterator[Row]:
    """Rows of a store that need not be held, in the order of the keys that are known."""
    with _told_to_the_user(path), contextlib.closing(_connect(path)) as connection:
        yield from _rows_of(connection, path, keys)


def _rows_of(connection: sqlite3.Connection, path: Path, keys: Iterable[str]) -> Iterator[Row]:
    """Rows of those points that are known, in the order asked for, a few at a time."""
    waiting = iter(keys)
    while chunk := list(itertools.islice(waiting, CHUNK)):
        marks = ", ".join("?" * len(chunk))
        with _told_to_the_user(path):
            known = {
                row[0]: row
                for row in connection.execute(
                    "SELECT key, status, error, fields, result, seconds, runs FROM point "
                    f"WHERE key IN ({marks})",
                    chunk,
                )
            }
            found = [
                Row(key, status, json.loads(fields), error, json.loads(result), seconds, runs)
                for key, status, error, fields, result, seconds, runs in (
                    known[key] for key in chunk if key in known
                )
            ]
        yield from found


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)  # each statement is a transaction


@contextmanager
def _told_to_the_user(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError, TypeError, zlib.error) as error:
        raise InputError(path, "", None, f"cannot be used as a sweep store: {error}") from error
