"""A torch module of any network that an importer gives: what its float model computes, to train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.config import LayerConfig, LayerShape, NetworkConfig
from hwsim.config.activation import PARAMETERS, Function
from hwsim.errors import InputError
from hwsim.workload.local_response import factors
from hwsim.workload.lowering import inside
from hwsim.workload.rearrange import rearranged

__all__ = ["GraphNetwork"]


class GraphNetwork(nn.Module):
    """Every layer type but ``float``, in any graph; weights and biases are parameters.

    Parameters
    ----------
    config
        The network.
    weights, biases
        Of each layer with weights: ``(M, C / G, R, S)`` or ``(M, K)``, and ``(M,)``.

    Raises
    ------
    InputError
        A layer is of a type that cannot be trained.
    """

    def __init__(
        self,
        config: NetworkConfig,
        weights: Mapping[str, np.ndarray[Any, Any]],
        biases: Mapping[str, np.ndarray[Any, Any]],
    ) -> None:
        super().__init__()
        self.config, self.shapes = config, config.shapes()
        for shape in self.shapes:
            if shape.layer.type == "float":
                rule = "has no gradient here: such a network is pruned without training"
                key = f"layers.{shape.layer.name}.type"
                raise InputError(config.name, key, shape.layer.type, rule)
        # a module's names have no dots
        self._numbers = {name: str(number) for number, name in enumerate(weights)}
        self._weights = nn.ParameterDict(
            {n: torch.tensor(weights[name]) for name, n in self._numbers.items()}
        )
        self._biases = nn.ParameterDict(
            {n: torch.tensor(biases[name]) for name, n in self._numbers.items()}
        )
        #: By layer, constants of the graph: where activations move from, pixels of windows.
        self._constants = {
            shape.layer.name: torch.from_numpy(found)
            for shape in self.shapes
            if (found := _constant(shape)) is not None
        }

    def weight(self, name: str) -> Tensor:
        """Weight of a layer, which training changes."""
        found: Tensor = self._weights[self._numbers[name]]
        return found

    def bias(self, name: str) -> Tensor:
        """Bias of a layer, which training changes."""
        found: Tensor = self._biases[self._numbers[name]]
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits ``(images, classes)`` from ``(images, C, H, W)``."""
        acts, previous = {"input": images}, "input"
        for shape in self.shapes:
            layer = shape.layer
            sources = [acts[name] for name in layer.inputs or (previous,)]
            act = self._computed(shape, sources)
            if layer.relu:
                act = act.clamp(0, layer.relu_max)
            acts[layer.name], previous = act, layer.name
        return acts[previous].flatten(1)

    def _computed(self, shape: LayerShape, sources: list[Tensor]) -> Tensor:
        """What one layer gives without its ReLU."""
        layer, act = shape.layer, sources[0]
        if layer.type == "fc":
            found = functional.linear(act.flatten(1), self.weight(layer.name))
            return (found + self.bias(layer.name))[:, :, None, None]
        if layer.type == "conv":
            return functional.conv2d(
                _padded(shape, act, 0.0), self.weight(layer.name), self.bias(layer.name),
                layer.strides, 0, layer.dilations, layer.G,
            )  # fmt: skip
        if layer.type == "maxpool":
            window, padded = (shape.R, shape.S), _padded(shape, act, -torch.inf)
            return functional.max_pool2d(padded, window, layer.strides, 0, layer.dilations)
        if layer.type == "avgpool":
            return self._averaged(shape, act)
        if layer.type == "globalavgpool":
            return act.mean((2, 3), keepdim=True)
        if layer.moves:
            moved = act.flatten(1)[:, self._constants[layer.name].to(act.device)]
            size = shape.ofmap
            return moved.reshape(len(act), size.channels, size.height, size.width)
        if layer.type == "activation":
            return _activated(layer, act)
        if layer.type == "lrn":
            return _normalized(layer, act)
        if layer.type == "concat":
            return torch.cat(sources, 1)
        return sources[0] * sources[1] if layer.type == "mul" else sum(sources[1:], sources[0])

    def _averaged(self, shape: LayerShape, act: Tensor) -> Tensor:
        """Average of each window, of all its pixels or of those inside."""
        layer, channels = shape.layer, shape.ifmap.channels
        ones = act.new_ones((channels, 1, shape.R, shape.S))
        total = functional.conv2d(
            _padded(shape, act, 0.0), ones, None, layer.strides, 0, layer.dilations, channels
        )
        return total / self._constants[layer.name].to(act.device)


def _constant(shape: LayerShape) -> np.ndarray[Any, Any] | None:
    layer, size = shape.layer, shape.ifmap
    if layer.moves:
        order = np.arange(size.size).reshape(1, size.channels, size.height, size.width)
        return rearranged(layer, order).reshape(-1).copy()
    if layer.type == "avgpool":
        return np.array(shape.R * shape.S) if layer.count_include_pad else inside(shape)
    return None


def _padded(shape: LayerShape, act: Tensor, fill: float) -> Tensor:
    """Activations with padding, and with what a window that starts inside may reach outside."""
    layer = shape.layer
    top, left, bottom, right = layer.pads
    ends = []
    for size, pixels, taps, stride, dilation, before, after in (
        (act.shape[2], shape.ofmap.height, shape.R, layer.strides[0], layer.dilations[0], top,
         bottom),
        (act.shape[3], shape.ofmap.width, shape.S, layer.strides[1], layer.dilations[1], left,
         right),
    ):  # fmt: skip
        reach = (pixels - 1) * stride + dilation * (taps - 1) + 1
        ends.append(max(after, reach - size - before))
    return functional.pad(act, (left, ends[1], top, ends[0]), value=fill)


def _normalized(layer: LayerConfig, act: Tensor) -> Tensor:
    """Each value over a power of the squares of its neighbours, as in ``local_response``."""
    size = layer.R or 1
    ends = (0, 0, 0, 0, (size - 1) // 2, size // 2)
    squares = functional.pad(act * act, ends)
    sums = squares.unfold(1, size, 1).sum(-1)
    return act * factors(layer, sums)


def _activated(layer: LayerConfig, act: Tensor) -> Tensor:
    assert layer.function is not None
    alpha = layer.alpha
    slopes = act.new_tensor(alpha)[:, None, None] if isinstance(alpha, tuple) else alpha
    given = {"alpha": slopes, "beta": layer.beta}
    parameters = {
        key: default if given[key] is None else given[key]
        for key, default in PARAMETERS.get(layer.function, {}).items()
    }
    found: Tensor = _FUNCTIONS[layer.function](act, **parameters)
    return found


_FUNCTIONS: dict[Function, Callable[..., Tensor]] = {
    "abs": torch.abs,
    "celu": functional.celu,
    "clip": lambda x, alpha, beta: x.clamp(
        -torch.inf if alpha is None else alpha, torch.inf if beta is None else beta
    ),
    "elu": functional.elu,
    "erf": torch.erf,
    "exp": torch.exp,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "hardsigmoid": lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1),
    "hardswish": functional.hardswish,
    "leaky_relu": lambda x, alpha: torch.where(x < 0, alpha * x, x),
    "mish": functional.mish,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "selu": functional.selu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "tanh": torch.tanh,
}
