"""The workload: layers with their true shapes, chained and checked, lowered to GEMMs elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from hwsim.config.activation import PARAMETERS, Function
from hwsim.config.base import Config, load, parse
from hwsim.config.catalog import resolve
from hwsim.config.limits import Extent, Name, Real
from hwsim.config.scalesim import topology
from hwsim.config.window import Padding, Sides, Steps, pair, sides
from hwsim.errors import InputError

__all__ = ["LayerConfig", "LayerShape", "NetworkConfig", "TensorShape", "ofmap_of", "read_by"]

Density = Annotated[float, Field(gt=0, le=1)]
#: What a file is that is no network by itself, by its suffix.
_ELSEWHERE = {
    ".onnx": "must be YAML here: hwsim import writes the network of an .onnx file",
    ".safetensors": "must be the network, not weights",
} | dict.fromkeys(
    (".bin", ".pt", ".pth"), "must be the network: a state dict is weights that do not say it"
)


class TensorShape(Config):
    """Channels, height and width of one image's tensor."""

    channels: Extent
    height: Extent = 1
    width: Extent = 1

    @property
    def size(self) -> int:
        """Number of values."""
        return self.channels * self.height * self.width


#: Multipliers of an ``lrn`` layer, one of which a sum of squares chooses.
LRN_STEPS = 256
#: Layers that only move activations, and the keys of windows and groups that they have.
_MOVES: dict[str, tuple[str, ...]] = {
    "slice": (), "shuffle": ("G",), "upsample": ("stride",), "crop": ("padding",),
    "depth_to_space": ("stride",), "space_to_depth": ("stride",),
}  # fmt: skip


