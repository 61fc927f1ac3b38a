"""Build a network layer by layer while walking the nodes of an ONNX graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerConfig, NetworkConfig
from hwsim.config.base import parse
from hwsim.config.network import ofmap_of
from hwsim.errors import InputError
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.models.importers.grid import Grid
from hwsim.models.importers.onnx_graph import Graph
from hwsim.models.importers.onnx_inputs import Source
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_order import runs, steps
from hwsim.models.importers.onnx_value import Affine, Value

__all__ = ["Builder", "Draft", "Handler"]

#: Layers whose integers are integers of their input.
_KEEP_SCALE = frozenset(
    {"maxpool", "slice", "shuffle", "upsample", "depth_to_space", "space_to_depth", "crop"}
)
#: ONNX's number of the type of pixels, which stand for 0..1 here.
_UINT8 = 2


@dataclass
class Draft:
    """A layer that later nodes may still extend."""

    settings: dict[str, Any]
    floats: LayerFloats | None = None
    #: What the layer reads.
    sources: tuple[Value, ...] = ()
    #: First tensor that is the layer's activations as they are now, and how it views them.
    tensor: tuple[str, Value] | None = None
    #: Values that the file allows the activations.
    grid: Grid | None = None

    @property
    def is_open(self) -> bool:
        """Whether a normalization or a bias may still be folded into the weights."""
        return self.floats is not None and not self.settings.get("relu") and self.grid is None

    @property
    def keeps_scale(self) -> bool:
        """Whether the layer's integers are integers of its input."""
        return self.settings["type"] in _KEEP_SCALE

    def takes_relu(self, largest: float | None) -> bool:
        """Whether a ReLU, which saturates at ``largest`` if given, may become part of the layer.

        A layer that keeps its input's scale has integers that cannot saturate at another value.
        """
        if self.settings.get("relu") or self.settings["type"] == "float":
            return False
        return largest is None or not self.keeps_scale


class Handler(Protocol):
    """Turns a node into a layer, a change of the previous layer, or a view of activations.

    It returns the node's output, or all of them.
    """

    def __call__(self, builder: Builder, node: Node, /) -> Value | list[Value]: ...


