"""Checkpoints found by name: those that ship, and those built here."""

from __future__ import annotations

from pathlib import Path

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.errors import InputError

__all__ = [
    "CHECKPOINTS",
    "built",
    "dataset_of",
    "find_checkpoint",
    "network_of",
]

CHECKPOINTS = Path(__file__).parents[1] / "models" / "checkpoints"


def built(name: str) -> Path:
    """Path where ``hwsim compress`` writes the checkpoint of a recipe."""
    return Path("build/compress") / name / f"{name}.safetensors"


def find_checkpoint(name: str | Path) -> Path:
    """Path of a checkpoint: a path is a path, a bare name one that ships, or that was built here.

    Raises
    ------
    InputError
        No such file; the message lists the names there are.
    """
    path = Path(name)
    if path.suffix == ".safetensors" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise InputError(path, "", None, "no such file")
    found = CHECKPOINTS / f"{name}.safetensors"
    if found.is_file():
        return found
    if built(str(name)).is_file():
        return built(str(name))
    known = ", ".join(sorted(p.stem for p in CHECKPOINTS.glob("*.safetensors")))
    rule = f"must be a file or one of: {known}; or what hwsim compress has made here"
    raise InputError("models/checkpoints", "name", str(name), rule)


def dataset_of(checkpoint: Checkpoint) -> str | None:
    """Data set that a checkpoint was trained on, as its recipe says; ``None`` without a recipe."""
    recipe = checkpoint.info.get("recipe")
    found = recipe.get("dataset") if isinstance(recipe, dict) else None
    return found if isinstance(found, str) else None


def network_of(checkpoint: Checkpoint) -> NetworkConfig:
    """Read the network of a checkpoint, and check that they fit.

    It is the YAML of its name beside the file, where an import leaves it, or the shipped one.
    """
    beside = Path(checkpoint.source).parent / f"{checkpoint.network}.yaml"
    network = NetworkConfig.read(beside if beside.is_file() else checkpoint.network)
    checkpoint.check(network)
    return network
