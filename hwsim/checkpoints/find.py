"""Networks and checkpoints found by name: those that ship, and those built here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.config.catalog import CONFIGS, choices
from hwsim.errors import InputError
from hwsim.system.reading import is_file, is_folder

__all__ = [
    "CHECKPOINTS",
    "Named",
    "built",
    "dataset_of",
    "find_checkpoint",
    "is_state_dict",
    "named_network",
    "network_of",
    "ships",
]

#: Suffixes of PyTorch's own files.
_TORCH = {".bin", ".pt", ".pth"}
CHECKPOINTS = Path(__file__).parents[1] / "models" / "checkpoints"


@dataclass(frozen=True)
class Named:
    """A network, and the checkpoint that was named in its place."""

    network: NetworkConfig
    checkpoint: Checkpoint | None = None


def named_network(name: str | Path) -> Named:
    """Read what a command, a sweep or a study names as a network.

    Parameters
    ----------
    name
        A name in ``configs/network``; a YAML file; a SCALE-Sim topology (``.csv``); a checkpoint,
        by name or path, whose network is the YAML beside it or a shipped one; or a folder with one
        checkpoint, as ``hwsim import`` writes it. A name of a network and a checkpoint is the
        network's.

    Raises
    ------
    InputError
        There is no such file, the folder holds none or several checkpoints, or a file is damaged.
    """
    path = Path(name)
    if path.suffix.lower() == ".safetensors":
        is_checkpoint = not is_state_dict(path)
    elif is_file(CONFIGS / "network" / f"{name}.yaml"):
        is_checkpoint = False
    elif any(is_file(f) for f in (CHECKPOINTS / f"{name}.safetensors", built(str(name)))):
        is_checkpoint = True
    elif is_folder(path):
        files = sorted(path.glob("*.safetensors"))
        if len(files) != 1:
            rule = f"must hold one checkpoint, as hwsim import writes it, not {len(files)}"
            raise InputError(path, "", None, rule)
        (path,), is_checkpoint = files, True
    else:
        is_checkpoint = False
    if not is_checkpoint:
        return Named(NetworkConfig.read(name))
    checkpoint = Checkpoint.read(find_checkpoint(path))
    return Named(network_of(checkpoint), checkpoint)


def is_state_dict(path: str | Path) -> bool:
    """Whether a file holds tensors by name, rather than a checkpoint of hwsim."""
    path = Path(path)
    if path.suffix.lower() in _TORCH:
        return True
    if path.suffix.lower() != ".safetensors" or not is_file(path):
        return False
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return (file.metadata() or {}).get("format") != "hwsim.checkpoint"
    except (SafetensorError, OSError):
        return False  # the reader of checkpoints says what is wrong with it


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
    """Data set of a checkpoint's accuracies; ``None`` where it says none.

    That of its recipe, or in words the labelled images of an import.
    """
    recipe = checkpoint.info.get("recipe")
    labelled = checkpoint.info.get("labelled")
    dataset = recipe.get("dataset") if isinstance(recipe, dict) else labelled
    return dataset if isinstance(dataset, str) else None


def network_of(checkpoint: Checkpoint) -> NetworkConfig:
    """Read the network of a checkpoint, and check that they fit.

    The network is the YAML beside the file, where an import writes it, of the file's name or its
    own; or the shipped one.
    """
    file = Path(checkpoint.source)
    beside = (file.with_suffix(".yaml"), file.with_name(f"{checkpoint.network}.yaml"))
    network = NetworkConfig.read(
        next((path for path in beside if is_file(path)), checkpoint.network)
    )
    checkpoint.check(network)
    return network


def ships(network: NetworkConfig) -> bool:
    """Whether ``configs/network`` has a network, with the same layers, by its name."""
    path = CONFIGS / "network" / f"{network.name}.yaml"
    return is_file(path) and NetworkConfig.read(path) == network
