"""What torture has done: one line of JSON per batch, on disk before the next batch begins."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["Record"]


class Record:
    """Batches that are done, by key, in a file that a kill at any moment leaves readable.

    Parameters
    ----------
    path
        File of lines; created with the first batch. What a kill left of a last line is dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[str, dict[str, Any]] = {}
        if not path.is_file():
            return
        whole = path.read_bytes().rpartition(b"\n")
        for line in whole[0].splitlines():
            entry = json.loads(line)
            self.done[entry.pop("key")] = entry
        if whole[2]:
            with path.open("r+b") as file:
                file.truncate(len(whole[0]) + len(whole[1]))

    def add(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a batch."""
        self.done[key] = entry
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, **entry}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def total(self, column: str) -> int:
        """Sum of a column over all batches."""
        return sum(entry.get(column, 0) for entry in self.done.values())
