"""Designs, networks and weights from names, paths or objects: the one resolver of arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import image_count, image_source, named, several, whole
from hwsim.errors import InputError
from hwsim.system.reading import is_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import Named
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.config.jobs.compress import TrainConfig
    from hwsim.inference.images import Images
    from hwsim.inference.labelled import Labelled
    from hwsim.inference.normalization import Normalization
    from hwsim.models.compress.layerwise import Rule
    from hwsim.models.importers.calibrate import Settings
    from hwsim.models.importers.float_model import FloatModel
    from hwsim.workload.layer import Layer

__all__ = [
    "Imported", "import_network", "on_file", "read_arch", "read_checkpoint", "read_network",
    "resolved", "workload",
]  # fmt: skip

#: Images with labels on which a network is reconstructed before it is trained: of a few, least
#: squares leave less than training can make up for.
_RECONSTRUCTED = 256


@dataclass(frozen=True)
class Resolved:
    """What a NETWORK argument names: the network, its weights where there are any, their name."""

    network: NetworkConfig
    checkpoint: Checkpoint | None
    name: str


@dataclass(frozen=True)
class Imported:
    """A network from elsewhere and its quantized weights."""

    network: NetworkConfig
    checkpoint: Checkpoint

    def write(self, folder: str | Path) -> tuple[Path, Path]:
        """Write ``NAME.safetensors`` and ``NAME.yaml``, the network; return their paths.

        Where the folder has weights of this name from elsewhere, these stay, and the new files have
        eight digits of the sum behind their name.
        """
        from hwsim.checkpoints.checkpoint import Checkpoint
        from hwsim.system.files import write_text_atomic

        folder, name = Path(folder), self.network.name
        known, sha256 = folder / f"{name}.safetensors", self.checkpoint.info["sha256"]
        try:
            is_other = is_file(known) and Checkpoint.read(known).info.get("sha256") != sha256
        except InputError:
            is_other = True
        stem = folder / (f"{name}_{sha256[:8]}" if is_other else name)
        config = write_text_atomic(stem.with_suffix(".yaml"), self.network.to_yaml())
        return self.checkpoint.write(stem.with_suffix(".safetensors")), config


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


def import_network(
    network: str | Path | NetworkConfig,
    weights: str | Path | None = None,
    *,
    inputs: str | Path | NDArray[Any] | None = None,
    images: int | None = None,
    seed: int = 0,
    size: Sequence[int] | None = None,
    until: str | None = None,
    outside: str | None = None,
    ranges: str = "mse",
    percentile: float = 99.99,
    weight_scales: str = "channel",
    bias_correction: bool = True,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    rule: Rule | None = None,
    dense: str | Sequence[str] = (),
    training: TrainConfig | None = None,
    labelled: bool = False,
    compare: bool = True,
    verbose: bool = False,
    progress: Callable[[str], None] = lambda what: None,
) -> Imported:
    """Quantize a pretrained network: 8-bit weights and activations, scales calibrated.

    Parameters
    ----------
    network
        An ``.onnx`` file; or a network, as of :func:`read_network`, whose ``weights`` follow.
    weights
        State dict (``.pth``, ``.safetensors``) with torchvision's names or the network's own.
    inputs
        Images that give the ranges of activations: as of :func:`simulate`; by default random ones.
    images
        At most this many of them are used (default: 8).
    seed
        Seed of random images.
    size
        Axes of the input behind the batch, in the file's order: for an ``.onnx`` file that leaves
        some open.
    until
        Tensor of an ``.onnx`` file that is the output in place of the file's: what is computed of
        it is left out.
    outside
        ``"float"``: operations of an ``.onnx`` file that no layer computes run in floating point
        beside the array, as ``float`` layers.
    ranges
        How the range of a tensor of activations follows from its values: ``"mse"``, the least
        squared error; ``"minmax"``, the largest magnitude; ``"percentile"``.
    percentile
        Percentage of the magnitudes that lie inside the range, for ``"percentile"``.
    weight_scales
        ``"channel"``: one scale of the weights per output channel; ``"layer"``: one per layer.
    bias_correction
        Whether biases make up for the mean error that rounding leaves in their channel.
    mean, std
        What pixels become before the network reads them: ``(pixel / 255 - mean) / std``, one
        number or one per channel. The checkpoint records both, and images are treated so wherever
        it is used. Without, pixels stand for 0 to 1.
    rule, dense
        As of :func:`prune`: what stays of each layer, and layers that stay whole.
    training
        Schedule on which a pruned network is trained; ``inputs`` then have labels.
    labelled
        ``inputs`` have labels, as of :func:`prune`: ``info`` records the fraction of a twelfth of
        them, held out, that the integers classify correctly.
    compare
        Also infer a few images in float, others than those of the ranges where there are others,
        and record in ``info`` how well the logits agree.
    verbose
        Name every unsupported node of an ``.onnx`` file, however long the message.
    progress
        Called with what begins.

    Returns
    -------
    Imported
        Network and checkpoint.

    Raises
    ------
    InputError
        A file is missing, or cannot be imported; or an extra is missing.
    """
    import numpy as np

    from hwsim.config import NetworkConfig
    from hwsim.inference import golden
    from hwsim.inference import images as pictures
    from hwsim.inference.normalization import Normalization
    from hwsim.inference.operands import RANDOM
    from hwsim.models.importers import source

    named("network", network, (str, Path, NetworkConfig))
    file = None if weights is None else Path(named("weights", weights))
    inputs, seed = image_source(inputs), whole("seed", seed)
    count = source.CALIBRATION if images is None else image_count(images)
    progress(f"reading {weights or network}")
    given = (
        None if size is None else [whole("size", each, 1) for each in several("size", size, (int,))]
    )
    model = _float_model(network, file, given, until, outside=_is_beside(outside), verbose=verbose)
    settings = _settings(ranges, percentile, weight_scales, bias_correction)
    normalization = Normalization.given(mean, std, model.config)
    pixels: Images
    data: Labelled | None = None
    if labelled or training is not None:
        data = _labelled(inputs, model.config, normalization, seed)
        pixels = data.images[: count + source.COMPARED]
        calibration = f"images of {Path(str(inputs)).name}"
    elif inputs is None:
        pixels = pictures.random(model.config, count + source.COMPARED, seed)
        calibration = RANDOM
    elif isinstance(inputs, np.ndarray):
        pixels = pictures.checked(inputs, model.config, "inputs", normalization)
        calibration = "images of an array"
    else:
        most = count + source.COMPARED
        pixels = pictures.read(inputs, model.config, normalization, most)
        calibration = f"images of {Path(inputs).name}"
    original = model
    remarks: dict[str, Any] = {"kind": "dense"}
    if rule is not None:
        from hwsim.models.compress import layerwise

        shown = None if inputs is None else pixels[:count]
        if training is not None and data is not None:
            shown = data.split()[0].images[: max(count, _RECONSTRUCTED)]
        kept = [str(each) for each in several("dense", dense, (str,))]
        model = layerwise.prune(original, rule, shown, kept, progress)
        remarks = layerwise.described(original, rule, shown, kept)
        remarks["kind"] = "nonstructured" if rule.nm is None else "nm"
        if data is not None and training is not None:
            model, more = _trained(original, model, remarks, data, training, seed, progress)
            remarks |= more
    checkpoint = source.checkpoint_of(
        model,
        pixels[:count],
        calibration,
        others=pixels[count:][: source.COMPARED],
        compare=compare,
        settings=settings,
        normalization=normalization,
        original=original,
        remarks=remarks,
        progress=progress,
    )
    if data is not None:
        held = data.split()[1]
        progress("measuring accuracy")
        right = golden.accuracy(model.config, checkpoint, held.images, held.labels)
        called = f"{Path(str(inputs)).name} ({len(data.labels)} images)"
        checkpoint.info.update(accuracy=right, test_images=len(held.labels), labelled=called)
    return Imported(model.config, checkpoint)


def _labelled(
    inputs: str | Path | NDArray[Any] | None,
    network: NetworkConfig,
    normalization: Normalization | None,
    seed: int,
) -> Labelled:
    """Images with labels in a random order: folders of classes lie one behind the other."""
    from hwsim.inference import labelled

    if not isinstance(inputs, str | Path):
        rule = "must be a folder of class folders, or a .npz with images and labels, to train"
        raise InputError("arguments", "inputs", None, rule)
    return labelled.read(inputs, network, normalization).shuffled(seed)


def _trained(
    original: FloatModel,
    pruned: FloatModel,
    remarks: dict[str, Any],
    data: Labelled,
    training: TrainConfig,
    seed: int,
    progress: Callable[[str], None],
) -> tuple[FloatModel, dict[str, Any]]:
    """A pruned network behind training, and what the checkpoint records of that."""
    from hwsim.models.compress.finetune import retrain
    from hwsim.models.importers.calibrate import real

    train, held = data.split()
    whole = remarks["pruned"]["whole"]
    names = [name for name in pruned.layers if name not in whole]
    model = retrain(pruned, names, train.images, train.labels, training, seed, progress)
    rights = {}
    for key, each in (("before", original), ("pruned", pruned), ("trained", model)):
        classes = [int(each.logits(real(image[None])).argmax()) for image in held.images]
        hits = sum(a == b for a, b in zip(classes, held.labels.tolist(), strict=True))
        rights[f"accuracy_{key}"] = hits / len(classes)
    described = training.model_dump(mode="json") | {"images": len(train.labels), "seed": seed}
    return model, {"training": described, **rights}


def _is_beside(outside: str | None) -> bool:
    """Whether operations that no layer computes run beside the array; the one word is ``float``."""
    if outside not in (None, "float"):
        raise InputError("arguments", "outside", outside, "must be float")
    return outside is not None


def _settings(
    ranges: str, percentile: float, weight_scales: str, bias_correction: bool
) -> Settings:
    from hwsim.models.importers.calibrate import Settings
    from hwsim.models.importers.ranges import Ranges

    if weight_scales not in ("channel", "layer"):
        rule = "must be channel or layer"
        raise InputError("arguments", "weight_scales", weight_scales, rule)
    return Settings(Ranges(ranges, percentile), weight_scales == "channel", bias_correction)


def _float_model(
    network: str | Path | NetworkConfig,
    weights: Path | None,
    size: Sequence[int] | None,
    until: str | None,
    *,
    outside: bool,
    verbose: bool,
) -> FloatModel:
    from hwsim.models.importers import source, state_dict, torchvision

    if isinstance(network, str | Path):
        return source.read(str(network), weights, size, until, outside=outside, verbose=verbose)
    if weights is None:
        rule = f"must be given: a .pth or .safetensors file with the weights of {network.name}"
        raise InputError("arguments", "weights", None, rule)
    return torchvision.load(network, state_dict.read(weights), str(weights))


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
            path, _ = made.write(Path("build/networks") / made.network.name)
            name = str(path)
        found.append(name)
    return found


def _have_own(network: str | Path, weights: str | Path | Checkpoint | None) -> None:
    if weights is not None:
        rule = f"must be absent: the weights are those of {network}"
        raise InputError("arguments", "weights", _called(weights), rule)


def _called(weights: str | Path | Checkpoint) -> str:
    source = getattr(weights, "source", None)
    return str(weights) if source is None else Path(source).stem


def _is_onnx(path: str | Path) -> bool:
    return Path(path).suffix.lower() == ".onnx"
