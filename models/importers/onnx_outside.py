"""Build a network whose other operations run in floating point, beside the array.

A node that is no layer is left in floating point. Where a layer with weights reads what such nodes
give, they become one ``float`` layer, which computes that tensor from activations of layers. Each
node is in one of them: a tensor that two of them need is a layer of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.models.importers import onnx_activations
from hwsim.models.importers.onnx_builder import Builder, Handler
from hwsim.models.importers.onnx_check import drawn, evaluated
from hwsim.models.importers.onnx_functions import COMPOSED
from hwsim.models.importers.onnx_graph import Graph
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_segment import Segment, layout
from hwsim.models.importers.onnx_value import Value

__all__ = ["OutsideBuilder", "settle"]

#: Operations whose output follows from the shape of their input.
_SHAPES = frozenset({"Shape", "Size"})
#: Operations that are layers with weights where their second input is a constant.
_LINEAR = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
#: Those of them that read channels first.
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
#: Operations that are the same on a tensor without a batch axis.
_EACH = frozenset(
    {"Add", "Div", "Gemm", "Identity", "MatMul", "Mul", "Neg", "Sub", COMPOSED}
    | onnx_activations.HANDLERS.keys() - {"PRelu"}
)
#: Operations whose output a layer's activations are in another order: no part of the layer.
_VIEWS = frozenset(
    {
        "Cast", "DepthToSpace", "Dropout", "Flatten", "Gather", "Identity", "Reshape", "Slice",
        "SpaceToDepth", "Split", "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip


def settle(graph: Graph) -> dict[str, NDArray[Any]]:
    """Run a graph on a random input; what follows from shapes alone becomes constant.

    Returns
    -------
    tensors
        Each tensor that is computed of the input, and the inputs, by name.

    Raises
    ------
    InputError
        The evaluator cannot run the graph.
    """
    feed, _ = drawn(graph)
    computed = [node for node in graph.nodes if not graph.is_constant(node)]
    names = [name for node in computed for name in node.outputs if name]
    tensors = feed | evaluated(graph, feed, names)
    for node in computed:
        if node.op in _SHAPES or graph.is_constant(node):
            graph.constants |= {name: tensors[name] for name in node.outputs if name}
    return tensors


class OutsideBuilder(Builder):
    """Walks a graph once, and leaves in floating point what cannot be a layer.

    Parameters
    ----------
    graph
        The graph; a batch of 1.
    handlers
        Handler per operation; nodes of others are left in floating point.
    tensors
        Each tensor of the graph for some input, for its shape and type.
    """

    def __init__(
        self, graph: Graph, handlers: Mapping[str, Handler], tensors: Mapping[str, NDArray[Any]]
    ) -> None:
        super().__init__(graph, handlers)
        self._known = set(handlers)
        self._tensors = dict(tensors)
        #: Tensors that are computed in floating point.
        self._floats: set[str] = set()
        #: Tensors of layers that have no batch axis in the file.
        self._apart = {source.name for source in graph.inputs if source.is_whole}
        self._segments: dict[str, Segment] = {}
        #: Layer whose segment computes a tensor of ``_floats``, and that whose result it is.
        self._owners: dict[str, str] = {}
        self._layers: dict[str, str] = {}
        self._producers = {name: node for node in graph.stored for name in node.outputs if name}
        self._places = {node.outputs[0]: index for index, node in enumerate(graph.stored)}

    def convert(self, node: Node) -> None:
        """Convert a node to a layer where it can be one."""
        read = [name for name in node.inputs if name and name not in self.graph.constants]
        if node.op in self._known and self._is_layer(node, read):
            return
        self._floats.update(filter(None, node.outputs))

    def without_layer(self, output: str) -> None:
        """Make a layer of the graph's output."""
        if output in self._floats:
            self._need(output)

    def graphs(self) -> dict[str, bytes]:
        """What the float layers compute, by name."""
        tensors = self._tensors | self.graph.constants
        return {n: each.serialized(self.graph, tensors) for n, each in self._segments.items()}

    def _is_layer(self, node: Node, read: list[str]) -> bool:
        """Try to convert a node; where that fails nothing has changed."""
        in_float = not self._floats.isdisjoint(read)
        is_linear = node.op in _LINEAR and read == [node.inputs[0]]
        if in_float and not is_linear:
            return False
        if not self._apart.isdisjoint(read) and node.op not in _EACH:
            return False
        if self._try(node, read, make=in_float and read[0] not in self._layers):
            return True
        # a product reads channels where it needs them: another float layer puts them there
        return is_linear and self._try(node, read, make=True)

    def _try(self, node: Node, read: list[str], *, make: bool) -> bool:
        before = self._state()
        try:
            if make:
                self._need(read[0], node)
                self._floats.add(read[0])
            super().convert(node)
        except InputError:
            self._restore(before)
            return False
        if not self._apart.isdisjoint(read):
            self._apart.update(node.outputs)
        return True

    def _need(self, tensor: str, reader: Node | None = None) -> None:
        """Make a layer of a tensor that a node reads; also where there is one of another layout."""
        if tensor in self._owners and tensor not in self._layers:
            self._split(tensor, reader)
        else:
            self._make(tensor, reader)

    def _make(self, tensor: str, reader: Node | None = None, before: str = "") -> None:
        """Make a layer of a tensor, at the end or before another layer."""
        readers = self.graph.readers_of(tensor) if reader is None else [reader]
        full = self._tensors[tensor].shape
        # a tensor that nothing reads is the output, in the order of the file
        is_first = not readers or any(each.op in _CONVOLUTIONS for each in readers)
        laid = layout(full, channels_first=is_first)
        segment = self._slice(Segment(tensor, laid, (), {}), before)
        if not segment.reads:
            raise InputError(
                self.graph.source, f"tensor {tensor}", None, "must depend on the input"
            )
        producer = self._producers.get(tensor)
        name = self._free(self._name(producer)) if producer else self._free(f"{tensor}_rows")
        settings = self._settings(segment)
        like = Value("", laid.shape, False, laid.dims, laid.order)
        alone = self.graph.readers[tensor] == 1
        sources = list(segment.reads.values())
        made = self._layer(name, f"tensor {tensor}", alone, sources, settings, None, like)
        self._keep(name, segment)
        self._layers[tensor] = name
        if len(full) < 2 or full[0] != 1:
            self._apart.add(tensor)
        self._add(tensor, made)
        if before:
            items = list(self.drafts.items())
            place = next(index for index, (each, _) in enumerate(items) if each == before)
            items.insert(place, items.pop())
            self.drafts.clear()
            self.drafts.update(items)

    def _settings(self, segment: Segment) -> dict[str, Any]:
        return {
            "type": "float",
            "inputs": tuple(value.layer for value in segment.reads.values()),
            "ofmap": segment.layout.shape.model_dump(),
            "operations": segment.operations,
            "macs": segment.macs(self._tensors | self.graph.constants),
        }

    def _keep(self, layer: str, segment: Segment) -> None:
        """Store a layer's segment, which computes its tensors from now on."""
        self._segments[layer] = segment
        computed = {name for node in segment.nodes for name in node.outputs if name}
        self._owners |= dict.fromkeys(computed & self._floats, layer)

    def _slice(self, segment: Segment, own: str = "") -> Segment:
        """Complete a segment: the nodes that its tensor depends on, and what these read.

        What the segment of layer ``own`` computes may be computed here instead; what another one
        computes becomes a layer of its own.
        """
        nodes: dict[str, Node] = {}
        reads: dict[str, Value] = {}
        todo, seen = [segment.tensor], set(self.graph.constants)
        while todo:
            tensor = todo.pop()
            if tensor in seen:
                continue
            seen.add(tensor)
            if self._owners.get(tensor, own) != own and tensor not in self._layers:
                self._split(tensor)
            is_result = own != "" and self._layers.get(tensor) == own
            if self._is_read(tensor) and not is_result:
                reads[tensor] = self._values[tensor]
                continue
            node = self._producers[tensor]
            nodes[node.outputs[0]] = node
            todo += filter(None, node.inputs)
        ordered = sorted(nodes, key=self._places.__getitem__)
        return replace(segment, nodes=tuple(nodes[name] for name in ordered), reads=reads)

    def _is_read(self, tensor: str) -> bool:
        """Whether a tensor is activations of a layer as it gives them, rather than a view."""
        value = self._values.get(tensor)
        if value is None or tensor in self._layers:
            return value is not None
        node = self._producers.get(tensor)
        is_view = node is not None and (node.op in _VIEWS or any(value.border) or value.is_integer)
        return not is_view

    def _split(self, tensor: str, reader: Node | None = None) -> None:
        """Make a layer of a tensor that another layer's segment computes."""
        owner = self._owners[tensor]
        self._make(tensor, reader, before=owner)
        segment = self._slice(self._segments[owner], owner)
        self._keep(owner, segment)
        draft = self.drafts[owner]
        draft.settings |= self._settings(segment)
        draft.sources = tuple(segment.reads.values())

    def _state(self) -> tuple[Any, ...]:
        drafts = {n: replace(each, settings=dict(each.settings)) for n, each in self.drafts.items()}
        parts = (
            self._values, self._floats, self._apart, self._segments, self._owners, self._layers
        )  # fmt: skip
        return (drafts, self._input_grid, *(each.copy() for each in parts))

    def _restore(self, state: tuple[Any, ...]) -> None:
        self.drafts, self._input_grid, *parts = state
        (
            self._values, self._floats, self._apart, self._segments, self._owners, self._layers
        ) = parts  # fmt: skip
