"""Checkpoints found by name: those that ship, and those built here."""

from __future__ import annotations

from pathlib import Path

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.config.catalog import choices
from hwsim.errors import InputError
from hwsim.system.reading import is_file

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
    """Path of a checkpoint, given by path or by the name of one that ships or was built here.

    Raises
    ------
    InputError
        No such file; the message lists the names there are.
    """
    path = Path(name)
    if path.suffix.lower() == ".safetensors" or len(path.parts) > 1:
        if is_file(path):
            return path
        raise InputError(path, "", None, "no such file")
    path = CHECKPOINTS / f"{name}.safetensors"
    if is_file(path):
        return path
    if is_file(built(str(name))):
        return built(str(name))
    known = choices(str(name), (p.stem for p in CHECKPOINTS.glob("*.safetensors")))
    rule = f"must be a file or one of: {known}; or what hwsim compress has made here"
    raise InputError("models/checkpoints", "name", str(name), rule)


def dataset_of(checkpoint: Checkpoint) -> str | None:
    """Data set that a checkpoint was trained on, as its recipe says; ``None`` without a recipe."""
    recipe = checkpoint.info.get("recipe")
    dataset = recipe.get("dataset") if isinstance(recipe, dict) else None
    return dataset if isinstance(dataset, str) else None


def network_of(checkpoint: Checkpoint) -> NetworkConfig:
    """Read the network of a checkpoint, and check that they fit.

    The network is the YAML of its name beside the file, where an import writes it, or the shipped
    one.
    """
    beside = Path(checkpoint.source).parent / f"{checkpoint.network}.yaml"
    network = NetworkConfig.read(beside if is_file(beside) else checkpoint.network)
    checkpoint.check(network)
    return network