class Builder:
    """Walks a graph once.

    Parameters
    ----------
    graph
        The graph, without unsupported nodes.
    handlers
        Handler per operation; nodes whose inputs are all constant need none.
    """

    def __init__(self, graph: Graph, handlers: Mapping[str, Handler]) -> None:
        self.graph = graph
        self.drafts: dict[str, Draft] = {}
        self._handlers = handlers
        self._input_grid: Grid | None = None
        #: Pool that rounds the sums of a layer at the end, by that layer.
        self._rounded: dict[str, str] = {}
        self._values = {source.name: self._input(source) for source in graph.inputs}

    def build(self, name: str) -> FloatModel:
        """Build the network.

        Parameters
        ----------
        name
            Name of the network.

        Raises
        ------
        InputError
            A node uses a feature that the layers here do not have.
        """
        graph = self.graph
        for node in graph.nodes:
            if set(filter(None, node.outputs)) <= graph.constants.keys():
                continue
            if node.op == "Shape" and node.inputs[0] in self._values:
                graph.constants[node.outputs[0]] = self._dimensions(node)
            elif graph.is_constant(node):
                graph.fold(node)
            else:
                self.convert(node)
        ends = [self._end(output) for output in graph.outputs]
        grids = {name: draft.grid for name, draft in self.drafts.items() if draft.grid}
        if self._input_grid is not None:
            grids["input"] = self._input_grid
        remark = graph.remark
        if grids:
            kept = sum(grid.is_kept for grid in grids.values())
            remark += f", quantized: scales of {kept} tensors kept"
            remark += f", ranges of {len(grids) - kept}" if kept < len(grids) else ""
        for output, end in zip(graph.outputs, ends, strict=True):
            grids |= self._end_on_grid(output, end)
        if any(end.order is not None for end in ends):
            of = "the last layer" if len(ends) == 1 else "their layers"
            remark += f", its output in the order of {of}"
        outputs = list(dict.fromkeys(self._rounded.get(end.layer, end.layer) for end in ends))
        raw = {
            "name": name,
            "source": f"{graph.source.name}: ONNX, {remark}",
            "input": graph.input_shape.model_dump(),
            "outputs": outputs if outputs != [next(reversed(self.drafts))] else [],
            "layers": [draft.settings for draft in self.drafts.values()],
        }
        floats = {name: draft.floats for name, draft in self.drafts.items() if draft.floats}
        config = parse(NetworkConfig, raw, graph.source)
        return FloatModel(config, floats, str(graph.source), graph.files, grids, self.graphs())

    def convert(self, node: Node) -> None:
        """Convert a node that reads activations."""
        found = self._handlers[node.op](self, node)
        values = found if isinstance(found, list) else [found]
        for tensor, value in zip(node.outputs, values, strict=False):
            self._add(tensor, value)

    def without_layer(self, output: str) -> None:
        """Called where the graph's output is that of no layer."""

    def graphs(self) -> dict[str, bytes]:
        """What float layers compute, by name: none here."""
        return {}

    @property
    def tensors(self) -> dict[str, tuple[str, Value]]:
        """By layer, a tensor of the graph that is its activations, and how it views them."""
        return {name: draft.tensor for name, draft in self.drafts.items() if draft.tensor}

    def raw(self, node: Node, index: int = 0) -> Value:
        """Return an input of a node, which may have an ``affine``; refuse a constant."""
        name = node.inputs[index]
        if name not in self._values:
            raise self.graph.refuse(node, f"input {name}", None, "must not be a constant")
        return self._values[name]

    def value(self, node: Node, index: int = 0) -> Value:
        """Return an input of a node, whose ``affine`` becomes a layer; refuse a constant.

        So does the choice of some of a layer's activations.
        """
        value, name = self.raw(node, index), node.inputs[index]
        return self._plain(name) if value.is_all else self._arranged(name)

    def image(self, node: Node, index: int = 0, *, is_plain: bool = False) -> Value:
        """Return an input of a node as activations ``(N, C, H, W)``, and its ``affine``.

        Another order of activations becomes layers that move them; with ``is_plain`` also
        ``affine`` becomes a layer.
        """
        value, name = self.raw(node, index), node.inputs[index]
        if not value.is_image:
            value = self._arranged(name)
        elif is_plain:
            value = self._plain(name)
        if not value.is_image:
            rule = "must be (N, C, H, W) or (N, C, W), in the order of a layer"
            raise self.graph.refuse(node, f"input {node.inputs[index]}", value.dims, rule)
        return value

    def arranged(self, node: Node, index: int = 0) -> Value:
        """Return an input of a node, in the order of a layer where layers can move it so."""
        self.raw(node, index)
        return self._arranged(node.inputs[index])

    def constant(self, node: Node, index: int, what: str) -> NDArray[Any] | None:
        """Return the constant of an input of a node; ``None`` where the input is absent."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        if not name:
            return None
        if name not in self.graph.constants:
            raise self.graph.refuse(node, what, None, "must be a constant of the file")
        return self.graph.constants[name]

    def floats(self, node: Node, index: int, what: str) -> NDArray[np.float32] | None:
        """Return a constant of real numbers as float32; ``None`` where the input is absent."""
        constant = self.constant(node, index, what)
        if constant is None:
            return None
        if constant.dtype.kind != "f" and constant.dtype.name != "bfloat16":
            raise self.graph.refuse(
                node, f"{what} type", str(constant.dtype), "must be floating point"
            )
        return constant.astype(np.float32)

    def view(self, node: Node, value: Value, order: NDArray[np.int64] | None = None) -> Value:
        """Return the output of a node that holds values of another, as they are or in an order."""
        alone = value.alone and self.graph.readers[node.outputs[0]] == 1
        if order is None:
            return replace(value, alone=alone)
        dims, order = value.seen(order)
        return replace(value, alone=alone, dims=dims, order=order)

    def affine(self, node: Node, value: Value, affine: Affine) -> Value:
        """Return the output of a node that scales and shifts each value.

        The weights of the layer do so where they may; else a layer that reads it, or one of its
        own.
        """
        draft = self.drafts.get(value.layer)
        if (
            value.affine is None
            and value.alone
            and affine.is_per_channel
            and draft is not None
            and draft.floats is not None
            and draft.is_open
        ):
            draft.floats = draft.floats.scaled(*affine.by_channel(value.shape.channels))
            draft.tensor = None
        else:
            whole = value.affine.then(affine) if value.affine else affine
            value = replace(value, affine=None if whole.is_nothing else whole)
        return self.view(node, value)

    def rectify(self, node: Node, largest: float | None, index: int = 0) -> Value:
        """Return the output of a ReLU, which saturates at ``largest`` if given.

        It is part of the layer, or a pool of one pixel where others read the layer without.
        """
        settings: dict[str, Any] = {"relu": True}
        if largest is not None:
            settings["relu_max"] = largest
        # of all activations of the layer, also where the tensor has but some of them
        value = self.raw(node, index)
        if value.affine is not None or not self._takes_relu(value, largest):
            value = self.value(node, index)
        if self._takes_relu(value, largest):
            draft = self.drafts[value.layer]
            draft.settings |= settings
            draft.tensor = None
            return self.view(node, value)
        kind = "maxpool" if largest is None else "avgpool"
        return self.layer(node, [value], {"type": kind, "R": 1, **settings}, like=value)

    def put_on(self, node: Node, grid: Grid) -> Value:
        """Return an input of a node rounded to a grid.

        The grid is that of its layer, or of the one whose integers the layer only moves; where
        others read the layer without, that of a pool of one pixel behind it.
        """
        value = self.value(node)
        if self.grid_of(value) == grid:
            return self.view(node, value)
        source, moved = value, []
        while source.layer in self.drafts and self.drafts[source.layer].keeps_scale:
            moved.append(source.layer)
            source = replace(
                self.drafts[source.layer].sources[0],
                alone=(source.alone and self.drafts[source.layer].sources[0].alone),
            )
        if self.grid_of(source) is not None or not source.alone:
            name = self._free(f"{value.layer}_quantized")
            where = f"node {node.name} ({node.op})"
            alone = self.graph.readers[node.outputs[0]] == 1
            settings = {"type": "avgpool", "R": 1}
            value = self._layer(name, where, alone, [value], settings, None, value)
            self.drafts[name].grid = grid
            return value
        for layer in (*moved, source.layer):
            if layer in self.drafts:
                self.drafts[layer].tensor = None
        if source.layer in self.drafts:
            self.drafts[source.layer].grid = grid
        else:
            self._input_grid = grid
        return self.view(node, value)

    def grid_of(self, value: Value) -> Grid | None:
        """Grid of the activations of a tensor's layer."""
        draft = self.drafts.get(value.layer)
        if draft is None:
            return self._input_grid
        return self.grid_of(draft.sources[0]) if draft.keeps_scale else draft.grid

    def _takes_relu(self, value: Value, largest: float | None) -> bool:
        draft = self.drafts.get(value.layer)
        return draft is not None and value.alone and draft.takes_relu(largest)

    def layer(
        self,
        node: Node,
        sources: Sequence[Value],
        settings: dict[str, Any],
        floats: LayerFloats | None = None,
        like: Value | None = None,
    ) -> Value:
        """Add a layer and return its activations.

        Parameters
        ----------
        node
            The node that the layer is made for.
        sources
            Activations that the layer reads.
        settings
            Keys of :class:`LayerConfig`, except name and inputs.
        floats
            Weight and bias, where the layer has them.
        like
            Tensor whose shape and order the output has; without, those of the layer:
            ``(N, values)`` of a fully connected layer, else ``(N, C, H, W)``, or ``(N, C, W)``
            where it reads such.

        Raises
        ------
        InputError
            The settings do not fit the sources.
        """
        alone = self.graph.readers[node.outputs[0]] == 1
        name, where = self._name(node), f"node {node.name} ({node.op})"
        return self._layer(name, where, alone, sources, settings, floats, like)

    def _layer(
        self,
        name: str,
        where: str,
        alone: bool,
        sources: Sequence[Value],
        settings: dict[str, Any],
        floats: LayerFloats | None,
        like: Value | None,
    ) -> Value:
        previous = next(reversed(self.drafts), "input")
        inputs = tuple(source.layer for source in sources)
        settings = {"name": name, **settings} | (
            {} if inputs == (previous,) else {"inputs": inputs}
        )
        config = parse(LayerConfig, settings, f"{self.graph.source}: {where}")
        try:
            shape = ofmap_of(config, [source.shape for source in sources])
        except ValueError as error:
            raise InputError(self.graph.source, where, None, str(error)) from error
        self.drafts[name] = Draft(settings, floats, tuple(sources))
        are_integers = any(source.is_integer for source in sources)
        if like is not None:
            return Value(name, shape, alone, like.dims, like.order, is_integer=are_integers)
        image = (shape.channels, shape.height, shape.width)
        # a layer of lines gives lines
        dims = image if len(sources[0].dims) != 2 else (shape.channels, shape.width)
        own = image[:1] if config.type == "fc" else dims
        return Value(name, shape, alone, own, is_integer=are_integers)

    def _input(self, source: Source) -> Value:
        """An input; bytes are 255 times the values that they stand for."""
        shape, alone = self.graph.input_shape, self.graph.readers[source.name] == 1
        dims, order = Value("input", shape, alone, source.dims).seen(source.order)
        each = np.full((shape.channels, 1, 1), 255.0)
        affine = Affine(each, np.zeros_like(each)) if source.type == _UINT8 else None
        return Value("input", shape, alone, dims, order, affine)

    def _add(self, tensor: str, value: Value) -> None:
        """Store a tensor; the first that is a layer's activations stands for it in checks."""
        self._values[tensor] = value
        draft = self.drafts.get(value.layer)
        is_whole = value.affine is None and not any(value.border) and not value.is_integer
        if draft is not None and draft.tensor is None and is_whole:
            draft.tensor = (tensor, value)

    def _plain(self, tensor: str) -> Value:
        """A tensor without ``affine``, which becomes a layer of one weight per channel."""
        value = self._values[tensor]
        if value.affine is None:
            return value
        where = f"tensor {tensor}"
        if not value.affine.is_per_channel:
            rule = "is scaled or shifted by other constants than one for each channel"
            raise InputError(self.graph.source, where, None, rule)
        channels = value.shape.channels
        scale, shift = value.affine.by_channel(channels)
        floats = LayerFloats(
            scale.astype(np.float32).reshape(channels, 1, 1, 1), shift.astype(np.float32)
        )
        settings = {"type": "conv", "M": channels, "G": channels, "R": 1}
        name = self._free(f"{value.layer}_scale")
        alone = self.graph.readers[tensor] == 1
        plain = replace(value, affine=None)
        scaled = self._layer(name, where, alone, [plain], settings, floats, value)
        self._add(tensor, replace(scaled, border=value.border))
        return self._values[tensor]

    def _arranged(self, tensor: str) -> Value:
        """A tensor as the activations of a layer, where layers can move activations so.

        Else the tensor without its ``affine``.
        """
        value = self._plain(tensor)
        dims = value.dims if len(value.dims) != 2 else (value.dims[0], 1, value.dims[1])
        if value.is_image or len(dims) != 3:
            return value
        found = steps(value.shape, value.indices.reshape(dims))
        if found is None:
            return value
        where, alone = f"tensor {tensor}", self.graph.readers[tensor] == 1
        for step in found:
            if isinstance(step, list):
                value = self._chosen(value, step, where)
            else:
                name = self._free(f"{value.layer}_{step['type']}")
                value = self._layer(name, where, True, [value], step, None, None)
        rank = self._values[tensor].dims
        self._values[tensor] = replace(value, alone=alone, dims=rank, order=None)
        self._add(tensor, self._values[tensor])
        return self._values[tensor]

    def _chosen(self, value: Value, channels: list[int], where: str) -> Value:
        """Channels of a layer in some order: runs of them, joined."""
        parts = []
        for first, count in runs(channels):
            settings = {"type": "slice", "M": count} | ({"first": first} if first else {})
            name = self._free(f"{value.layer}_slice")
            parts.append(self._layer(name, where, True, [value], settings, None, None))
        name = self._free(f"{value.layer}_concat")
        return self._layer(name, where, True, parts, {"type": "concat"}, None, None)

    def _dimensions(self, node: Node) -> NDArray[np.int64]:
        """Output of a Shape: the batch, and the shape of the tensor."""
        sizes = np.array([self.graph.batch, *self._values[node.inputs[0]].dims], dtype=np.int64)
        return sizes[node.attributes.get("start", 0) : node.attributes.get("end", len(sizes))]

    def _end(self, output: str) -> Value:
        """Activations of a layer that are an output."""
        graph = self.graph
        if output not in self._values:
            self.without_layer(output)
        value = self._plain(output) if output in self._values else None
        if value is not None and (len(value.dims) == 3 or not value.is_all):
            value = self._arranged(output)
        if value is None or value.layer not in self.drafts:
            where = "graph" if len(graph.outputs) == 1 else f"output {output}"
            raise InputError(graph.source, where, None, "must compute its output from its input")
        if not value.is_all:
            rule = f"must hold every value of layer {value.layer} once"
            raise InputError(graph.source, f"output {output}", value.dims, rule)
        return value

    def _end_on_grid(self, output: str, value: Value) -> dict[str, Grid]:
        """Give an output whose sums the file rounds activations: of a pool of one pixel.

        Returns the grid of the layer that it adds for that, by name.
        """
        draft = self.drafts[value.layer]
        if draft.floats is None or draft.grid is None or value.layer in self._rounded:
            return {}
        settings = {"type": "avgpool", "R": 1}
        name = self._free("output")
        self._layer(name, f"output {output}", True, [value], settings, None, value)
        self._rounded[value.layer] = name
        return {name: draft.grid}

    def _name(self, node: Node) -> str:
        """Derive a layer's name from its weight or its node, in the characters allowed here.

        PyTorch calls weights ``layer1.0.conv1.weight`` and nodes ``/layer1/layer1.0/conv1/Conv``.
        """
        weight = node.inputs[1] if len(node.inputs) > 1 else ""
        is_named = weight.endswith(".weight") and weight in self.graph.constants
        name = weight.removesuffix(".weight") if is_named else node.name
        name = name.removesuffix(f"/{node.op}").strip("/").replace("/", ".")
        name = re.sub(r"[^A-Za-z0-9_.]", "_", name).lstrip("_.") or node.op.lower()
        if not name[0].isalpha():
            name = f"{node.op.lower()}_{name}"
        return self._free(name)

    def _free(self, plain: str) -> str:
        """A name that no layer has: this, or this with a number."""
        taken, name, copy = {"input", *self.drafts}, plain, 2
        while name in taken:
            name, copy = f"{plain}_{copy}", copy + 1
        return name
