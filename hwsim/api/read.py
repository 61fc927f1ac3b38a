"""Designs, networks and weights from names, paths or objects: the one resolver of arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import image_count, image_source, named, whole
from hwsim.api.import_network import import_network
from hwsim.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import Named
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.workload.layer import Layer

__all__ = [
    "on_file", "read_arch", "read_checkpoint", "read_network", "resolved", "weights_on_file",
    "workload",
]  # fmt: skip

#: Where networks are imported that sweeps, studies and recipes name.
_IMPORTS = Path("build/networks")


@dataclass(frozen=True)
class Resolved:
    """What a NETWORK argument names: the network, its weights where there are any, their name."""

    network: NetworkConfig
    checkpoint: Checkpoint | None
    name: str


@dataclass(frozen=True)
class Workload:
    """A network with its operands: ``layers`` is ``None`` where they are to be drawn."""

    network: NetworkConfig
    layers: dict[str, Layer] | None
    #: Where weights (``operands``) and images (``inputs``) come from, in words.
    origin: dict[str, str]


def read_arch(arch: str | Path | ArchConfig) -> ArchConfig:
    """Read a design.

    Parameters
    ----------
    arch
        Name in ``configs/arch`` or ``configs/machine``, path of a YAML file, or a design, whose
        rules are checked again: ``model_copy(update=...)`` checks none.

    Returns
    -------
    ArchConfig
        The design, frozen and checked.

    Raises
    ------
    InputError
        There is no such file, or it breaks a rule; the message names file, key, value and rule.
    """
    from hwsim.config import ArchConfig

    if isinstance(arch, ArchConfig):
        return _checked(arch)
    return ArchConfig.read(named("arch", arch, (str, Path, ArchConfig)))


def _checked(arch: ArchConfig) -> ArchConfig:
    """Design whose fields keep the rules, unknown ones included."""
    from hwsim.config.base import parse

    sections = {name: value for name, value in vars(arch).items() if value is not None}
    raw = {
        name: dict(vars(value)) if hasattr(value, "model_fields_set") else value
        for name, value in sections.items()
    }
    again = parse(type(arch), raw, f"design {arch.name}")
    return arch if again == arch else again


def read_network(network: str | Path | NetworkConfig) -> NetworkConfig:
    """Read a network: its layers and their shapes.

    Parameters
    ----------
    network
        Name in ``configs/network``; path of a YAML file, of an ``.onnx`` file or of a SCALE-Sim
        topology (``.csv``); a checkpoint, by name or path, or the folder of an import; or a
        network, which is returned as it is.

    Returns
    -------
    NetworkConfig
        The network, frozen and checked.

    Raises
    ------
    InputError
        There is no such file, it breaks a rule, or the extra ``onnx`` is missing.
    """
    from hwsim.config import NetworkConfig

    if isinstance(network, NetworkConfig):
        return network
    if _is_onnx(named("network", network, (str, Path, NetworkConfig))):
        from hwsim.models.importers import source

        return source.read(str(network), None).config
    return _known(network).network


def _known(network: str | Path | NetworkConfig) -> Named:
    """Network on file, or one that is given as it is."""
    from hwsim.checkpoints.find import Named, named_network
    from hwsim.config import NetworkConfig

    if isinstance(network, NetworkConfig):
        return Named(network)
    return named_network(named("network", network, (str, Path, NetworkConfig)))


def read_checkpoint(
    weights: str | Path | Checkpoint,
    network: str | Path | NetworkConfig | None = None,
    *,
    inputs: str | Path | NDArray[Any] | None = None,
    seed: int = 0,
) -> Checkpoint:
    """Read weights: a compressed checkpoint as it is, pretrained weights quantized to 8 bits.

    Parameters
    ----------
    weights
        Name in ``models/checkpoints``, path of a checkpoint (``.safetensors``), of a state dict
        (``.pth``, ``.safetensors``) or of an ``.onnx`` file; or a checkpoint.
    network
        Network that the weights must fit. A state dict needs it; an ``.onnx`` file is its own.
    inputs
        Images that give the ranges of activations when weights are quantized: as of
        :func:`simulate`; by default random ones.
    seed
        Seed of random images.

    Returns
    -------
    Checkpoint
        Integer weights ``(M, C / G, R, S)`` or ``(M, K)`` and biases ``(M,)`` of every layer.

    Raises
    ------
    InputError
        There are no such weights, they are damaged or do not fit the network, or an extra is
        missing.
    """
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import find_checkpoint, is_state_dict

    if isinstance(weights, Checkpoint):
        if network is not None:
            weights.check(read_network(network))
        return weights
    path = named("weights", weights, (str, Path, Checkpoint))
    if _is_onnx(path):
        return import_network(path, inputs=inputs, seed=seed, compare=False).checkpoint
    if is_state_dict(path):
        if network is None:
            rule = "must be given: a state dict does not say its layers"
            raise InputError("arguments", "network", None, rule)
        return import_network(network, path, inputs=inputs, seed=seed, compare=False).checkpoint
    known = None if network is None else read_network(network)
    return Checkpoint.read(find_checkpoint(path), known)


def workload(
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None,
    images: int,
    inputs: str | Path | NDArray[Any] | None,
    seed: int,
    progress: Callable[[str], None] = lambda what: None,
    outside: str | None = None,
) -> Workload:
    """Resolve what :func:`simulate` is told: network, operands, and where they come from."""
    from hwsim.checkpoints.synthetic import label
    from hwsim.inference.operands import operands_of

    images, seed = image_count(images), whole("seed", seed)
    pictures: Path | NDArray[Any] | None = image_source(inputs)
    given = resolved(
        network, weights, inputs=pictures, seed=seed, outside=outside, progress=progress
    )
    net, checkpoint = given.network, given.checkpoint
    if checkpoint is None:
        if pictures is not None:
            rule = "must be absent: synthetic operands come from no images"
            shown = str(pictures) if isinstance(pictures, Path) else f"array {pictures.shape}"
            raise InputError("arguments", "inputs", shown, rule)
        return Workload(net, None, {"operands": f"synthetic weights, seed {seed}"})
    progress(f"inferring {images} image(s)")
    layers, described = operands_of(net, checkpoint, images, pictures, seed)
    return Workload(net, layers, {"operands": label(given.name, checkpoint), "inputs": described})


def resolved(
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    *,
    inputs: Path | NDArray[Any] | None = None,
    seed: int = 0,
    outside: str | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> Resolved:
    """Resolve what a command is told: a network, and weights that it has or is given.

    Parameters
    ----------
    network
        As of :func:`read_network`: an ``.onnx`` file and a checkpoint have their own weights.
    weights
        As of :func:`read_checkpoint`; absent where the network has its own.
    inputs, seed
        Images that give the ranges of activations of pretrained weights.
    outside
        As of :func:`import_network`; absent where the network is no ``.onnx`` file.
    progress
        Called with what begins.

    Raises
    ------
    InputError
        A file cannot be read, the weights do not fit the network, or it has its own.
    """
    if isinstance(network, str | Path) and _is_onnx(network):
        _have_own(network, weights)
        made = import_network(
            network, inputs=inputs, seed=seed, outside=outside, compare=False, progress=progress
        )
        return Resolved(made.network, made.checkpoint, str(network))
    if outside is not None:
        rule = "must be absent: only an ONNX file has operations that may run outside"
        raise InputError("arguments", "outside", outside, rule)
    known = _known(network)
    if known.checkpoint is not None:
        _have_own(str(network), weights)
        return Resolved(known.network, known.checkpoint, Path(known.checkpoint.source).stem)
    net = known.network
    if weights is None:
        return Resolved(net, None, "")
    progress(f"reading {_called(weights)}")
    checkpoint = read_checkpoint(weights, net, inputs=inputs, seed=seed)
    return Resolved(net, checkpoint, _called(weights))


def on_file(
    networks: Sequence[str], progress: Callable[[str], None] = lambda what: None
) -> list[str]:
    """Names of networks that sweeps and studies read: an ``.onnx`` file becomes a checkpoint.

    It is imported as by :func:`import_network`, into ``build/networks``: what ``hwsim import`` made
    of the file with images of the user's stays as it is, and may be named in its place.

    Raises
    ------
    InputError
        A file cannot be imported.
    """
    found = []
    for name in networks:
        if _is_onnx(name):
            made = import_network(name, compare=False, progress=progress)
            path, _ = made.write(_IMPORTS / made.network.name)
            name = str(path)
        found.append(name)
    return found


def weights_on_file(
    weights: str,
    network: str,
    dataset: str,
    progress: Callable[[str], None] = lambda what: None,
) -> str:
    """Name of the checkpoint that a recipe reads: pretrained weights become one.

    An ``.onnx`` file and a state dict are imported as by :func:`import_network`, with ranges from
    images of the data set, into ``build/networks``; of a folder it is the file in there.

    Parameters
    ----------
    weights
        Checkpoint, state dict, ``.onnx`` file, or the folder of an import.
    network
        Network of a state dict, as of :func:`read_network`.
    dataset
        Data set whose training images give the ranges.
    progress
        Called with what begins.

    Raises
    ------
    InputError
        A file cannot be imported, does not take the images, or the data set is missing.
    """
    from hwsim.checkpoints.find import is_state_dict
    from hwsim.datasets import load as datasets
    from hwsim.models.importers.source import CALIBRATION
    from hwsim.system.reading import is_folder

    is_onnx = _is_onnx(weights)
    if not (is_onnx or is_state_dict(weights)):
        known = _known(weights).checkpoint if is_folder(Path(weights)) else None
        return weights if known is None else known.source
    images, _ = datasets.load(dataset, "train")
    given: tuple[str | NetworkConfig, str | None] = (
        (weights, None) if is_onnx else (read_network(network), weights)
    )
    try:
        made = import_network(*given, inputs=images[:CALIBRATION], compare=False, progress=progress)
    except InputError as error:
        if error.source != "inputs":
            raise
        rule = f"must take images of {(1, *images.shape[1:])} for {dataset}"
        raise InputError(weights, "", None, rule) from error
    path, _ = made.write(_IMPORTS / f"{made.network.name}_{dataset}")
    return str(path)


def _have_own(network: str | Path, weights: str | Path | Checkpoint | None) -> None:
    if weights is not None:
        rule = f"must be absent: the weights are those of {network}"
        raise InputError("arguments", "weights", _called(weights), rule)


def _called(weights: str | Path | Checkpoint) -> str:
    source = getattr(weights, "source", None)
    return str(weights) if source is None else Path(source).stem


def _is_onnx(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".onnx"
