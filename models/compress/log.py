"""The log of a training run: one row an epoch, as ``hwsim compress`` writes it beside a checkpoint.

Columns: ``stage``, ``epoch`` (from 1, of the stage), ``learning_rate``, ``loss``,
``train_accuracy``, ``heldout_accuracy``, ``kept`` (fraction of weights that are not 0), ``rho``,
and for each layer ``primal_<layer>`` and ``dual_<layer>``, the residuals of ADMM. A stage that has
no such figure leaves it blank.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from hwsim.errors import InputError

__all__ = ["read"]

#: What every log has.
_NEEDED = ("stage", "epoch", "loss", "kept")


def read(path: Path) -> list[dict[str, Any]]:
    """Read a log: ``stage`` is text, ``epoch`` an integer, all else a float or ``None``.

    Raises
    ------
    InputError
        No such file, no log, or a value that is no number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, strict=True)
            missing = [name for name in _NEEDED if name not in (table.fieldnames or ())]
            if missing:
                raise InputError(path, "", None, f"must have the column {missing[0]}")
            return [_row(path, table.line_num, raw) for raw in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, "", None, f"cannot be read: {error}") from error


def _row(path: Path, line: int, raw: dict[str, Any]) -> dict[str, Any]:
    if None in raw or None in raw.values():
        raise InputError(path, f"line {line}", None, "must have as many values as the first line")
    row: dict[str, Any] = {"stage": raw.pop("stage"), "epoch": raw.pop("epoch")}
    if not (row["epoch"].isdecimal() and row["epoch"].isascii()):
        raise InputError(path, f"line {line}, epoch", row["epoch"], "must be an integer")
    row["epoch"] = int(row["epoch"])
    for name, text in raw.items():
        try:
            row[name] = float(text) if text else None
        except ValueError:
            row[name] = math.nan
        if row[name] is not None and not math.isfinite(row[name]):
            raise InputError(path, f"line {line}, {name}", text, "must be a number or blank")
    return row
