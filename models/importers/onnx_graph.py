"""Read and check an ONNX file: nodes in order without dead ones, and constants by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from hwsim.config import TensorShape
from hwsim.errors import InputError

__all__ = ["FOLDED", "Graph", "Node", "read"]

Array = NDArray[Any]

#: Operations that are computed immediately where all inputs are constant: weights stored in another
#: form, and the shape arithmetic that exporters emit before a Reshape.
FOLDED = frozenset(
    {
        "Cast", "Concat", "Constant", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Slice",
        "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One operation; ``name`` is the node's, or its output's where the node has none."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    proto: onnx.NodeProto


@dataclass
class Graph:
    """A network's operations, from its only input to its only output.

    ``constants`` are the stored tensors, to which folding adds. ``readers`` counts the readers of
    each tensor.
    """

    source: Path
    remark: str
    opset: int
    input: str
    input_shape: TensorShape
    batch: int
    output: str
    nodes: list[Node]
    constants: dict[str, Array]
    readers: Counter[str] = field(default_factory=Counter)
    #: Whether the input is ``(N, C)``.
    is_flat: bool = False

    def is_constant(self, node: Node) -> bool:
        """Whether a node can be computed from constants."""
        return node.op in FOLDED and all(name in self.constants for name in node.inputs if name)

    def refuse(self, node: Node, key: str, value: object, rule: str) -> InputError:
        """Build the error for one node; the caller raises it."""
        where = f"node {node.name} ({node.op})"
        return InputError(self.source, f"{where}: {key}" if key else where, value, rule)

    def fold(self, node: Node) -> None:
        """Compute a node whose inputs are constants, and add its output to ``constants``.

        Raises
        ------
        InputError
            The node cannot be computed.
        """
        inputs = {name: self.constants[name] for name in node.inputs if name}
        graph = helper.make_graph(
            [node.proto],
            "fold",
            [helper.make_tensor_value_info(name, 0, None) for name in inputs],
            [helper.make_tensor_value_info(node.outputs[0], 0, None)],
        )
        try:
            (value,) = ReferenceEvaluator(graph, opsets={"": self.opset}).run(None, inputs)
        except Exception as error:  # the evaluator raises whatever NumPy does
            raise self.refuse(node, "", None, f"cannot be computed: {error}") from error
        self.constants[node.outputs[0]] = np.asarray(value)


def read(path: Path | str) -> Graph:
    """Read and check a file.

    Parameters
    ----------
    path
        The ONNX file.

    Raises
    ------
    InputError
        The file is not ONNX, not valid, or not a network with one image input ``(N, C, H, W)`` and
        one output.
    """
    path = Path(path)
    model = _model(path)
    graph = model.graph
    constants = {tensor.name: _array(path, tensor) for tensor in graph.initializer}
    if graph.sparse_initializer:
        raise InputError(path, "sparse_initializer", None, "must be stored as dense tensors")
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        rule = f"must have one input and one output, not {len(inputs)} and {len(graph.output)}"
        raise InputError(path, "graph", None, rule)
    batch, shape, is_flat = _shape(path, inputs[0])
    nodes = _needed([_node(proto) for proto in graph.node], graph.output[0].name)
    readers = Counter(name for node in nodes for name in node.inputs)
    producer = f"{model.producer_name} {model.producer_version}".strip()
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    remark = f"opset {opset}, by {producer}" if producer else f"opset {opset}"
    return Graph(
        path, remark, opset, inputs[0].name, shape, batch, graph.output[0].name, nodes, constants,
        readers, is_flat,
    )  # fmt: skip


def _model(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(path)
        checker.check_model(model)
    except OSError as error:
        raise InputError(path, "", None, f"cannot be read: {error.strerror or error}") from error
    except (DecodeError, ValueError, checker.ValidationError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(path, "", None, f"must be a valid ONNX file: {reason}") from error
    return model


def _array(path: Path, tensor: onnx.TensorProto) -> Array:
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise InputError(path, tensor.name, None, f"cannot be read: {error}") from error


def _node(proto: onnx.NodeProto) -> Node:
    op = f"{proto.domain}.{proto.op_type}" if proto.domain not in ("", "ai.onnx") else proto.op_type
    attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    name = proto.name or next((name for name in proto.output if name), "?")
    return Node(name, op, tuple(proto.input), tuple(proto.output), attributes, proto)


def _needed(nodes: Sequence[Node], output: str) -> list[Node]:
    """List the nodes that the output depends on, in the file's order, which is topological."""
    needed, kept = {output}, []
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _shape(path: Path, value: onnx.ValueInfoProto) -> tuple[int, TensorShape, bool]:
    """Return batch (1 where it is not fixed), shape of the image, and whether it has two axes."""
    dims = [
        dim.dim_value if dim.HasField("dim_value") else None
        for dim in value.type.tensor_type.shape.dim
    ]
    rule = "must be (N, C, H, W) with C, H and W fixed: export it for one image size"
    if len(dims) not in (2, 4) or not all(dims[1:]):
        raise InputError(path, f"input {value.name}.shape", dims, rule)
    sizes = dict(zip(("channels", "height", "width"), dims[1:], strict=False))
    try:
        return dims[0] or 1, TensorShape.model_validate(sizes), len(dims) == 2
    except ValueError as error:
        raise InputError(path, f"input {value.name}.shape", dims, rule) from error


def unsupported(graph: Graph, handled: Collection[str]) -> None:
    """Refuse a graph with operations that are neither handled nor computed from constants.

    Parameters
    ----------
    graph
        The graph.
    handled
        Names of operations.

    Raises
    ------
    InputError
        One line that lists every such operation with the number and the names of its nodes.
    """
    constant = set(graph.constants)
    names_by_op: dict[str, list[str]] = {}
    for node in graph.nodes:
        is_shape = node.op == "Shape"
        if node.op in FOLDED and (is_shape or constant.issuperset(filter(None, node.inputs))):
            constant.update(node.outputs)
        elif node.op not in handled:
            names_by_op.setdefault(node.op, []).append(node.name)
    if names_by_op:
        listed = "; ".join(
            f"{op} x {len(names)} ({', '.join(names)})" for op, names in names_by_op.items()
        )
        raise InputError(graph.source, "", None, f"unsupported nodes: {listed}")
