"""Parts of an ONNX graph that run in floating point, each as a graph of its own.

A segment computes one tensor from tensors that are activations of layers. It reads them as the
layers hold them, ``(1, C, H, W)``, and gives its own in the same way.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from hwsim.config import TensorShape
from hwsim.models.importers.onnx_graph import Graph
from hwsim.models.importers.onnx_macs import macs
from hwsim.models.importers.onnx_node import Node
from hwsim.models.importers.onnx_value import Value

__all__ = ["Layout", "Segment", "layout"]

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Layout:
    """How a tensor lies in the activations of a layer: ``dims`` and ``order`` as of a Value."""

    shape: TensorShape
    dims: tuple[int, ...]
    order: NDArray[np.int64] | None


@dataclass(frozen=True)
class Segment:
    """One tensor, the nodes that compute it in order, and what these read: values by tensor."""

    tensor: str
    layout: Layout
    nodes: tuple[Node, ...]
    reads: Mapping[str, Value]

    @property
    def operations(self) -> tuple[str, ...]:
        """What the nodes do; of none, that values are put into another order."""
        return tuple(node.op for node in self.nodes) or ("Transpose",)

    def macs(self, tensors: Mapping[str, Array]) -> int:
        """Multiply-accumulates of its nodes, of tensors of these shapes."""
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        return sum(macs(node, shapes) for node in self.nodes)

    def serialized(self, graph: Graph, tensors: Mapping[str, Array]) -> bytes:
        """Graph of its own, as of :func:`hwsim.workload.float_graph.run`.

        Parameters
        ----------
        graph
            The graph that it is part of, whose constants it holds.
        tensors
            Each tensor of it for some input, for its shape and type.
        """
        own = _Parts()
        inputs = []
        for index, (name, value) in enumerate(self.reads.items()):
            inputs.append(helper.make_tensor_value_info(f"in{index}", TensorProto.FLOAT, None))
            _enter(own, f"in{index}", name, value, tensors[name])
        needed = {name for node in self.nodes for name in node.inputs}
        for name in sorted(needed & graph.constants.keys()):
            own.constants.append(numpy_helper.from_array(graph.constants[name], name))
        own.nodes += [node.proto for node in self.nodes]
        _leave(own, self.tensor, self.layout)
        output = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
        part = helper.make_graph(own.nodes, "segment", inputs, [output], own.constants)
        model = helper.make_model(
            part, opset_imports=graph.model.opset_import, ir_version=graph.model.ir_version
        )
        stored: bytes = model.SerializeToString(deterministic=True)
        return stored


def layout(full: tuple[int, ...], *, channels_first: bool) -> Layout:
    """Lay a tensor of any shape out as activations.

    Parameters
    ----------
    full
        Its shape in the file; a first axis of 1 is the batch.
    channels_first
        Whether channels are its first axis behind the batch, as convolutions read them; else its
        last one, as products do.
    """
    dims = full[1:] if len(full) > 1 and full[0] == 1 else full or (1,)
    if len(dims) == 1:
        return Layout(TensorShape(channels=dims[0]), dims, None)
    if channels_first:
        shape = TensorShape(channels=dims[0], height=math.prod(dims[1:-1]), width=dims[-1])
        return Layout(shape, dims, None)
    shape = TensorShape(channels=dims[-1], height=math.prod(dims[:-2]), width=dims[-2])
    order = np.arange(shape.size).reshape(shape.channels, -1).T.reshape(dims)
    return Layout(shape, dims, order)


class _Parts:
    """Nodes and constants of a graph that is being made."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._named: Counter[str] = Counter()

    def add(self, op: str, *inputs: str | Array, out: str = "", **attributes: Any) -> str:
        """Add a node, whose arrays become constants; return its output."""
        names = [each if isinstance(each, str) else self._stored(each) for each in inputs]
        out = out or self._name(op)
        self.nodes.append(helper.make_node(op, names, [out], **attributes))
        return out

    def _stored(self, array: Array) -> str:
        self.constants.append(numpy_helper.from_array(array, self._name("constant")))
        return self.constants[-1].name

    def _name(self, what: str) -> str:
        self._named[what] += 1
        return f"hwsim/{what}_{self._named[what]}"


def _enter(own: _Parts, source: str, tensor: str, value: Value, real: Array) -> None:
    """Make a tensor of the file of a layer's activations."""
    found, shape = source, value.shape
    if value.affine is not None:
        found = own.add("Mul", found, value.affine.scale[None].astype(np.float32))
        found = own.add("Add", found, value.affine.shift[None].astype(np.float32))
    # channels last, as rows have them
    last = np.arange(shape.size).reshape(shape.channels, -1).T.reshape(-1)
    order = value.indices.reshape(-1)
    if value.order is not None and np.array_equal(order, last):
        found = own.add("Transpose", found, perm=[0, 2, 3, 1])
    elif value.order is not None:
        found = own.add("Reshape", found, np.array([-1]))
        found = own.add("Gather", found, order)
    found = own.add("Reshape", found, np.array(real.shape, np.int64))
    own.add("Cast", found, out=tensor, to=helper.np_dtype_to_tensor_dtype(real.dtype))


def _leave(own: _Parts, tensor: str, layout: Layout) -> None:
    """Give a tensor of the file as a layer's activations."""
    shape = layout.shape
    found = own.add("Cast", tensor, to=TensorProto.FLOAT)
    if layout.order is not None:
        sizes = np.array([1, shape.height, shape.width, shape.channels])
        found = own.add("Reshape", found, sizes)
        own.add("Transpose", found, out="out", perm=[0, 3, 1, 2])
    else:
        sizes = np.array([1, shape.channels, shape.height, shape.width])
        own.add("Reshape", found, sizes, out="out")
