"""Build a network layer by layer while walking the nodes of an ONNX graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerConfig, NetworkConfig, TensorShape
from hwsim.config.base import parse
from hwsim.config.network import ofmap_of
from hwsim.errors import InputError
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.models.importers.onnx_graph import Graph, Node

__all__ = ["Builder", "Draft", "Handler", "Value"]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: the activations of a layer, in one of two shapes.

    ``alone``: nothing else reads the activations, so that the next operation may become part of the
    layer. ``is_flat``: the tensor is ``(N, C * H * W)``, otherwise it is ``(N, C, H, W)``.
    """

    layer: str
    shape: TensorShape
    alone: bool
    is_flat: bool


@dataclass
class Draft:
    """A layer that later nodes may still extend."""

    settings: dict[str, Any]
    floats: LayerFloats | None = None

    @property
    def is_open(self) -> bool:
        """Whether a normalization or a bias may still be folded into the weights."""
        return self.floats is not None and not self.settings.get("relu")

    def takes_relu(self, largest: float | None) -> bool:
        """Whether a ReLU, which saturates at ``largest`` if given, may become part of the layer.

        A max-pool keeps its input's scale, so its integers cannot saturate at another value.
        """
        if self.settings.get("relu"):
            return False
        return largest is None or self.settings["type"] != "maxpool"


class Handler(Protocol):
    """Turns a node into a layer, a change of the previous layer, or a view of activations."""

    def __call__(self, builder: Builder, node: Node, /) -> Value: ...


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
        shape, alone = graph.input_shape, graph.readers[graph.input] == 1
        self._values = {graph.input: Value("input", shape, alone, graph.is_flat)}

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
            if node.op == "Shape" and node.inputs[0] in self._values:
                value = self._values[node.inputs[0]]
                graph.constants[node.outputs[0]] = self._dimensions(value)
            elif graph.is_constant(node):
                graph.fold(node)
            else:
                self._values[node.outputs[0]] = self._handlers[node.op](self, node)
        if graph.output not in self._values or not self.drafts:
            raise InputError(graph.source, "graph", None, "must compute its output from its input")
        raw = {
            "name": name,
            "source": f"{graph.source.name}: ONNX, {graph.remark}",
            "input": graph.input_shape.model_dump(),
            "layers": [draft.settings for draft in self.drafts.values()],
        }
        floats = {name: draft.floats for name, draft in self.drafts.items() if draft.floats}
        config = parse(NetworkConfig, raw, graph.source)
        return FloatModel(config, floats, str(graph.source))

    def value(self, node: Node, index: int = 0) -> Value:
        """Return the activations of an input of a node; refuse a constant."""
        name = node.inputs[index]
        if name not in self._values:
            raise self.graph.refuse(node, f"input {name}", None, "must not be a constant")
        return self._values[name]

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

    def view(self, node: Node, value: Value, *, is_flat: bool | None = None) -> Value:
        """Return the output of a node that only renames or flattens a value."""
        alone = value.alone and self.graph.readers[node.outputs[0]] == 1
        return replace(value, alone=alone, is_flat=value.is_flat if is_flat is None else is_flat)

    def layer(
        self,
        node: Node,
        sources: Sequence[Value],
        settings: dict[str, Any],
        floats: LayerFloats | None = None,
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

        Raises
        ------
        InputError
            The settings do not fit the sources.
        """
        name, previous = self._name(node), next(reversed(self.drafts), "input")
        inputs = tuple(source.layer for source in sources)
        settings = {"name": name, **settings} | (
            {} if inputs == (previous,) else {"inputs": inputs}
        )
        config = parse(LayerConfig, settings, f"{self.graph.source}: node {node.name} ({node.op})")
        try:
            shape = ofmap_of(config, [source.shape for source in sources])
        except ValueError as error:
            raise self.graph.refuse(node, "", None, str(error)) from error
        self.drafts[name] = Draft(settings, floats)
        is_flat = config.type == "fc" or (config.type != "conv" and sources[0].is_flat)
        return Value(name, shape, self.graph.readers[node.outputs[0]] == 1, is_flat)

    def _dimensions(self, value: Value) -> NDArray[np.int64]:
        shape = value.shape
        image = [shape.size] if value.is_flat else [shape.channels, shape.height, shape.width]
        return np.array([self.graph.batch, *image], dtype=np.int64)

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
        taken, plain, copy = {"input", *self.drafts}, name, 2
        while name in taken:
            name, copy = f"{plain}_{copy}", copy + 1
        return name