class LayerConfig(Config):
    """One layer. ``conv`` and ``fc`` have weights; the others combine or shape activations.

    A ``float`` layer stands for operations that run in floating point, beside the array.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]*$")]
    type: Literal[
        "conv",
        "fc",
        "maxpool",
        "avgpool",
        "globalavgpool",
        "add",
        "mul",
        "concat",
        "lrn",
        "activation",
        "slice",
        "shuffle",
        "upsample",
        "depth_to_space",
        "space_to_depth",
        "crop",
        "float",
    ]
    #: Output channels (``conv``, ``fc``, ``slice``).
    M: Extent | None = None
    #: Filter height and width; ``S`` defaults to ``R`` (``conv``, pools).
    R: Extent | None = None
    S: Extent | None = None
    #: First channel that is taken (``slice``).
    first: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    #: Groups; ``G`` = input channels is a depthwise layer.
    G: Extent = 1
    #: One number, or ``(height, width)``; of padding also ``(top, left, bottom, right)``.
    stride: Steps = 1
    padding: Padding = 0
    dilation: Steps = 1
    relu: bool = False
    #: Where the ReLU saturates (ReLU6: 6): the value of the largest activation.
    relu_max: Annotated[Real, Field(gt=0)] | None = None
    #: Pools only: round the output size up, as Caffe does.
    ceil: bool = False
    #: Function of each value, and its parameters (``activation``); ``alpha`` of ``leaky_relu`` may
    #: be one per channel.
    function: Function | None = None
    alpha: Real | tuple[Real, ...] | None = None
    beta: Real | None = None
    #: What is added to the mean of squares (``lrn``).
    bias: Annotated[Real, Field(gt=0)] = 1.0
    #: Average pools only: whether padding counts as zeros; otherwise an average is that of the
    #: pixels inside.
    count_include_pad: bool = True
    #: Layers whose outputs feed this one; empty: the previous one. ``input`` is the network's.
    inputs: tuple[str, ...] = ()
    #: Shape of what the layer reads where that is an input of its own, for networks whose layers
    #: are independent (``conv``, ``fc``). Such networks run on synthetic operands.
    ifmap: TensorShape | None = None
    #: Shape of what the layer gives, operations that it stands for, and their multiply-accumulates
    #: for one image (``float``: what is computed in floating point, beside the array).
    ofmap: TensorShape | None = None
    operations: tuple[str, ...] = ()
    macs: Annotated[int, Field(ge=0, le=1 << 50)] = 0
    #: Fraction of non-zeros, for synthetic weights and activations.
    weight_density: Density = 1.0
    act_density: Density = 1.0

    @model_validator(mode="before")
    @classmethod
    def _listed_inputs(cls, raw: object) -> object:
        if not isinstance(raw, dict):
            return raw
        keys = ("inputs", "alpha", "operations")
        listed = {key for key in keys if isinstance(raw.get(key), list)}
        return {**raw, **{key: tuple(raw[key]) for key in listed}}

    @model_validator(mode="after")
    def _keys_fit_the_type(self) -> Self:
        needs = {
            "conv": ("M", "R"), "fc": ("M",), "maxpool": ("R",), "avgpool": ("R",), "slice": ("M",),
            "lrn": ("R",),
        }.get(self.type, ())  # fmt: skip
        for key in ("M", "R"):
            if key in needs and getattr(self, key) is None:
                raise ValueError(f"{key} must be given for a {self.type} layer")
            if key not in needs and getattr(self, key) is not None:
                raise ValueError(f"{key} must be absent for a {self.type} layer")
        if not self.count_include_pad and self.type != "avgpool":
            raise ValueError(f"count_include_pad must be absent for a {self.type} layer")
        rows, columns = self.R or 1, self.S or self.R or 1
        too_wide = any(
            pad >= size for pad, size in zip(self.pads, (rows, columns) * 2, strict=True)
        )
        if not self.count_include_pad and too_wide:
            raise ValueError("padding must be less than the window where it does not count")
        if self.first and self.type != "slice":
            raise ValueError(f"first must be absent for a {self.type} layer")
        if self.type in ("fc", "lrn", "float") or self.moves:
            taken = _MOVES.get(self.type, ())
            defaults = {"G": 1, "stride": 1, "padding": 0, "dilation": 1}
            for key, value in defaults.items():
                if key not in taken and getattr(self, key) != value:
                    raise ValueError(f"{key} must be absent for a {self.type} layer")
        is_activation = self.type == "activation"
        if is_activation and self.function is None:
            raise ValueError("function must be given for an activation layer")
        if not is_activation and self.function is not None:
            raise ValueError(f"function must be absent for a {self.type} layer")
        if self.type != "lrn" and self.bias != 1:
            raise ValueError(f"bias must be absent for a {self.type} layer")
        known = PARAMETERS.get(self.function, {}) if self.function else {}
        for key in ("alpha", "beta"):
            if getattr(self, key) is not None and key not in known and self.type != "lrn":
                raise ValueError(f"{key} must be absent: it is no parameter of {self.function}")
        if isinstance(self.alpha, tuple) and self.function != "leaky_relu":
            raise ValueError("alpha must be one number: only leaky_relu has one per channel")
        is_negative = isinstance(self.alpha, float | int) and self.alpha < 0
        if self.type == "lrn" and (self.S is not None or is_negative):
            raise ValueError("S must be absent for an lrn layer, and alpha at least 0")
        if self.relu_max is not None and not self.relu:
            raise ValueError("relu_max must be absent without relu")
        if self.relu_max is not None and self.keeps_scale:
            raise ValueError(
                f"relu_max must be absent for a {self.type} layer: it has its input's scale"
            )
        if self.ifmap is not None and (self.inputs or self.type not in ("conv", "fc")):
            raise ValueError("ifmap must be absent but for a conv or fc layer without inputs")
        if self.type == "float":
            if self.ofmap is None or not self.operations:
                raise ValueError("ofmap and operations must be given for a float layer")
            if self.relu:
                raise ValueError("relu must be absent for a float layer")
        elif self.ofmap is not None or self.operations or self.macs:
            rule = f"ofmap, operations and macs must be absent for a {self.type} layer"
            raise ValueError(rule)
        if self.joins and len(self.inputs) < 2:
            article = "an add" if self.type == "add" else f"a {self.type}"
            raise ValueError(f"inputs must name at least two layers for {article} layer")
        if self.type == "mul" and len(self.inputs) > 2:
            raise ValueError("inputs must name two layers for a mul layer")
        if not (self.joins or self.type == "float") and len(self.inputs) > 1:
            raise ValueError(f"inputs must name at most one layer for a {self.type} layer")
        return self

    @property
    def strides(self) -> tuple[int, int]:
        """Stride along height and width."""
        return pair(self.stride)

    @property
    def dilations(self) -> tuple[int, int]:
        """Dilation along height and width."""
        return pair(self.dilation)

    @property
    def pads(self) -> Sides:
        """Padding at the top, left, bottom and right."""
        return sides(self.padding)

    @property
    def joins(self) -> bool:
        """Whether the layer has several inputs."""
        return self.type in ("add", "mul", "concat")

    @property
    def moves(self) -> bool:
        """Whether the layer only moves activations."""
        return self.type in _MOVES

    @property
    def keeps_scale(self) -> bool:
        """Whether the layer's activations are some of its input's."""
        return self.moves or self.type == "maxpool"

    @property
    def rescales(self) -> bool:
        """Whether integers are scaled anew without weights: sums, products and joins."""
        return self.joins or self.type in ("avgpool", "globalavgpool", "lrn")

    @property
    def multipliers(self) -> int:
        """Multipliers with which it does so: one per input, one for a product, a table of them."""
        if self.type == "lrn":
            return LRN_STEPS
        return 1 if self.type == "mul" else max(1, len(self.inputs))


@dataclass(frozen=True)
class LayerShape:
    """A layer with every dimension resolved (vocabulary: M C P Q R S G).

    ``K`` is the depth of one group's GEMM, ordered (kernel row, kernel column, input channel);
    ``pixels`` is ``P * Q``, the GEMM's N for one image.
    """

    layer: LayerConfig
    ifmap: TensorShape
    ofmap: TensorShape

    @property
    def has_weights(self) -> bool:
        """Whether the layer runs on the array."""
        return self.layer.type in ("conv", "fc")

    @property
    def R(self) -> int:
        """Filter height; a fully connected layer is a filter as large as its ifmap."""
        return self.ifmap.height if self.layer.type == "fc" else (self.layer.R or 1)

    @property
    def S(self) -> int:
        """Filter width."""
        if self.layer.type == "fc":
            return self.ifmap.width
        return self.layer.S or self.R

    @property
    def M(self) -> int:
        """Output channels of one group."""
        return self.ofmap.channels // self.layer.G

    @property
    def C(self) -> int:
        """Input channels of one group."""
        return self.ifmap.channels // self.layer.G

    @property
    def K(self) -> int:
        """Depth of the GEMM of one group."""
        return self.R * self.S * self.C

    @property
    def pixels(self) -> int:
        """Output pixels of one image."""
        return self.ofmap.height * self.ofmap.width

    @property
    def weights(self) -> int:
        """Number of weights, all groups."""
        return self.layer.G * self.M * self.K if self.has_weights else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image, dense."""
        return self.weights * self.pixels


