"""Which images held out each shipped checkpoint gets wrong, on record: paired tests need them.

The data sets do not ship. ``python benchmarks/heldout.py`` writes the record from them.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hwsim.checkpoints.find import CHECKPOINTS
from hwsim.errors import InputError
from hwsim.system.reading import reading

__all__ = ["RECORD", "HeldOut", "digest", "heldout_of", "read"]

RECORD = CHECKPOINTS / "heldout.csv"


@dataclass(frozen=True)
class HeldOut:
    """What a checkpoint gets wrong of the images that were held out of its training."""

    images: int
    wrong: frozenset[int]

    @property
    def accuracy(self) -> float:
        """Fraction that it gets right."""
        return 1 - len(self.wrong) / self.images


def digest(path: Path) -> str:
    """Digest of a checkpoint's file, by which the record knows it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def heldout_of(path: Path) -> HeldOut | None:
    """What the record has of a checkpoint's file; ``None`` where it does not know it."""
    return read(RECORD).get(digest(path))


@lru_cache(maxsize=4)
def read(path: Path) -> dict[str, HeldOut]:
    """Record by digest.

    Raises
    ------
    InputError
        The file is no such record.
    """
    found = {}
    rule = "must be a CSV file"
    with reading(path, rule), path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                wrong = frozenset(int(each) for each in row["wrong"].split())
                found[row["sha256"]] = HeldOut(int(row["images"]), wrong)
            except (KeyError, TypeError, ValueError) as error:
                rule = f"must have a checkpoint, sha256, images and wrong: {error}"
                raise InputError(path, f"line {number}", None, rule) from error
    return found
