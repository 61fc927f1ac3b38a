"""Pretrained networks become integers: read, pruned where that is asked for, calibrated."""

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
    from hwsim.config import NetworkConfig
    from hwsim.config.jobs.compress import TrainConfig
    from hwsim.inference.images import Images
    from hwsim.inference.labelled import Labelled
    from hwsim.inference.normalization import Normalization
    from hwsim.models.compress.layerwise import Rule
    from hwsim.models.importers.calibrate import Settings
    from hwsim.models.importers.float_model import FloatModel

__all__ = ["Imported", "import_network"]

#: Images with labels on which a network is reconstructed before it is trained: of a few, least
#: squares leave less than training can make up for.
_RECONSTRUCTED = 256
#: Bits of a weight, at most.
_WIDEST = 8


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


def import_network(
    network: str | Path | NetworkConfig,
    weights: str | Path | None = None,
    *,
    inputs: str | Path | NDArray[Any] | None = None,
    images: int | None = None,
    seed: int = 0,
    size: Sequence[int] | None = None,
    until: str | Sequence[str] = (),
    outside: str | None = None,
    ranges: str = "mse",
    percentile: float = 99.99,
    weight_scales: str = "channel",
    weight_bits: int = 8,
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
    """Quantize a pretrained network: activations of 8 bits, weights of 8 or fewer.

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
        Tensors, one or several, of an ``.onnx`` file that are the outputs in place of the file's:
        what is computed of them is left out.
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
    weight_bits
        Width of the weights of all layers, two's complement: 2 to 8.
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
    from hwsim.config import NetworkConfig
    from hwsim.inference import golden
    from hwsim.inference.normalization import Normalization
    from hwsim.models.importers import source

    named("network", network, (str, Path, NetworkConfig))
    file = None if weights is None else Path(named("weights", weights))
    inputs, seed = image_source(inputs), whole("seed", seed)
    count = source.CALIBRATION if images is None else image_count(images)
    progress(f"reading {weights or network}")
    given = (
        None if size is None else [whole("size", each, 1) for each in several("size", size, (int,))]
    )
    ends = [str(each) for each in several("until", until, (str,))]
    model = _float_model(network, file, given, ends, outside=_is_beside(outside), verbose=verbose)
    settings = _settings(
        ranges,
        percentile,
        weight_scales,
        whole("weight_bits", weight_bits, 2, _WIDEST),
        bias_correction,
    )
    normalization = Normalization.given(mean, std, model.config)
    most = count + source.COMPARED
    data: Labelled | None = None
    if labelled or training is not None:
        data = _labelled(inputs, model.config, normalization, seed)
        pixels, calibration = data.images[:most], f"images of {Path(str(inputs)).name}"
    else:
        pixels, calibration = _images(inputs, model.config, normalization, most, seed)
    original = model
    remarks: dict[str, Any] = {"kind": "dense"}
    if rule is not None:
        kept = [str(each) for each in several("dense", dense, (str,))]
        shown = None if inputs is None else pixels[:count]
        if training is not None and data is not None:
            shown = data.split()[0].images[: max(count, _RECONSTRUCTED)]
        model, remarks = _pruned(original, rule, shown, kept, progress)
        if training is not None and data is not None:
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


def _images(
    inputs: str | Path | NDArray[Any] | None,
    network: NetworkConfig,
    normalization: Normalization | None,
    most: int,
    seed: int,
) -> tuple[Images, str]:
    """Images without labels, and what the checkpoint says that they are."""
    import numpy as np

    from hwsim.inference import images
    from hwsim.inference.operands import RANDOM

    if inputs is None:
        return images.random(network, most, seed), RANDOM
    if isinstance(inputs, np.ndarray):
        return images.checked(inputs, network, "inputs", normalization), "images of an array"
    pixels = images.read(inputs, network, normalization, most)
    return pixels, f"images of {Path(inputs).name}"


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


def _pruned(
    original: FloatModel,
    rule: Rule,
    shown: Images | None,
    whole: Sequence[str],
    progress: Callable[[str], None],
) -> tuple[FloatModel, dict[str, Any]]:
    """What a rule leaves of a network, and what the checkpoint records of that."""
    from hwsim.models.compress import layerwise

    model = layerwise.prune(original, rule, shown, whole, progress)
    kind = "nonstructured" if rule.nm is None else "nm"
    return model, layerwise.described(original, rule, shown, whole) | {"kind": kind}


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
    ranges: str, percentile: float, weight_scales: str, weight_bits: int, bias_correction: bool
) -> Settings:
    from hwsim.models.importers.calibrate import Settings
    from hwsim.models.importers.ranges import Ranges

    if weight_scales not in ("channel", "layer"):
        rule = "must be channel or layer"
        raise InputError("arguments", "weight_scales", weight_scales, rule)
    per_channel = weight_scales == "channel"
    return Settings(Ranges(ranges, percentile), per_channel, bias_correction, weight_bits)


def _float_model(
    network: str | Path | NetworkConfig,
    weights: Path | None,
    size: Sequence[int] | None,
    until: Sequence[str],
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