class NetworkConfig(Config):
    """A network: an input shape and layers that chain."""

    name: Name
    #: Where the shapes come from.
    source: str = ""
    input: TensorShape
    #: Layers that give the network's outputs, where they are others than the last one alone.
    outputs: tuple[str, ...] = ()
    layers: Annotated[list[LayerConfig], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _listed_outputs(cls, raw: object) -> object:
        if isinstance(raw, dict) and isinstance(raw.get("outputs"), list):
            return {**raw, "outputs": tuple(raw["outputs"])}
        return raw

    @model_validator(mode="after")
    def _chains(self) -> Self:
        self.shapes()
        names = [layer.name for layer in self.layers]
        unknown = next((name for name in self.outputs if name not in names), None)
        if unknown is not None:
            raise ValueError(f"outputs must name layers, not {unknown!r}")
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError("outputs must name each layer once")
        if self.outputs and names[-1] not in self.outputs:
            raise ValueError(f"outputs must name the last layer, {names[-1]}: nothing reads it")
        return self

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a network by name (``configs/network``) or path: YAML, or SCALE-Sim's CSV.

        Raises
        ------
        InputError
            There is no such file, or it is not a network.
        """
        path = resolve(name, "network")
        kind = path.suffix.lower()
        if kind in _ELSEWHERE:
            raise InputError(path, "", None, _ELSEWHERE[kind])
        return parse(cls, topology(path), path) if kind == ".csv" else load(cls, path)

    def to_yaml(self) -> str:
        """Text of a file that :meth:`read` reads back: one layer per line, without defaults."""
        raw = self.model_dump(exclude_defaults=True, mode="json")
        head = {key: raw[key] for key in ("name", "source", "input", "outputs") if key in raw}
        lines = [f"{key}: {_flow(value)}" for key, value in head.items()]
        return (
            "\n".join([*lines, "layers:", *(f"  - {_flow(layer)}" for layer in raw["layers"])])
            + "\n"
        )

    @property
    def ends(self) -> tuple[str, ...]:
        """Names of the layers that give the network's outputs."""
        return self.outputs or (self.layers[-1].name,)

    def must_have_one_output(self, source: str, why: str) -> None:
        """Refuse, with :class:`InputError`, a network with other outputs than its last layer."""
        if len(self.ends) > 1:
            raise InputError(source, "outputs", ", ".join(self.ends), f"must be one: {why}")

    @property
    def taken(self) -> set[str]:
        """Names of the layers that others read."""
        names = {name for layer in self.layers for name in layer.inputs}
        # without ``inputs`` a layer takes the one before it
        return names | {
            before.name
            for before, layer in pairwise(self.layers)
            if not layer.inputs and layer.ifmap is None
        }

    @property
    def border(self) -> int:
        """Values of the input and of the outputs, one image: what no layer here makes, or takes."""
        shapes, inside = self.shapes(), self.taken.difference(self.outputs)
        own = sum(layer.ifmap.size for layer in self.layers if layer.ifmap is not None)
        return (
            self.input.size
            + own
            + sum(shape.ofmap.size for shape in shapes if shape.layer.name not in inside)
        )

    def must_chain(self, source: str) -> None:
        """Refuse, with :class:`InputError`, a network with layers that read inputs of their own."""
        for layer in self.layers:
            if layer.ifmap is not None:
                rule = "must be absent: independent layers run on synthetic operands alone"
                raise InputError(source, f"layers.{layer.name}.ifmap", None, rule)

    def must_have_weights(self) -> None:
        """Refuse, with :class:`InputError`, a network of which nothing runs on an array."""
        if not any(layer.type in ("conv", "fc") for layer in self.layers):
            rule = "must have a layer with weights: nothing here runs on an array"
            raise InputError(self.name, "layers", None, rule)

    def shapes(self) -> list[LayerShape]:
        """Resolve every layer's shape in order; raises ``ValueError`` where layers do not chain."""
        known: dict[str, TensorShape] = {"input": self.input}
        previous = "input"
        resolved = []
        for layer in self.layers:
            if layer.name in known:
                raise ValueError(f"layers.{layer.name}: name must be unique")
            inputs = layer.inputs or (previous,)
            for name in inputs:
                if name not in known:
                    raise ValueError(
                        f"layers.{layer.name}: inputs must name an earlier layer, not {name!r}"
                    )
            sources = [known[name] for name in inputs] if layer.ifmap is None else [layer.ifmap]
            try:
                ofmap = ofmap_of(layer, sources)
            except ValueError as error:
                raise ValueError(f"layers.{layer.name}: {error}") from None
            resolved.append(LayerShape(layer, sources[0], ofmap))
            known[layer.name] = ofmap
            previous = layer.name
        return resolved


def read_by(shapes: Sequence[LayerShape]) -> dict[str, tuple[str, ...]]:
    """Names of the activations that each layer reads, by its name: of layers, or ``input``."""
    before = ["input", *(shape.layer.name for shape in shapes)]
    return {
        shape.layer.name: shape.layer.inputs or (before[index],)
        for index, shape in enumerate(shapes)
    }


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")


def ofmap_of(layer: LayerConfig, sources: Sequence[TensorShape]) -> TensorShape:
    """Shape of what a layer gives; raises ``ValueError`` where the inputs do not suit it."""
    ifmap = sources[0]
    if layer.type == "add":
        if any(s != ifmap for s in sources):
            raise ValueError("inputs must have the same shape to be added")
        return ifmap
    if layer.type == "mul":
        sizes = [(s.channels, s.height, s.width) for s in sources]
        for size in sizes[1:]:
            if any(own not in (1, full) for own, full in zip(size, sizes[0], strict=True)):
                raise ValueError("inputs must have the shape of the first to be multiplied, or 1")
        return ifmap
    if layer.type in ("activation", "lrn"):
        if isinstance(layer.alpha, tuple) and len(layer.alpha) != ifmap.channels:
            raise ValueError(f"alpha must be one number, or {ifmap.channels}: one per channel")
        return ifmap
    if layer.ofmap is not None:
        return layer.ofmap
    if layer.moves:
        return _moved(layer, ifmap)
    if layer.type == "concat":
        if any((s.height, s.width) != (ifmap.height, ifmap.width) for s in sources):
            raise ValueError("inputs must have the same height and width to be concatenated")
        return ifmap.model_copy(update={"channels": sum(s.channels for s in sources)})
    if layer.type == "globalavgpool":
        return TensorShape(channels=ifmap.channels)
    if layer.type == "fc":
        return TensorShape(channels=layer.M or 1)
    if layer.type == "conv":
        for what, channels in (("input", ifmap.channels), ("output", layer.M or 1)):
            if channels % layer.G:
                raise ValueError(f"G = {layer.G} must divide the {channels} {what} channels")
    channels = layer.M if layer.type == "conv" and layer.M else ifmap.channels
    r, s = layer.R or 1, layer.S or layer.R or 1
    return TensorShape(
        channels=channels,
        height=_extent(layer, ifmap.height, r, 0),
        width=_extent(layer, ifmap.width, s, 1),
    )


def _moved(layer: LayerConfig, ifmap: TensorShape) -> TensorShape:
    """Shape of what a layer gives that only moves activations."""
    channels, height, width = ifmap.channels, ifmap.height, ifmap.width
    down, right = layer.strides
    if layer.type == "slice":
        if layer.first + (layer.M or 0) > channels:
            last = layer.first + (layer.M or 0)
            raise ValueError(f"first + M = {last} must be at most the {channels} input channels")
        channels = layer.M or 0
    elif layer.type == "shuffle" and channels % layer.G:
        raise ValueError(f"G = {layer.G} must divide the {channels} input channels")
    elif layer.type == "upsample":
        height, width = height * down, width * right
    elif layer.type == "depth_to_space":
        if channels % (down * right):
            raise ValueError(f"{down} x {right} pixels must divide the {channels} input channels")
        channels, height, width = channels // (down * right), height * down, width * right
    elif layer.type == "space_to_depth":
        if height % down or width % right:
            raise ValueError(f"{down} x {right} pixels must divide the input {height} x {width}")
        channels, height, width = channels * down * right, height // down, width // right
    elif layer.type == "crop":
        top, left, bottom, beyond = layer.pads
        height, width = height - top - bottom, width - left - beyond
        if height < 1 or width < 1:
            raise ValueError(f"must leave pixels of the input {ifmap.height} x {ifmap.width}")
    return TensorShape(channels=channels, height=height, width=width)


def _extent(layer: LayerConfig, size: int, window: int, axis: int) -> int:
    span = layer.dilations[axis] * (window - 1) + 1
    padded = size + layer.pads[axis] + layer.pads[2 + axis]
    if padded < span:
        what = ("height", "width")[axis]
        raise ValueError(f"a window of {span} must fit the padded input {what} {padded}")
    stride = layer.strides[axis]
    return (padded - span + (stride - 1 if layer.ceil else 0)) // stride + 1
