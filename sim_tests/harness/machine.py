"""Small machines, and a checkpoint without a non-zero."""

import numpy as np

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights, Rescale
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import parse
from hwsim.workload.lowering import weight_shape

__all__ = ["ARRAYS", "BLOCKS", "CRAMPED", "blank", "block", "cramped_machine", "small_machine"]

_DENSE = {"family": "dense", "rows": 4, "cols": 4}
_WS = {"dataflow": "ws", "acc_depth": 16}
#: Arrays of small machines. A word of nm_os holds one beat of activations and two of results,
#: and its folds are shorter than whole sums take to leave.
ARRAYS = {
    "ws": _DENSE | _WS,
    "os": _DENSE | {"dataflow": "os"},
    "bitmask": _DENSE | _WS | {"weight_stream": "bitmask", "weight_port": 2},
    "gather": _DENSE | _WS | {"cols": 8},
    "pattern": {
        "family": "pattern", "rows": 4, "cols": 4, "patterns": 3, "acc_depth": 16, "line_depth": 8,
    },
    "nm": _WS | {"family": "nm", "rows": 2, "cols": 4, "n": 2, "m": 4},
    "nm_os": {"family": "nm", "dataflow": "os", "rows": 2, "cols": 4, "n": 2, "m": 4},
    "sparten": {
        "family": "bitmask", "pes": 16, "chunk": 16, "window": 4, "load_pes": 4, "drain_pes": 4,
        "mask_depth": 128, "entry_depth": 512, "acc_depth": 4,
    },
    "csc": {
        "family": "csc", "pes": 4, "lanes": 2, "window": 2, "load_pes": 4, "index_bits": 3,
        "fifo_depth": 4, "col_depth": 512, "entry_depth": 256, "acc_depth": 4,
    },
}  # fmt: skip
ARRAYS |= {
    f"{kind}_double": ARRAYS[kind] | {"double_buffered": True} for kind in ("sparten", "csc")
}


#: Memories of these machines that differ from those of others.
_MEMORY = {"gather": {"gather": True}, "pattern": {"gather": True}}


#: Kinds of blocks that networks consist of, behind a first layer ``c`` of 8 channels.
BLOCKS = {
    "residual": [
        {"name": "a", "type": "conv", "M": 8, "R": 3, "padding": 1, "relu": True},
        {"name": "b", "type": "conv", "M": 8, "R": 3, "padding": 1},
        {"name": "sum", "type": "add", "inputs": ["b", "c"], "relu": True},
        {"name": "pool", "type": "globalavgpool"},
        {"name": "fc", "type": "fc", "M": 5},
    ],
    "projection": [
        {"name": "a", "type": "conv", "M": 12, "R": 3, "padding": 1, "stride": 2, "relu": True},
        {"name": "b", "type": "conv", "M": 12, "R": 1},
        {"name": "p", "type": "conv", "M": 12, "R": 1, "stride": 2, "inputs": ["c"]},
        {"name": "sum", "type": "add", "inputs": ["b", "p"]},
    ],
    "depthwise": [
        {"name": "a", "type": "conv", "M": 8, "R": 3, "padding": 1, "G": 8, "relu": True},
        {"name": "b", "type": "conv", "M": 20, "R": 1, "relu": True},
        {"name": "d", "type": "conv", "M": 20, "R": 3, "padding": 1, "stride": 2, "G": 20},
        {"name": "e", "type": "conv", "M": 6, "R": 1},
        {"name": "pool", "type": "globalavgpool"},
        {"name": "fc", "type": "fc", "M": 4},
    ],
    "joins": [
        {"name": "a", "type": "conv", "M": 8, "R": 1, "relu": True},
        {"name": "b", "type": "conv", "M": 12, "R": 3, "padding": 1, "inputs": ["c"], "relu": True},
        {"name": "j", "type": "concat", "inputs": ["c", "a", "b"]},
        {"name": "d", "type": "maxpool", "R": 3, "stride": 2, "padding": 1, "relu": True},
        {"name": "e", "type": "conv", "M": 5, "R": 3},
    ],
    "groups": [
        {"name": "a", "type": "conv", "M": 12, "R": 3, "padding": 1, "G": 2, "relu": True},
        {"name": "d", "type": "avgpool", "R": 2, "stride": 2},
        {"name": "e", "type": "conv", "M": 7, "R": 5, "padding": 2},
        {"name": "fc1", "type": "fc", "M": 9, "relu": True},
        {"name": "fc2", "type": "fc", "M": 5},
    ],
}


def block(kind, size, channels=3):
    """Network of a kind of block on maps of ``size``, ``(height, width)``."""
    first = {"name": "c", "type": "conv", "M": 8, "R": 3, "padding": 1, "relu": True}
    raw = {
        "name": kind,
        "input": {"channels": channels, "height": size[0], "width": size[1]},
        "layers": [first, *BLOCKS[kind]],
    }
    return parse(NetworkConfig, raw, "test")


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


_CARRIES = {"carries": True, "mac_latency": 2}
#: Machines whose banks of 128 words hold few maps whole: array, what it has of its own, banks, and
#: words of a half of the weights. With two banks each part of a map waits for the one before.
CRAMPED = {
    "ws": ("ws", _CARRIES, 4, 64), "few banks": ("ws", {}, 2, 512), "os": ("os", _CARRIES, 4, 64),
    "nm": ("nm", _CARRIES, 3, 32), "nm_os": ("nm_os", _CARRIES, 4, 32),
    # pointers of all columns lie beside the entries
    "csc": ("csc", {}, 4, 1024),
    "csc in parts": ("csc", {"carries": True, "col_depth": 32, "entry_depth": 32}, 4, 64),
    # a library that leaves room for one fold
    "pattern": ("pattern", _CARRIES | {"patterns": 12}, 3, 16),
    "sparten": ("sparten", {"carries": True, "mask_depth": 4, "entry_depth": 32}, 4, 64),
    "csc_double": (
        "csc", {"carries": True, "col_depth": 32, "entry_depth": 32, "double_buffered": True}, 4, 64
    ),
    "sparten_double": (
        "sparten",
        {"carries": True, "mask_depth": 4, "entry_depth": 32, "double_buffered": True}, 4, 64,
    ),
}  # fmt: skip


def cramped_machine(name):
    """A small machine with even less memory."""
    kind, own, banks, words = CRAMPED[name]
    array = ARRAYS[kind] | own
    memory = {"act_banks": banks, "act_depth": 128, "weight_depth": words, "scale_depth": 4}
    memory |= _MEMORY.get(kind, {})
    return small_machine(kind, array=array, memory=memory)


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
            rescales[name] = Rescale((1,) * shape.layer.multipliers, 0)
    return Checkpoint(network.name, layers, {}, "blank", rescales)
