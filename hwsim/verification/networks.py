"""Random networks with random weights, for proving machines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights, Rescale
from hwsim.config import ArchConfig, NetworkConfig, NumberConfig, PatternConfig
from hwsim.config.base import parse
from hwsim.formats.codes import levels

__all__ = ["random_checkpoint", "random_network", "random_work", "wide_network"]

_INT8 = NumberConfig()


def random_work(
    rng: np.random.Generator, arch: ArchConfig, name: str = "random", lanes: int = 4
) -> tuple[NetworkConfig, Checkpoint]:
    """Draw a network with weights, among them layers of the kind that the design is built for."""
    array = arch.array
    patterns = array.patterns if isinstance(array, PatternConfig) else 0
    network = random_network(rng, name, lanes, 3 if patterns else 0)
    return network, random_checkpoint(rng, network, patterns, arch.numbers)


def random_network(
    rng: np.random.Generator, name: str = "random", lanes: int = 4, side: int = 0
) -> NetworkConfig:
    """Draw a network of a few layers, small enough for the banks of a small machine.

    Convolutions with strides, padding and groups, pools, sums of two maps, fully connected layers;
    channels fill up to two words of ``lanes`` and a part of a third. With ``side`` most windows are
    as large.
    """
    first = int(rng.integers(1, 7))
    size: list[int] = rng.integers(5, 10, size=2).tolist()
    height, width = size
    layers: list[dict[str, Any]] = []
    channels = first
    skip: str | None = None
    for index in range(int(rng.integers(2, 6))):
        kinds = ["conv"] if index == 0 else ["conv", "conv", "maxpool", "avgpool", "add"]
        kind = str(rng.choice(kinds))
        layer: dict[str, Any] = {"name": f"l{index}", "type": kind}
        layer["relu"] = bool(rng.random() < 0.5)
        if kind == "add":
            previous = layers[-1]
            if skip is None or previous["type"] != "conv":
                kind = layer["type"] = "conv"
            else:
                layer["inputs"] = [previous["name"], skip]
                skip = None
        if kind in ("conv", "maxpool", "avgpool"):
            window = int(rng.integers(1, min(4, *size) + 1))
            if side and side <= min(size) and rng.random() < 0.7:
                window = side
            stride = int(rng.integers(1, 3))
            layer |= {"R": window, "stride": stride}
            if kind == "conv":
                layer["M"] = int(rng.integers(1, 2 * lanes + 3))
                layer["padding"] = int(rng.integers(0, window))
                if rng.random() < 0.2:
                    layer |= {"M": channels, "G": channels}
            if kind == "maxpool":
                layer["padding"] = int(rng.integers(0, (window + 1) // 2))
                layer["relu"] = layers[-1]["relu"] = True
            padding = layer.get("padding", 0)
            before = list(size)
            size = [(each + 2 * padding - window) // stride + 1 for each in size]
            same = before == size and kind == "conv" and layer["M"] == channels and index > 0
            if same and "inputs" not in layer:
                skip = layers[-1]["name"]
            elif kind != "add":
                skip = None
            channels = layer.get("M", channels)
        layers.append(layer)
    if rng.random() < 0.7:
        layers.append({"name": "fc1", "type": "fc", "M": int(rng.integers(2, 12)), "relu": True})
        layers.append({"name": "fc2", "type": "fc", "M": int(rng.integers(2, 7))})
    raw = {
        "name": name,
        "input": {"channels": first, "height": height, "width": width},
        "layers": layers,
    }
    return parse(NetworkConfig, raw, name)


def wide_network(rng: np.random.Generator, name: str, inputs: int) -> NetworkConfig:
    """Draw a network whose second layer has about ``inputs`` weights for each filter.

    A convolution of many channels, or of a fully connected layer many activations.
    """
    first, window = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    height, width = rng.integers(window, window + 5, size=2).tolist()
    wide: dict[str, Any] = {"name": "l1", "type": "fc", "M": int(rng.integers(2, 20))}
    taps = height * width
    if rng.random() < 0.5:
        wide |= {"type": "conv", "R": window, "padding": int(rng.integers(0, window))}
        taps = window**2
    layers = [
        {"name": "l0", "type": "conv", "M": -(-inputs // taps), "R": 1, "relu": True},
        wide | {"relu": True},
        {"name": "l2", "type": "fc", "M": int(rng.integers(2, 7))},
    ]
    size = {"channels": first, "height": height, "width": width}
    return parse(NetworkConfig, {"name": name, "input": size, "layers": layers}, name)


def random_checkpoint(
    rng: np.random.Generator,
    network: NetworkConfig,
    patterns: int = 0,
    numbers: NumberConfig = _INT8,
) -> Checkpoint:
    """Draw weights of all sizes, a scale per channel, sums that use the range of an activation.

    Weights are what ``numbers`` has a code for, within the 8 bits of a checkpoint. Where zero is
    one of them, every second layer has columns and filters without a non-zero. With ``patterns``,
    most layers of 3x3 kernels keep of each one of so many sets of four taps, or none.
    """
    allowed = levels(numbers)
    allowed = allowed[(allowed >= -128) & (allowed <= 127)]
    reach = 7 - int(np.abs(allowed).max() - 1).bit_length()
    layers, rescales = {}, {}
    for shape in network.shapes():
        layer = shape.layer
        if shape.has_weights:
            form = (
                (shape.ofmap.channels, shape.ifmap.size)
                if layer.type == "fc"
                else (shape.ofmap.channels, shape.C, shape.R, shape.S)
            )
            weight = allowed[rng.integers(len(allowed), size=form)].astype(np.int8)
            if numbers.has_zero:
                weight[rng.random(form) < 0.3] = 0
            if numbers.has_zero and rng.random() < 0.5:
                # structured: whole columns and filters
                weight[:, rng.random(form[1:]) < 0.6] = 0
                weight[rng.random(form[0]) < 0.3] = 0
            if patterns and form[2:] == (3, 3) and rng.random() < 0.8:
                weight *= _patterned(rng, form[:2], patterns)
            count = shape.ofmap.channels
            layers[layer.name] = LayerWeights(
                weight,
                rng.integers(-2000, 2000, size=count).astype(np.int32),
                min(numbers.weight_width, 8),
                rng.integers(1, 1 << 16, size=count),
                # sums of small weights are small
                rng.integers(18, 26, size=count) - reach,
                1.0,
                numbers.weight_code,
            )
        elif layer.rescales:
            multipliers = tuple(rng.integers(1, 1 << 14, size=layer.multipliers).tolist())
            rescales[layer.name] = Rescale(multipliers, int(rng.integers(12, 17)))
    return Checkpoint(network.name, layers, {}, "random weights", rescales)


def _patterned(
    rng: np.random.Generator, kernels: tuple[int, ...], patterns: int
) -> NDArray[np.int8]:
    """1 for each tap that a kernel keeps."""
    masks = np.zeros((patterns, 9), np.int8)
    for mask in masks:
        mask[rng.choice(9, 4, replace=False)] = 1
    keeps = (rng.random(kernels) < 0.8).astype(np.int8)
    found: NDArray[np.int8] = masks[rng.integers(patterns, size=kernels)] * keeps[..., None]
    return found.reshape(*kernels, 3, 3)
