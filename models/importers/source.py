"""Read what the command line names: an ONNX file, or a network and a file of its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference.normalization import Normalization
from hwsim.models.importers import calibrate, state_dict, torchvision
from hwsim.models.importers.calibrate import DEFAULT, Images, Settings
from hwsim.models.importers.float_model import FloatModel
from hwsim.system import extras
from hwsim.system.reading import reading

__all__ = ["CALIBRATION", "COMPARED", "checkpoint_of", "digest", "is_onnx", "read"]

#: Default number of images on which the ranges of the activations are measured.
CALIBRATION = 8
#: Number of images, others where there are others, that are inferred in integers as well, to
#: measure the loss by quantization.
COMPARED = 8


def is_onnx(network: str) -> bool:
    """Whether a NETWORK of the command line is an ONNX file."""
    return Path(network).suffix.lower() == ".onnx"


def read(
    network: str,
    weights: Path | None,
    size: Sequence[int] | None = None,
    until: Sequence[str] = (),
    *,
    outside: bool = False,
    verbose: bool = False,
) -> FloatModel:
    """Read a network with its weights.

    Parameters
    ----------
    network
        An ONNX file, or a network's name or YAML file.
    weights
        File of the weights; ``None`` for an ONNX file.
    size
        Axes of the input behind the batch, for an ONNX file that leaves some open.
    until
        Tensors of an ONNX file that are the outputs in place of the file's.
    outside
        Leave operations of an ONNX file that no layer computes in floating point.
    verbose
        Name every node of an ONNX file that is unsupported, however long the message.

    Raises
    ------
    InputError
        Weights are given beside an ONNX file, which has its own, or missing for another network;
        or a file cannot be read.
    """
    if is_onnx(network):
        if weights is not None:
            rule = "must be absent: an ONNX file has its own weights"
            raise InputError("command line", "--weights", str(weights), rule)
        extras.require("onnx")
        from hwsim.models.importers.onnx_layers import load

        with reading(network, "cannot be imported"):
            return load(network, size, until, outside=outside, verbose=verbose)
    if size is not None:
        rule = "must be absent: only an ONNX file leaves sizes open"
        raise InputError("command line", "--size", "x".join(map(str, size)), rule)
    if until:
        rule = "must be absent: only an ONNX file names its tensors"
        raise InputError("command line", "--until", ", ".join(until), rule)
    if outside:
        rule = "must be absent: only an ONNX file has operations that may run outside"
        raise InputError("command line", "--outside", "float", rule)
    config = NetworkConfig.read(network)
    if weights is None:
        rule = f"must be given: a .pth or .safetensors file with the weights of {config.name}"
        raise InputError("command line", "--weights", None, rule)
    return torchvision.load(config, state_dict.read(weights), str(weights))


def checkpoint_of(
    model: FloatModel,
    images: Images,
    calibration: str,
    *,
    others: Images | None = None,
    compare: bool = False,
    settings: Settings = DEFAULT,
    normalization: Normalization | None = None,
    original: FloatModel | None = None,
    remarks: Mapping[str, Any] = MappingProxyType({}),
    progress: Callable[[str], None] = lambda what: None,
) -> Checkpoint:
    """Quantize a model; the checkpoint's ``info`` records the source, the images and the settings.

    Parameters
    ----------
    model
        Network with real weights.
    images
        ``(n, C, H, W)`` images on which the ranges of the activations are measured.
    calibration
        Description of the images, in words.
    others
        Images that are inferred in integers and in floating point to record how well the logits
        agree; without, some of ``images``.
    compare
        Whether to do so.
    settings
        How the network is quantized.
    normalization
        What was done to the pixels of the images, which the checkpoint records for later ones.
    original
        Network that the integers are compared with, where it is not ``model``.
    remarks
        What else ``info`` records.
    progress
        Called with a description of each step.
    """
    info: dict[str, Any] = {
        "imported": Path(model.source).name,
        "sha256": digest(model),
        "calibration": calibration,
        "images": len(images),
        "ranges": str(settings.ranges),
        "weight_scales": "channel" if settings.per_channel else "layer",
        "weight_bits": settings.weight_bits,
        "bias_correction": settings.correct_bias,
    }
    if normalization is not None:
        info |= normalization.info
    info |= remarks
    checkpoint = calibrate.quantize(model, images, info, progress, settings)
    if compare:
        progress("comparing integer with float inference")
        is_fresh = others is not None and len(others) > 0
        compared = others if others is not None and is_fresh else images[:COMPARED]
        agreement = calibrate.agreement(original or model, checkpoint, compared)
        info["compared_on"] = "other images" if is_fresh else "of the same images"
        info["correlation"] = round(agreement.correlation, 6)
        if len(agreement.correlations) > 1:
            each = agreement.correlations.items()
            info["correlations"] = {name: round(value, 6) for name, value in each}
        info["same_top1"] = [agreement.same, agreement.images]
        info["saturated_inputs"] = round(agreement.saturated, 6)
        info["saturated_layers"] = {
            name: round(share, 6) for name, share in agreement.saturated_layers.items()
        }
    return checkpoint


def digest(model: FloatModel) -> str:
    """Compute the SHA-256 of all files that a model was read from, in hexadecimal digits."""
    content = hashlib.sha256()
    for file in (model.source, *model.files):
        content.update(Path(file).read_bytes())
    return content.hexdigest()
