"""Configurations found by name."""

from __future__ import annotations

from pathlib import Path

from hwsim.errors import InputError
from hwsim.system.reading import is_file

__all__ = ["CONFIGS", "resolve"]

#: ``configs/`` of the checkout, or of the installed package's neighbour.
CONFIGS = Path(__file__).parents[1] / "configs"


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
    known = ", ".join(sorted(p.stem for p in (CONFIGS / kind).glob("*.yaml")))
    raise InputError(f"configs/{kind}", "name", str(name), f"must be a file or one of: {known}")
