"""Configurations found by name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from hwsim.errors import InputError
from hwsim.system.reading import is_file

__all__ = ["CONFIGS", "choices", "resolve"]

#: ``configs/`` of the checkout, or of the installed package's neighbour.
CONFIGS = Path(__file__).parents[1] / "configs"
#: Names that a message lists at most, and characters of a wrong name that they are compared with.
_SHOWN, _COMPARED = 12, 80


def resolve(name: str | Path, kind: str) -> Path:
    """Path of a configuration: a path is a path, a bare name is ``configs/<kind>/<name>.yaml``.

    Raises
    ------
    InputError
        No such file; the message lists the closest names there are.
    """
    path = Path(name)
    if is_file(path) and (path.suffix or len(path.parts) > 1):
        return path
    if path.suffix.lower() in {".yaml", ".yml", ".csv"} or len(path.parts) > 1:
        raise InputError(path, "", None, "no such file")
    path = CONFIGS / kind / f"{name}.yaml"
    if is_file(path):
        return path
    known = choices(str(name), (p.stem for p in (CONFIGS / kind).glob("*.yaml")))
    raise InputError(f"configs/{kind}", "name", str(name), f"must be a file or one of: {known}")


def choices(name: str, known: Iterable[str]) -> str:
    """Names that there are, for a message; of many the closest to the one that was given."""
    every = sorted(known)
    if len(every) <= _SHOWN:
        return ", ".join(every)
    # of a long name the begin is enough, and comparing all of it would take seconds
    close = get_close_matches(name[:_COMPARED], every, _SHOWN, cutoff=0.5) or every[:_SHOWN]
    return f"{', '.join(close)} and {len(every) - len(close)} more"
