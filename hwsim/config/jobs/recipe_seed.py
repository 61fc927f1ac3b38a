"""Recipes of ``configs/compress`` with another seed: ``NAME_s3`` is ``NAME`` with seed 3."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hwsim.config.base import read_yaml
from hwsim.config.catalog import CONFIGS, resolve
from hwsim.system.reading import is_file

__all__ = ["read_with_seed"]

_NAME_WITH_SEED = re.compile(r"([a-z0-9][a-z0-9_]*)_s([1-9][0-9]{0,3})")


def read_with_seed(name: str | Path) -> tuple[Any, Path]:
    """Content of a recipe, by name or path, and the file that it stands in.

    ``NAME_sN`` is the recipe ``NAME`` with seed N, where no file has that name: the recipes that it
    starts from and that teach it get the same seed, so that nothing is shared between two seeds.

    Raises
    ------
    InputError
        No such recipe, or the file cannot be read.
    """
    seeded = _NAME_WITH_SEED.fullmatch(str(name))
    if seeded is None or is_file(_in_catalog(str(name))) or not is_file(_in_catalog(seeded[1])):
        path = resolve(name, "compress")
        return read_yaml(path), path
    path = _in_catalog(seeded[1])
    raw, suffix = read_yaml(path), f"_s{seeded[2]}"
    if isinstance(raw, dict):
        raw |= {"name": str(name), "seed": int(seeded[2])}
        _append(raw, "start", suffix)
        _append(raw.get("distil"), "teacher", suffix)
    return raw, path


def _in_catalog(name: str) -> Path:
    return CONFIGS / "compress" / f"{name}.yaml"


def _append(section: Any, key: str, suffix: str) -> None:
    """Give the recipe that a key names the seed, too; a file of weights stays."""
    if isinstance(section, dict) and is_file(_in_catalog(str(section.get(key)))):
        section[key] += suffix
