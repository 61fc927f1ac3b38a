"""Causes: what a cycle of an array was spent on. The RTL's status code is the cause's position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Cause", "CauseTable", "cause_code", "cause_names"]


class Cause(NamedTuple):
    """One cause, and what it means."""

    name: str
    meaning: str


#: Status group (``array``; or ``control`` and ``pe``) -> its causes, in the order of their codes.
CauseTable = Mapping[str, tuple[Cause, ...]]


def cause_names(table: CauseTable) -> dict[str, tuple[str, ...]]:
    """Names of the causes of each status group, in the order of their codes."""
    return {group: tuple(cause.name for cause in causes) for group, causes in table.items()}


def cause_code(table: CauseTable, group: str, name: str) -> int:
    """Status code of a cause: its position in the group.

    Raises
    ------
    ValueError
        The group has no such cause.
    """
    return cause_names(table)[group].index(name)
