"""A torch module built from a network configuration: the float model of the golden integers."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from hwsim.config import LayerShape, NetworkConfig, read_by
from hwsim.errors import InputError

__all__ = ["Network"]


class Network(nn.Module):
    """``conv``, ``fc``, ``maxpool``, ``globalavgpool`` and ``add`` layers of a configuration.

    They have its names, shapes and inputs: a chain, or one with residual sums.

    Parameters
    ----------
    config
        The network.

    Raises
    ------
    InputError
        A layer is of another type, or has a saturating ReLU; or the network has several outputs.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        config.must_have_one_output(config.name, "training sees what the last layer gives")
        self.shapes = config.shapes()
        self.reads = read_by(self.shapes)
        for shape in self.shapes:
            if shape.layer.relu_max is not None:
                key = f"layers.{shape.layer.name}.relu_max"
                rule = "must be absent in a network that is trained"
                raise InputError(config.name, key, shape.layer.relu_max, rule)
        self.stages = nn.ModuleList([_module(config, shape) for shape in self.shapes])
        #: Batch normalization behind each stage while the network has it; otherwise empty.
        self.norms = nn.ModuleList()

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits ``(images, classes)`` from ``(images, C, H, W)`` in 0..1."""
        act = images
        for _, found in self.acts(images):
            act = found
        return act.flatten(1)

    def acts(self, images: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield the layers' activations, behind their ReLU, by name; the last are the logits."""
        last_use = {name: reader for reader, names in self.reads.items() for name in names}
        acts = {"input": images}
        for index, (stage, shape) in enumerate(zip(self.stages, self.shapes, strict=True)):
            name = shape.layer.name
            sources = [acts[each] for each in self.reads[name]]
            act = stage(sources[0].flatten(1)) if shape.layer.type == "fc" else stage(*sources)
            if self.norms:
                act = self.norms[index](act)
            if shape.layer.relu:
                act = torch.relu(act)
            acts[name] = act
            yield name, act
            for source in set(self.reads[name]):
                if last_use[source] == name:
                    del acts[source]

    def normalize(self) -> None:
        """Put batch normalization behind each convolution (Ioffe and Szegedy, ICML 2015)."""
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(shape.ofmap.channels) if shape.layer.type == "conv" else nn.Identity()
            for shape in self.shapes
        )

    @torch.no_grad()
    def fold(self) -> None:
        """Fold batch normalization into weights and biases: the same function in evaluation."""
        for stage, norm in zip(self.stages, self.norms, strict=bool(self.norms)):
            if isinstance(norm, nn.BatchNorm2d):
                assert isinstance(stage, nn.Conv2d)
                assert stage.bias is not None
                assert norm.running_mean is not None
                assert norm.running_var is not None
                factors = norm.weight / (norm.running_var + norm.eps).sqrt()
                stage.weight.mul_(factors[:, None, None, None])
                stage.bias.sub_(norm.running_mean).mul_(factors).add_(norm.bias)
        self.norms = nn.ModuleList()

    def weighted(self) -> Iterator[tuple[LayerShape, nn.Conv2d | nn.Linear]]:
        """Yield the layers with weights in order, each with its module."""
        for stage, shape in zip(self.stages, self.shapes, strict=True):
            if isinstance(stage, nn.Conv2d | nn.Linear):
                yield shape, stage

    def weights(self) -> dict[str, Tensor]:
        """Return the weight tensors by layer name, detached but sharing memory."""
        return {shape.layer.name: stage.weight.detach() for shape, stage in self.weighted()}


class _Sum(nn.Module):
    """The sum of its inputs."""

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        return sum(others, first)


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
    if layer.type == "globalavgpool":
        return nn.AdaptiveAvgPool2d(1)
    if layer.type == "add":
        return _Sum()
    rule = "must be conv, fc, maxpool, globalavgpool or add in a network that is trained"
    raise InputError(config.name, f"layers.{layer.name}.type", layer.type, rule)
