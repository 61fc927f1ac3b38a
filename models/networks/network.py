"""A torch module built from a network configuration: the float model of the golden integers."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from hwsim.config import LayerShape, NetworkConfig
from hwsim.errors import InputError

__all__ = ["Network"]


class Network(nn.Module):
    """Chain of ``conv``, ``fc`` and ``maxpool`` layers with the configuration's names and shapes.

    Parameters
    ----------
    config
        The network.

    Raises
    ------
    InputError
        A layer is of another type, does not read its predecessor, or has a saturating ReLU; or the
        network has several outputs.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        config.must_have_one_output(config.name, "training sees what the last layer gives")
        self.shapes = config.shapes()
        previous = "input"
        for shape in self.shapes:
            if shape.layer.inputs not in ((), (previous,)):
                rule = f"must be the layer before ({previous}) in a network that is trained"
                raise InputError(config.name, f"layers.{shape.layer.name}.inputs", None, rule)
            if shape.layer.relu_max is not None:
                key = f"layers.{shape.layer.name}.relu_max"
                rule = "must be absent in a network that is trained"
                raise InputError(config.name, key, shape.layer.relu_max, rule)
            previous = shape.layer.name
        self.stages = nn.ModuleList([_module(config, shape) for shape in self.shapes])

    def forward(self, act: Tensor) -> Tensor:
        """Compute logits ``(images, classes)`` from ``(images, C, H, W)`` in 0..1."""
        for stage, shape in zip(self.stages, self.shapes, strict=True):
            act = stage(act.flatten(1) if shape.layer.type == "fc" else act)
            if shape.layer.relu:
                act = torch.relu(act)
        return act

    def weighted(self) -> Iterator[tuple[LayerShape, nn.Conv2d | nn.Linear]]:
        """Yield the layers with weights in order, each with its module."""
        for stage, shape in zip(self.stages, self.shapes, strict=True):
            if isinstance(stage, nn.Conv2d | nn.Linear):
                yield shape, stage

    def weights(self) -> dict[str, Tensor]:
        """Return the weight tensors by layer name, detached but sharing memory."""
        return {shape.layer.name: stage.weight.detach() for shape, stage in self.weighted()}


def _module(config: NetworkConfig, shape: LayerShape) -> nn.Module:
    layer = shape.layer
    top, left, bottom, right = layer.pads
    if (top, left) != (bottom, right):
        rule = "must be alike on opposite sides in a network that is trained"
        raise InputError(config.name, f"layers.{layer.name}.padding", layer.padding, rule)
    if layer.type == "conv":
        return nn.Conv2d(
            shape.ifmap.channels,
            shape.ofmap.channels,
            (shape.R, shape.S),
            stride=layer.strides,
            padding=(top, left),
            dilation=layer.dilations,
            groups=layer.G,
        )
    if layer.type == "fc":
        return nn.Linear(shape.ifmap.size, shape.ofmap.channels)
    if layer.type == "maxpool":
        return nn.MaxPool2d(
            (shape.R, shape.S),
            stride=layer.strides,
            padding=(top, left),
            dilation=layer.dilations,
            ceil_mode=layer.ceil,
        )
    rule = "must be conv, fc or maxpool in a network that is trained"
    raise InputError(config.name, f"layers.{layer.name}.type", layer.type, rule)
