"""What the user is told when the input is bad: file, key, value and the rule it breaks."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

__all__ = ["InputError", "SimulationError"]

#: Characters of a message that are the source and the key, at most.
_SOURCE, _KEY = 400, 200


class InputError(Exception):
    """Bad input; the command line prints it as one line and exits 2.

    Parameters
    ----------
    source
        File (or argument) the value came from.
    key
        Dotted path of the key inside it, or ``""`` where the whole file is at fault.
    value
        The offending value, shown shortened to 60 characters; ``None`` shows none.
    rule
        The rule it breaks, as a phrase: ``must be at least 1``.

    The message is one line of printable characters: what a file has put into a name or a rule
    cannot write to the terminal.
    """

    def __init__(self, source: Path | str, key: str, value: object, rule: str) -> None:
        self.source, self.key, self.value, self.rule = str(source), key, value, rule
        shown = "" if value is None else f" = {_short(value)}"
        key = _plain(key, _KEY)
        where = f"{key}{shown}: " if key else (f"{_short(value)}: " if value is not None else "")
        super().__init__(f"{_plain(str(source), _SOURCE)}: {where}{_plain(rule)}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes with its message; its value may be unable to."""
        return _received, (str(self), self.source, self.key, self.rule)


class SimulationError(RuntimeError):
    """A build or a simulation failed by itself, as opposed to giving a wrong answer.

    The command line prints it without a traceback, and exits 1.
    """


def _received(message: str, source: str, key: str, rule: str) -> InputError:
    error = InputError(source, key, None, rule)
    error.args = (message,)
    return error


class _Brief(reprlib.Repr):
    """Representation that stays small: YAML aliases can nest a value without end."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = self.maxlong = 80


def _short(value: object) -> str:
    try:
        text = _Brief().repr(value)
    except ValueError:  # Python refuses to print an integer of thousands of digits
        text = f"<{type(value).__name__} too long to show>"
    return text if len(text) <= 60 else text[:57] + "..."


def _plain(text: str, most: int | None = None) -> str:
    """Text on one line, of printable characters; its middle is left out where it is long."""
    line = "".join(each if each.isprintable() else " " if each == "\n" else "?" for each in text)
    if most is None or len(line) <= most:
        return line
    return f"{line[: most // 2]}...{line[-most // 2 :]}"
