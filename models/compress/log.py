"""The log of a training run: one row per epoch, in a CSV file beside the checkpoint.

Columns: ``stage``, ``epoch`` (from 1, of the stage), ``learning_rate``, ``loss``,
``train_accuracy``, ``heldout_accuracy``, ``kept`` (fraction of weights that are not 0), ``rho``,
and for each layer ``primal_<layer>`` and ``dual_<layer>``, the residuals of ADMM, and
``weights_<layer>``, the number of weights that are not 0. A cell is blank where the stage has no
such figure.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hwsim.errors import InputError
from hwsim.system.files import write_text_atomic

__all__ = ["Epoch", "read", "write"]

#: Columns that every log has.
_REQUIRED = ("stage", "epoch", "loss", "kept")
#: Fields of :class:`Epoch` that have a column per layer.
_BY_LAYER = ("primal", "dual", "weights")


@dataclass(frozen=True)
class Epoch:
    """One row of the log.

    ``learning_rate`` is the largest of the epoch; loss (without penalty) and ``train_accuracy``
    are running means over it, ``heldout_accuracy`` is of the images held out, after it.
    """

    stage: str
    epoch: int
    learning_rate: float
    loss: float
    train_accuracy: float
    heldout_accuracy: float
    kept: float
    #: ADMM only: penalty of the epoch, and the residuals of each layer after it.
    rho: float | None = None
    primal: dict[str, float] = field(default_factory=dict)
    dual: dict[str, float] = field(default_factory=dict)
    #: Weights of each layer that are not 0, after the epoch.
    weights: dict[str, int] = field(default_factory=dict)


def write(path: Path, epochs: Sequence[Epoch]) -> Path:
    """Write a log, whole or not at all; numbers have six significant digits.

    Parameters
    ----------
    path
        The CSV file.
    epochs
        Rows in order.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    names = [each.name for each in fields(Epoch) if each.name not in _BY_LAYER]
    columns = [
        f"{kind}_{layer}"
        for kind in _BY_LAYER
        for layer in dict.fromkeys(name for epoch in epochs for name in getattr(epoch, kind))
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, *columns], lineterminator="\n")
    writer.writeheader()
    for epoch in epochs:
        row = {name: getattr(epoch, name) for name in names}
        for kind in _BY_LAYER:
            row |= {f"{kind}_{layer}": value for layer, value in getattr(epoch, kind).items()}
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return write_text_atomic(path, text.getvalue())


def read(path: Path) -> list[dict[str, Any]]:
    """Read a log.

    Returns
    -------
    list of dict
        A row per epoch, by column: ``stage`` is text, ``epoch`` an integer, all else a float, or
        ``None`` where the cell is blank.

    Raises
    ------
    InputError
        The file is missing, is no log, or has a value that is no number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, strict=True)
            missing = [name for name in _REQUIRED if name not in (table.fieldnames or ())]
            if missing:
                raise InputError(path, "", None, f"must have the column {missing[0]}")
            return [_row(path, table.line_num, raw) for raw in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, "", None, f"cannot be read: {error}") from error


def _row(path: Path, line: int, raw: dict[str, Any]) -> dict[str, Any]:
    if None in raw or None in raw.values():
        raise InputError(path, f"line {line}", None, "must have as many values as the first line")
    row: dict[str, Any] = {"stage": raw.pop("stage"), "epoch": raw.pop("epoch")}
    if not re.fullmatch("[0-9]{1,9}", row["epoch"]):
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
