"""Checkpoints: a network's integer weights and the scales of its requantizing, in one file.

A checkpoint is a safetensors file. Tensors: ``<layer>.weight`` int8, ``(M, C / G, R, S)`` or
``(M, C * H * W)``, and ``<layer>.bias`` int32, ``(M,)``, in units of the partial sum. The header's
metadata says which network it is, each layer's bits, multiplier, shift and scale, how layers
without weights scale what they sum, and in ``info`` how the file came about. A multiplier, shift or
scale that differs between output channels is a tensor instead, ``<layer>.multiplier`` int32,
``<layer>.shift`` int32 or ``<layer>.weight_scale`` float64, ``(M,)``. The function of an
activation layer is ``<layer>.table`` int8, ``(256,)``: its results for -128 to 127, or ``(C, 256)``
where channels differ. The operations of a float layer are ``<layer>.graph`` uint8, a model of ONNX
that is evaluated, with scales in ``graphs``. Nothing in the file is code; whatever does not fit is
refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from hwsim.checkpoints import beside
from hwsim.checkpoints.beside import GRAPH, FloatGraph
from hwsim.config import NetworkConfig, NumberConfig
from hwsim.config.numbers import WEIGHT_WIDTHS, WeightCode
from hwsim.errors import InputError
from hwsim.formats import codes
from hwsim.system.files import write_bytes_atomic
from hwsim.system.reading import said
from hwsim.workload.lowering import weight_shape

__all__ = ["INPUT_SCALE", "Checkpoint", "LayerWeights", "Rescale"]

_FORMAT, _VERSION = "hwsim.checkpoint", "1"
_KEYS = {"format", "version", "network", "layers", "info"}
_OPTIONAL = {"graphs", "input_scale", "rescales"}
#: Real value of one step of the input where the file says nothing: a pixel of 1.0 is 127.
INPUT_SCALE = 1 / 127
#: Bytes. Headers of checkpoints take a few KB; a longer one belongs to another kind of file.
_MAX_HEADER = 1 << 20
_MAX_FILE = 1 << 30
_WIDTHS = tuple(range(1, 9))
#: End of the name of a table, and its entries: one per activation of 8 bits.
_TABLE, _ENTRIES = ".table", 256
#: Settings of a layer that may differ between its channels -> type of their tensor.
_PER_CHANNEL = {"multiplier": "I32", "shift": "I32", "weight_scale": "F64"}
_DTYPES: dict[str, type[np.generic]] = {"I32": np.int32, "F64": np.float64}


@dataclass(frozen=True)
class LayerWeights:
    """One layer's integers.

    ``weight`` is int8 in PyTorch's order, ``bias`` int32 in units of the partial sum. The next
    layer's activation is ``requantize(psum + bias, multiplier, shift)``; ``weight_scale`` times an
    integer is the real weight. Each of these three is one for the layer, or an array with one per
    output channel.
    """

    weight: NDArray[np.int8]
    bias: NDArray[np.int32]
    weight_bits: int
    multiplier: int | NDArray[np.integer]
    shift: int | NDArray[np.integer]
    weight_scale: float | NDArray[np.floating]
    #: What the bits of a stored weight stand for: see :mod:`hwsim.formats.codes`.
    weight_code: WeightCode = "int"

    @property
    def numbers(self) -> NumberConfig:
        """Width and code of the weights; a 0 of a code without zero is an absent weight."""
        return NumberConfig(weight_width=self.weight_bits, weight_code=self.weight_code)

    @property
    def multipliers(self) -> NDArray[np.int64]:
        """Multiplier of each output channel."""
        return self._per_channel(self.multiplier).astype(np.int64)

    @property
    def shifts(self) -> NDArray[np.int64]:
        """Shift of each output channel."""
        return self._per_channel(self.shift).astype(np.int64)

    @property
    def weight_scales(self) -> NDArray[np.float64]:
        """Weight scale of each output channel."""
        return self._per_channel(self.weight_scale).astype(np.float64)

    def _per_channel(self, value: float | NDArray[Any]) -> NDArray[Any]:
        return np.broadcast_to(np.asarray(value), len(self.weight))

    @property
    def density(self) -> float:
        """Fraction of the weights that are not 0."""
        return float(np.count_nonzero(self.weight)) / self.weight.size


@dataclass(frozen=True)
class Rescale:
    """Scales of a layer without weights that sums or joins activations of several scales.

    Each input counts ``multiplier`` times, the product of a ``mul`` that often; the sum of an
    ``add``, of a pool's window, or each place of a ``concat`` is shifted right by ``shift``,
    rounded and saturated.
    """

    multipliers: tuple[int, ...]
    shift: int


@dataclass(frozen=True)
class Checkpoint:
    """Integer weights of a whole network.

    ``source`` is where they were read, for messages. Without ``rescales`` of the layers that sum,
    multiply or join (:attr:`hwsim.config.LayerConfig.rescales`), ``tables`` of the activation
    layers and ``graphs`` of the float layers, a network with such cannot be inferred.
    ``input_scale`` is the real value of one step of the input.
    """

    network: str
    layers: dict[str, LayerWeights]
    info: dict[str, Any]
    source: str = "checkpoint"
    rescales: dict[str, Rescale] = field(default_factory=dict)
    input_scale: float = INPUT_SCALE
    tables: dict[str, NDArray[np.int8]] = field(default_factory=dict)
    graphs: dict[str, FloatGraph] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | str, network: NetworkConfig | None = None) -> Self:
        """Read a file, and check it against ``network`` where given.

        Raises
        ------
        InputError
            Not a checkpoint, truncated, or not of this network.
        """
        path = Path(path)
        data = _bytes(path)
        header = _header(path, data)
        metadata = _metadata(path, header)
        settings = _json(path, "layers", metadata["layers"])
        info = _json(path, "info", metadata["info"])
        _dtypes(path, header, settings)
        try:
            tensors = load_tensors(data)
        except (SafetensorError, ValueError, OverflowError) as error:
            raise InputError(
                path, "", None, f"must be a safetensors file: {said(error)}"
            ) from error
        layers = {name: _layer(path, name, settings[name], tensors) for name in settings}
        joins = _json(path, "rescales", metadata.get("rescales", "{}"))
        rescales = {name: _rescale(path, f"rescales.{name}", joins[name]) for name in joins}
        input_scale = _input_scale(path, metadata.get("input_scale", str(INPUT_SCALE)))
        tables = {
            name.removesuffix(_TABLE): _table(path, name, tensors[name])
            for name in header  # in the order of the file, which the reader does not keep
            if name.endswith(_TABLE)
        }
        graphs = beside.read(path, _json(path, "graphs", metadata.get("graphs", "{}")), tensors)
        checkpoint = cls(
            metadata["network"], layers, info, str(path), rescales, input_scale, tables, graphs
        )
        if network is not None:
            checkpoint.check(network)
        return checkpoint

    def check(self, network: NetworkConfig) -> None:
        """Refuse, with :class:`InputError`, a network that these weights do not fit."""
        if self.network != network.name:
            rule = f"must be the checkpoint of network {network.name}"
            raise InputError(self.source, "network", self.network, rule)
        shapes = {shape.layer.name: shape for shape in network.shapes() if shape.has_weights}
        for name in shapes.keys() ^ self.layers.keys():
            rule = f"must name exactly the layers with weights of {network.name}"
            raise InputError(self.source, f"layers.{name}", None, rule)
        for name, shape in shapes.items():
            actual, expected = self.layers[name].weight.shape, weight_shape(shape)
            if actual != expected:
                rule = f"must have shape {expected} in {network.name}"
                raise InputError(self.source, f"{name}.weight", actual, rule)
        inputs = {layer.name: layer.multipliers for layer in network.layers if layer.rescales}
        functions = {layer.name for layer in network.layers if layer.type == "activation"}
        for name in self.tables.keys() - functions:
            rule = f"is no activation layer of {network.name}"
            raise InputError(self.source, f"{name}{_TABLE}", None, rule)
        channels = {shape.layer.name: shape.ofmap.channels for shape in network.shapes()}
        for name, table in self.tables.items():
            if table.ndim == 2 and len(table) != channels[name]:
                rule = f"must have {channels[name]} rows, one per channel, in {network.name}"
                raise InputError(self.source, f"{name}{_TABLE}", table.shape, rule)
        reads = {layer.name: len(layer.inputs) for layer in network.layers if layer.type == "float"}
        for name, graph in self.graphs.items():
            if reads.get(name) != len(graph.input_scales):
                rule = f"must be a float layer of {network.name} with that many inputs"
                raise InputError(self.source, f"graphs.{name}", len(graph.input_scales), rule)
        for name, rescale in self.rescales.items():
            key = f"rescales.{name}"
            if name not in inputs:
                raise InputError(self.source, key, None, f"is no layer of {network.name} that sums")
            if len(rescale.multipliers) != inputs[name]:
                rule = f"must be {inputs[name]}, one per input, in {network.name}"
                raise InputError(self.source, f"{key}.multipliers", rescale.multipliers, rule)

    def write(self, path: Path | str) -> Path:
        """Write the file whole or not at all; the same contents give the same bytes."""
        settings: dict[str, dict[str, Any]] = {}
        scales: dict[str, tuple[str, NDArray[Any]]] = {}
        for name, layer in self.layers.items():
            settings[name] = {"weight_bits": layer.weight_bits}
            for part, dtype in _PER_CHANNEL.items():
                value = getattr(layer, part)
                if isinstance(value, np.ndarray):
                    scales[f"{name}.{part}"] = dtype, value.astype(_DTYPES[dtype])
                else:
                    settings[name][part] = value
            if layer.weight_code != "int":
                settings[name]["weight_code"] = layer.weight_code
        metadata = {
            "format": _FORMAT,
            "version": _VERSION,
            "network": self.network,
            "layers": json.dumps(settings),
            "info": json.dumps(self.info),
        }
        if self.rescales:
            joins = {name: asdict(rescale) for name, rescale in self.rescales.items()}
            metadata["rescales"] = json.dumps(joins)
        if self.graphs:
            scales_of = {name: graph.settings for name, graph in self.graphs.items()}
            metadata["graphs"] = json.dumps(scales_of)
        if self.input_scale != INPUT_SCALE:
            metadata["input_scale"] = repr(self.input_scale)
        # wide words first, so that every tensor is aligned
        tensors = dict(sorted(scales.items(), key=lambda item: -item[1][1].itemsize))
        tensors |= {f"{name}.bias": ("I32", layer.bias) for name, layer in self.layers.items()}
        tensors |= {f"{name}.weight": ("I8", layer.weight) for name, layer in self.layers.items()}
        tensors |= {f"{name}{_TABLE}": ("I8", table) for name, table in self.tables.items()}
        tensors |= {f"{name}{GRAPH}": ("U8", graph.tensor) for name, graph in self.graphs.items()}
        return write_bytes_atomic(path, _serialize(tensors, metadata))

    @property
    def density(self) -> float:
        """Fraction of all weights that are not 0."""
        kept = sum(int(np.count_nonzero(layer.weight)) for layer in self.layers.values())
        return kept / sum(layer.weight.size for layer in self.layers.values())


def _serialize(tensors: Mapping[str, tuple[str, NDArray[Any]]], metadata: dict[str, str]) -> bytes:
    # safetensors' own writer orders the metadata differently in every process
    header: dict[str, object] = {"__metadata__": metadata}
    blocks, offset = [], 0
    for name, (dtype, tensor) in tensors.items():
        block = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(block)],
        }
        blocks.append(block)
        offset += len(block)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(blocks)


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MAX_FILE:
            raise InputError(path, "", None, f"must be at most {_MAX_FILE} bytes, not {size}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(path, "", None, f"cannot be read: {error.strerror}") from error


def _header(path: Path, data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= length <= _MAX_HEADER:
        raise InputError(path, "", None, "must be a safetensors file: no header at its start")
    if 8 + length > len(data):
        rule = f"is truncated: header of {length} bytes in a file of {len(data)}"
        raise InputError(path, "", None, rule)
    header = _json(path, "header", data[8 : 8 + length])
    if not all(isinstance(value, dict) for value in header.values()):
        raise InputError(path, "header", None, "must map names to mappings")
    return header


def _metadata(path: Path, header: dict[str, Any]) -> dict[str, str]:
    metadata: dict[str, str] = header.get("__metadata__", {})
    name = metadata.get("format")
    if name != _FORMAT:
        raise InputError(path, "format", name, f"must be {_FORMAT!r}: it is no checkpoint of hwsim")
    if metadata.get("version") != _VERSION:
        raise InputError(path, "version", metadata.get("version"), f"must be {_VERSION!r}")
    for key in (metadata.keys() - _OPTIONAL) ^ _KEYS:
        raise InputError(path, key, None, "unknown key" if key in metadata else "must be given")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise InputError(path, key, value, "must be a string")
    return metadata


def _json(path: Path, key: str, text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(path, key, None, f"must be JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(path, key, value, "must be a mapping")
    return value


def _dtypes(path: Path, header: dict[str, Any], settings: dict[str, Any]) -> None:
    expected = {f"{name}.weight": "I8" for name in settings}
    expected |= {f"{name}.bias": "I32" for name in settings}
    for name in settings:
        scales = {f"{name}.{part}": dtype for part, dtype in _PER_CHANNEL.items()}
        expected |= {tensor: dtype for tensor, dtype in scales.items() if tensor in header}
    expected |= {name: "I8" for name in header if name.endswith(_TABLE)}
    expected |= {name: "U8" for name in header if name.endswith(GRAPH)}
    for name in (header.keys() - {"__metadata__"}) ^ expected.keys():
        rule = "must be given" if name in expected else "is the tensor of no layer"
        raise InputError(path, name, None, rule)
    for name, dtype in expected.items():
        if header[name].get("dtype") != dtype:
            raise InputError(path, f"{name}.dtype", header[name].get("dtype"), f"must be {dtype}")


#: Setting of a layer -> what it must be, and the rule in words.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "weight_bits": (lambda v: type(v) is int and v in _WIDTHS, f"must be one of {_WIDTHS}"),
    "multiplier": (lambda v: type(v) is int and 1 <= v < 1 << 16, "must be 1..65535"),
    "shift": (lambda v: type(v) is int and 0 <= v <= 47, "must be 0..47"),
    "weight_scale": (
        lambda v: type(v) is float and math.isfinite(v) and v > 0,
        "must be a positive number",
    ),
    "weight_code": (
        lambda v: type(v) is str and v in WEIGHT_WIDTHS,
        f"must be one of {', '.join(WEIGHT_WIDTHS)}",
    ),
}


def _rescale(path: Path, key: str, setting: object) -> Rescale:
    if not isinstance(setting, dict) or setting.keys() != {"multipliers", "shift"}:
        raise InputError(path, key, setting, "must be a mapping of multipliers and shift")
    multipliers, (is_shift, rule) = setting["multipliers"], _RULES["shift"]
    if not is_shift(setting["shift"]):
        raise InputError(path, f"{key}.shift", setting["shift"], rule)
    if not (isinstance(multipliers, list) and all(type(m) is int for m in multipliers)):
        raise InputError(path, f"{key}.multipliers", multipliers, "must be a list of integers")
    if not multipliers or not all(0 <= m < 1 << 16 for m in multipliers):
        raise InputError(path, f"{key}.multipliers", multipliers, "must be 0..65535, one per input")
    return Rescale(tuple(multipliers), setting["shift"])


def _table(path: Path, name: str, table: NDArray[Any]) -> NDArray[np.int8]:
    if table.ndim not in (1, 2) or table.shape[-1] != _ENTRIES:
        rule = f"must have shape ({_ENTRIES},), or (C, {_ENTRIES}): one per channel"
        raise InputError(path, name, table.shape, rule)
    return table


def _input_scale(path: Path, text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(path, "input_scale", text, "must be a positive number")
    return scale


def _layer(
    path: Path, name: str, setting: object, tensors: dict[str, NDArray[Any]]
) -> LayerWeights:
    key = f"layers.{name}"
    if not isinstance(setting, dict):
        raise InputError(path, key, setting, "must be a mapping")
    values: dict[str, Any] = {"weight_code": "int"} | setting
    per_channel = {p: tensors[f"{name}.{p}"] for p in _PER_CHANNEL if f"{name}.{p}" in tensors}
    for part in per_channel.keys() & values.keys():
        rule = f"must be absent: the tensor {name}.{part} has one per channel"
        raise InputError(path, f"{key}.{part}", values[part], rule)
    values |= per_channel
    for part in values.keys() ^ _RULES.keys():
        raise InputError(
            path, f"{key}.{part}", None, "unknown key" if part in values else "must be given"
        )
    for part, (holds, rule) in _RULES.items():
        if part not in per_channel and not holds(values[part]):
            raise InputError(path, f"{key}.{part}", values[part], rule)
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    if weight.ndim not in (2, 4) or 0 in weight.shape:
        raise InputError(path, f"{name}.weight", weight.shape, "must have 2 or 4 dimensions")
    for part, tensor in {"bias": bias, **per_channel}.items():
        if tensor.shape != weight.shape[:1]:
            rule = f"must have one value per row of the weight, {weight.shape[:1]}"
            raise InputError(path, f"{name}.{part}", tensor.shape, rule)
    for part, tensor in per_channel.items():
        holds, rule = _RULES[part]
        for channel, value in enumerate(tensor.tolist()):
            if not holds(value):
                raise InputError(path, f"{name}.{part}[{channel}]", value, rule)
    bits, code = values["weight_bits"], values["weight_code"]
    low, high = WEIGHT_WIDTHS[code]
    if not low <= bits <= high:
        rule = f"must be {low}..{high} for weight_code {code}"
        raise InputError(path, f"{key}.weight_bits", bits, rule)
    layer = LayerWeights(weight, bias, **values)
    # 0 is an absent weight where the code has none
    levels = np.union1d(codes.levels(layer.numbers), [0])
    least, most = int(levels[0]), int(levels[-1])
    is_inside = least <= int(weight.min()) and int(weight.max()) <= most
    has_gaps = len(levels) <= most - least
    if not is_inside or (has_gaps and not np.isin(weight, levels).all()):
        index = tuple(np.argwhere(~np.isin(weight, levels))[0].tolist())
        rule = f"must be 0 or a level of {bits}-bit {code}"
        raise InputError(path, f"{name}.weight{list(index)}", int(weight[index]), rule)
    return layer
