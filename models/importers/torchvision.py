"""Names of torchvision's tensors for the layers of the shipped networks.

A layer's weights are in one module (``layer1.0.conv1``), its batch normalization, if any, in
another (``layer1.0.bn1``). Sources: ``torchvision/models/{alexnet,vgg,resnet,mobilenetv2}.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.models.importers.state_dict import Tensors
from hwsim.workload.lowering import weight_shape

__all__ = ["EPS", "Names", "load", "names_of"]

#: ``eps`` of ``torch.nn.BatchNorm2d``, which none of these networks changes.
EPS = 1e-5
#: Tensors of a batch normalization, in the order of :meth:`LayerFloats.normalized`.
_NORM = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Names:
    """Module of a layer's ``weight`` and ``bias``, and of the batch normalization after it."""

    module: str
    norm: str | None = None


def load(config: NetworkConfig, tensors: Tensors, source: str) -> FloatModel:
    """Take a network's weights from a state dict and fold batch normalization in.

    Names are torchvision's for the shipped networks, or ``LAYER.weight`` and ``LAYER.bias`` with
    the names of the network's own layers.

    Parameters
    ----------
    config
        The network.
    tensors
        float32 tensors by name.
    source
        File of the tensors, for messages and records.

    Raises
    ------
    InputError
        A tensor is missing, has another shape, or belongs to no layer; the message names the first
        such tensor.
    """
    shapes = {shape.layer.name: shape for shape in config.shapes() if shape.has_weights}
    names = names_of(config, tensors)
    taken: set[str] = set()

    def take(name: str, shape: tuple[int, ...], layer: str) -> NDArray[np.float32]:
        where = f"for layer {layer} of {config.name}"
        if name not in tensors:
            raise InputError(source, name, None, f"must be given, with shape {shape}, {where}")
        if tensors[name].shape != shape:
            raise InputError(source, name, tensors[name].shape, f"must have shape {shape} {where}")
        taken.add(name)
        return tensors[name]

    layers = {}
    for layer, shape in shapes.items():
        module, norm = names[layer].module, names[layer].norm
        channels = (shape.ofmap.channels,)
        weight = take(f"{module}.weight", weight_shape(shape), layer)
        has_bias = f"{module}.bias" in tensors
        bias = (
            take(f"{module}.bias", channels, layer)
            if has_bias
            else np.zeros(channels, dtype=np.float32)
        )
        layers[layer] = LayerFloats(weight, bias)
        if norm is not None:
            gamma, beta, mean, var = (take(f"{norm}.{part}", channels, layer) for part in _NORM)
            if (var < 0).any():
                raise InputError(source, f"{norm}.running_var", None, "must be at least 0")
            layers[layer] = layers[layer].normalized(gamma, beta, mean, var, EPS)
    for name in tensors:
        if name not in taken:
            raise InputError(
                source, name, tensors[name].shape, f"is the tensor of no layer of {config.name}"
            )
    return FloatModel(config, layers, source)


def names_of(config: NetworkConfig, present: Container[str]) -> dict[str, Names]:
    """Return the modules of every layer with weights, by layer name.

    Parameters
    ----------
    config
        The network.
    present
        Names in the file: VGG-16 exists with and without batch normalization.
    """
    layers = [shape.layer.name for shape in config.shapes() if shape.has_weights]
    if config.name not in _NETWORKS or all(f"{name}.weight" in present for name in layers):
        return {name: Names(name) for name in layers}
    return _NETWORKS[config.name](config, present)


def _sequential(config: NetworkConfig, present: Container[str]) -> dict[str, Names]:
    """AlexNet and VGG-16: ``features`` is numbered, fully connected layers are in ``classifier``.

    Each convolution, batch normalization, ReLU and pool has a number of its own.
    """
    has_norm = "features.1.running_mean" in present
    names, index = {}, 0
    classifier = _CLASSIFIERS[config.name]
    for layer in config.layers:
        if layer.type == "conv":
            norm = f"features.{index + 1}" if has_norm else None
            names[layer.name] = Names(f"features.{index}", norm)
            index += 3 if has_norm else 2
        elif layer.type == "fc":
            names[layer.name] = Names(f"classifier.{classifier[layer.name]}")
        else:
            index += 1
    return names


def _resnet(config: NetworkConfig, present: Container[str]) -> dict[str, Names]:
    """``conv3_1b`` is ``layer2.0.conv2``, ``conv3_1_proj`` is ``layer2.0.downsample.0``."""
    names = {"conv1": Names("conv1", "bn1"), "fc": Names("fc")}
    for layer in config.layers:
        match = re.fullmatch(r"conv(\d)_(\d)(?:_(proj)|([abc]))", layer.name)
        if match:
            block = f"layer{int(match[1]) - 1}.{int(match[2]) - 1}"
            index = "abc".find(match[4] or "-") + 1
            names[layer.name] = (
                Names(f"{block}.downsample.0", f"{block}.downsample.1")
                if match[3]
                else Names(f"{block}.conv{index}", f"{block}.bn{index}")
            )
    return names


def _mobilenetv2(config: NetworkConfig, present: Container[str]) -> dict[str, Names]:
    """``block2_expand`` is ``features.2.conv.0.0``; the first block has no expansion."""
    names = {
        "conv1": Names("features.0.0", "features.0.1"),
        "conv2": Names("features.18.0", "features.18.1"),
        "fc": Names("classifier.1"),
    }
    for layer in config.layers:
        match = re.fullmatch(r"block(\d+)_(expand|depthwise|project)", layer.name)
        if match:
            stages = ("expand", "depthwise", "project")[match[1] == "1" :]
            index = stages.index(match[2])
            block = f"features.{match[1]}.conv"
            names[layer.name] = (
                Names(f"{block}.{index}", f"{block}.{index + 1}")
                if match[2] == "project"
                else Names(f"{block}.{index}.0", f"{block}.{index}.1")
            )
    return names


_CLASSIFIERS = {
    "alexnet": {"fc6": 1, "fc7": 4, "fc8": 6},
    "alexnet_owt": {"fc6": 1, "fc7": 4, "fc8": 6},
    "vgg16": {"fc6": 0, "fc7": 3, "fc8": 6},
}
_NETWORKS: dict[str, Callable[[NetworkConfig, Container[str]], dict[str, Names]]] = {
    "alexnet": _sequential,
    "alexnet_owt": _sequential,
    "vgg16": _sequential,
    "resnet18": _resnet,
    "resnet50": _resnet,
    "mobilenetv2": _mobilenetv2,
}
