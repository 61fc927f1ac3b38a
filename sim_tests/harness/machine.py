"""Small machines, and random networks with random weights for them."""

import numpy as np

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights, Rescale
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import parse
from hwsim.workload.lowering import weight_shape

__all__ = ["ARRAYS", "blank", "random_checkpoint", "random_network", "small_machine"]

_DENSE = {"family": "dense", "rows": 4, "cols": 4}
_WS = {"dataflow": "ws", "acc_depth": 16}
#: Arrays of small machines. A word of the last holds one beat of activations and two of results,
#: and its folds are shorter than whole sums take to leave.
ARRAYS = {
    "ws": _DENSE | _WS,
    "os": _DENSE | {"dataflow": "os"},
    "bitmask": _DENSE | _WS | {"weight_stream": "bitmask", "weight_port": 2},
    "gather": _DENSE | _WS | {"cols": 8},
    "nm": _WS | {"family": "nm", "rows": 2, "cols": 4, "n": 2, "m": 4},
    "nm_os": {"family": "nm", "dataflow": "os", "rows": 2, "cols": 4, "n": 2, "m": 4},
}


#: Memories of these machines that differ from those of others.
_MEMORY = {"gather": {"gather": True}}


def small_machine(kind="ws", **changes):
    """A small array with little memory."""
    raw = {
        "name": f"small_machine_{kind}",
        "array": ARRAYS[kind],
        "memory": {"act_banks": 3, "act_depth": 1024, "weight_depth": 256, "scale_depth": 4}
        | _MEMORY.get(kind, {}),
        "bus": {"data_width": 32, "burst": 4, "outstanding": 2},
    }  # fmt: skip
    return parse(ArchConfig, raw | changes, "test")


def random_network(rng, name="random"):
    """A network of a few layers, small enough for every bank."""
    first, height, width = int(rng.integers(1, 7)), *rng.integers(5, 10, size=2).tolist()
    layers, channels, size = [], first, [height, width]
    skip = None
    for index in range(int(rng.integers(2, 6))):
        kinds = ["conv"] if index == 0 else ["conv", "conv", "maxpool", "avgpool", "add"]
        kind = str(rng.choice(kinds))
        layer = {"name": f"l{index}", "type": kind, "relu": bool(rng.random() < 0.5)}
        if kind == "add":
            previous = layers[-1]
            if skip is None or previous["type"] != "conv":
                kind = layer["type"] = "conv"
            else:
                layer["inputs"] = [previous["name"], skip]
                skip = None
        if kind in ("conv", "maxpool", "avgpool"):
            window = int(rng.integers(1, min(4, *size) + 1))
            stride = int(rng.integers(1, 3))
            layer |= {"R": window, "stride": stride}
            if kind == "conv":
                layer |= {"M": int(rng.integers(1, 11)), "padding": int(rng.integers(0, window))}
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
    return parse(NetworkConfig, raw, "test")


def random_checkpoint(rng, network):
    """Weights of all sizes, a scale per channel, sums that use the range of an activation."""
    layers, rescales = {}, {}
    for shape in network.shapes():
        layer = shape.layer
        if shape.has_weights:
            form = (
                (shape.ofmap.channels, shape.ifmap.size)
                if layer.type == "fc"
                else (shape.ofmap.channels, shape.C, shape.R, shape.S)
            )
            weight = rng.integers(-128, 128, size=form).astype(np.int8)
            weight[rng.random(form) < 0.3] = 0
            if rng.random() < 0.5:
                # structured: whole columns and filters
                weight[:, rng.random(form[1:]) < 0.6] = 0
                weight[rng.random(form[0]) < 0.3] = 0
            count = shape.ofmap.channels
            layers[layer.name] = LayerWeights(
                weight,
                rng.integers(-2000, 2000, size=count).astype(np.int32),
                8,
                rng.integers(1, 1 << 16, size=count),
                rng.integers(18, 26, size=count),
                1.0,
            )
        elif layer.rescales:
            inputs = max(1, len(layer.inputs))
            multipliers = tuple(rng.integers(1, 1 << 14, size=inputs).tolist())
            rescales[layer.name] = Rescale(multipliers, int(rng.integers(12, 17)))
    return Checkpoint(network.name, layers, {}, "test", rescales)


def blank(network):
    """Checkpoint with one non-zero weight for each channel that a layer reads."""
    layers, rescales = {}, {}
    for shape in network.shapes():
        name = shape.layer.name
        if shape.has_weights:
            weight = np.zeros(weight_shape(shape), np.int8)
            taps = weight.reshape(len(weight), shape.C, -1)
            channel = np.arange(shape.C)
            taps[channel % len(weight), channel, 0] = 1
            layers[name] = LayerWeights(
                weight, np.zeros(shape.ofmap.channels, np.int32), 8, 1, 0, 1.0
            )
        elif shape.layer.rescales:
            rescales[name] = Rescale((1,) * max(1, len(shape.layer.inputs)), 0)
    return Checkpoint(network.name, layers, {}, "blank", rescales)
