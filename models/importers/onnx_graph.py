"""Read and check an ONNX file: nodes in order without dead ones, and constants by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import checker, helper, inliner, numpy_helper
from onnx.external_data_helper import (
    ExternalDataInfo,
    load_external_data_for_model,
    uses_external_data,
)
from onnx.reference import ReferenceEvaluator

from hwsim.config import TensorShape
from hwsim.errors import InputError
from hwsim.models.importers.onnx_inputs import Source, read_inputs
from hwsim.models.importers.onnx_node import Node

__all__ = ["HEADS", "NOT_FOLDED", "VIEWS", "Graph", "needed", "read", "unsupported"]

Array = NDArray[Any]

#: Operations that are not computed from constants: random ones, and those with graphs inside.
NOT_FOLDED = frozenset(
    {
        "Bernoulli", "If", "Loop", "Multinomial", "RandomNormal", "RandomNormalLike",
        "RandomUniform", "RandomUniformLike", "Scan",
    }
)  # fmt: skip
#: Operations that are left out at the end: the largest value stays the largest.
HEADS = frozenset({"ArgMax", "LogSoftmax", "Sigmoid", "Softmax"})
#: Operations whose output holds values of their input, in another shape or order.
VIEWS = frozenset(
    {
        "Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
#: Oldest versions that the evaluator has, of operations that mean the same in older ones.
_SINCE = {"DequantizeLinear": 19, "QuantizeLinear": 19}
#: What a user may do about operations of ONNX that no layer computes.
_BESIDE = " (hwsim import --outside float runs them beside the array)"
#: Longest message, nodes of an operation that it names, and the longest name there.
_LONGEST, _NAMED, _NAME = 600, 3, 60


@dataclass
class Graph:
    """A network's operations, from its inputs to its outputs.

    ``constants`` are the stored tensors, to which folding adds. ``readers`` counts the readers of
    each tensor, of which an output has one more. ``heads`` are operations at the end that are left
    out. The inputs hold a batch of ``(C, H, W)`` images of ``input_shape``.
    """

    source: Path
    remark: str
    model: onnx.ModelProto
    opset: int
    inputs: tuple[Source, ...]
    input_shape: TensorShape
    batch: int
    outputs: tuple[str, ...]
    nodes: list[Node]
    constants: dict[str, Array]
    heads: tuple[Node, ...] = ()
    #: Nodes of the file, where ``nodes`` has others in their place.
    stored: tuple[Node, ...] = ()
    #: Files beside this one that hold its tensors.
    files: tuple[str, ...] = ()
    readers: Counter[str] = field(default_factory=Counter)

    def is_constant(self, node: Node) -> bool:
        """Whether a node can be computed from constants."""
        return node.op not in NOT_FOLDED and all(
            name in self.constants for name in node.inputs if name
        )

    def producer(self, tensor: str) -> Node | None:
        """Node that gives a tensor; ``None`` of what is stored or put in."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def readers_of(self, tensor: str) -> list[Node]:
        """Nodes that read a tensor."""
        return [node for node in self.nodes if tensor in node.inputs]

    def refuse(self, node: Node, key: str, value: object, rule: str) -> InputError:
        """Build the error for one node; the caller raises it."""
        where = f"node {node.name} ({node.op})"
        return InputError(self.source, f"{where}: {key}" if key else where, value, rule)

    def count_readers(self) -> None:
        """Count who reads each tensor."""
        self.readers = Counter(name for node in self.nodes for name in node.inputs)
        self.readers.update(self.outputs)

    def fold_all(self) -> None:
        """Compute all nodes whose inputs are constants; they stay in the graph.

        Raises
        ------
        InputError
            A node cannot be computed.
        """
        for node in self.nodes:
            if self.is_constant(node):
                self.fold(node)

    def fold(self, node: Node) -> None:
        """Compute a node whose inputs are constants, and add its outputs to ``constants``.

        Raises
        ------
        InputError
            The node cannot be computed.
        """
        inputs = {name: self.constants[name] for name in node.inputs if name}
        self.constants.update(self.computed(node, inputs))

    def computed(self, node: Node, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute a node from its inputs, with ONNX's reference evaluator.

        Parameters
        ----------
        node
            The node.
        inputs
            Array of each of its inputs, by name.

        Returns
        -------
        outputs
            By name.

        Raises
        ------
        InputError
            The node cannot be computed.
        """
        names = [name for name in node.outputs if name]
        graph = helper.make_graph(
            [node.proto],
            "one",
            [helper.make_tensor_value_info(name, 0, None) for name in inputs],
            [helper.make_tensor_value_info(name, 0, None) for name in names],
        )
        try:
            with np.errstate(all="ignore"):
                opset = max(self.opset, _SINCE.get(node.op, 0))
                found = ReferenceEvaluator(graph, opsets={"": opset}).run(None, dict(inputs))
        except Exception as error:  # the evaluator raises whatever NumPy does
            reason = str(error).partition("\n")[0][:300]
            raise self.refuse(node, "", None, f"cannot be computed: {reason}") from error
        return {name: np.asarray(array) for name, array in zip(names, found, strict=True)}


def read(
    path: Path | str,
    size: Sequence[int] | None = None,
    until: Sequence[str] = (),
    *,
    outside: bool = False,
) -> Graph:
    """Read and check a file.

    Parameters
    ----------
    path
        The ONNX file.
    size
        Axes of the input behind the batch, in the file's order: for a file that leaves some open.
    until
        Tensors that are the outputs in place of the file's: what is computed of them is left out.
    outside
        As of :func:`hwsim.models.importers.onnx_inputs.read_inputs`.

    Raises
    ------
    InputError
        The file is not ONNX, not valid, or not a network with inputs of known sizes.
    """
    path = Path(path)
    model, files = _model(path)
    graph = model.graph
    constants = {tensor.name: _array(path, tensor) for tensor in graph.initializer}
    if graph.sparse_initializer:
        raise InputError(path, "sparse_initializer", None, "must be stored as dense tensors")
    every = [_node(proto) for proto in graph.node]
    outputs = _outputs(path, model, every, until)
    nodes = needed(every, outputs)
    heads: list[Node] = []
    for index, output in enumerate(() if until else outputs):
        others = [each for place, each in enumerate(outputs) if place != index]
        tail = _heads(needed(nodes, outputs), output, others)
        if tail:
            heads += tail
            outputs[index] = tail[0].inputs[0]
    # what such an operation reads may be an output as well
    outputs = list(dict.fromkeys(outputs))
    nodes = needed(nodes, outputs)
    # an input that no output needs does not matter
    read = {name for node in nodes for name in node.inputs}.union(outputs)
    inputs = [value for value in graph.input if value.name in read - constants.keys()]
    readers = {value.name: [n for n in nodes if value.name in n.inputs] for value in inputs}
    batch, shape, sources = read_inputs(path, inputs, readers, size, outside=outside)
    producer = f"{model.producer_name} {model.producer_version}".strip()
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    remark = f"opset {opset}, by {producer}" if producer else f"opset {opset}"
    left_out = [node.op for node in heads if node.op in HEADS]
    if left_out:
        remark += f", without {' and '.join(left_out)} at the end"
    if until:
        remark += f", {len(nodes)} of its {len(every)} nodes, until {' and '.join(until)}"
    found = Graph(
        path, remark, model, opset, sources, shape, batch, tuple(outputs), nodes, constants,
        tuple(heads), tuple(nodes), files,
    )  # fmt: skip
    found.count_readers()
    found.fold_all()
    return found


def _model(path: Path) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Read the model and what it stores beside the file; return also the names of those files."""
    try:
        model = onnx.load(path, load_external_data=False)
        stored = [*model.graph.initializer]
        stored += [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
        files = {
            str(path.parent / ExternalDataInfo(tensor).location)
            for tensor in stored
            if uses_external_data(tensor)
        }
        load_external_data_for_model(model, str(path.parent))
        for output in model.graph.output:
            # what an unknown operation gives has no shape, for which the checker would refuse it
            output.type.tensor_type.shape.SetInParent()
        checker.check_model(model)
        if model.functions:
            model = inliner.inline_local_functions(model)
    except OSError as error:
        raise InputError(path, "", None, f"cannot be read: {error.strerror or error}") from error
    except (DecodeError, ValueError, checker.ValidationError) as error:
        reason = str(error).partition("\n")[0][:300]
        raise InputError(path, "", None, f"must be a valid ONNX file: {reason}") from error
    return model, tuple(sorted(files))


def _array(path: Path, tensor: onnx.TensorProto) -> Array:
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise InputError(path, tensor.name, None, f"cannot be read: {error}") from error


def _node(proto: onnx.NodeProto) -> Node:
    op = f"{proto.domain}.{proto.op_type}" if proto.domain not in ("", "ai.onnx") else proto.op_type
    attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    name = proto.name or next((name for name in proto.output if name), "?")
    # graphs inside a node read tensors of the graph around them by name
    inside = sorted(set().union(*(_captured(a.g) for a in proto.attribute if a.HasField("g"))))
    inputs = (*proto.input, *(each for each in inside if each not in proto.input))
    return Node(name, op, inputs, tuple(proto.output), attributes, proto)


def _captured(graph: onnx.GraphProto) -> set[str]:
    """Tensors that a graph inside a node reads of those around it."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own.update(name for node in graph.node for name in node.output)
    read = {value.name for value in graph.output}
    for node in graph.node:
        read.update(node.input)
        read.update(*(_captured(a.g) for a in node.attribute if a.HasField("g")))
    return read - own - {""}


def needed(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """List the nodes that outputs depend on, in the order given, which is topological."""
    tensors, kept = set(outputs), []
    for node in reversed(nodes):
        if tensors.intersection(node.outputs):
            tensors.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _outputs(
    path: Path, model: onnx.ModelProto, nodes: Sequence[Node], until: Sequence[str]
) -> list[str]:
    """Names of the outputs: the file's, or the tensors that are asked for."""
    known = {name for node in nodes for name in node.outputs}
    for name in until:
        if name not in known:
            rule = "must be a tensor that a node of the file gives"
            raise InputError(path, "--until", name, rule)
    outputs = list(until) or [value.name for value in model.graph.output]
    if not outputs:
        raise InputError(path, "graph", None, "must have an output")
    return outputs


def _heads(nodes: Sequence[Node], output: str, others: Sequence[str]) -> tuple[Node, ...]:
    """Nodes before an output from the first of :data:`HEADS` on, of which nothing else is read.

    ``others`` are outputs too.
    """
    producers = {name: node for node in nodes for name in node.outputs}
    readers = Counter(name for node in nodes for name in node.inputs)
    readers.update(others)
    tail: list[Node] = []
    while output in producers and not readers[output]:
        node = producers[output]
        if node.outputs[0] != output or node.op not in HEADS | VIEWS:
            break
        tail.append(node)
        output = node.inputs[0]
        readers.subtract(node.inputs)
    tail.reverse()
    first = next((index for index, node in enumerate(tail) if node.op in HEADS), len(tail))
    return tuple(tail[first:])


def unsupported(graph: Graph, handled: Collection[str], *, verbose: bool = False) -> None:
    """Refuse a graph with operations that are neither handled nor computed from constants.

    Parameters
    ----------
    graph
        The graph.
    handled
        Names of operations.
    verbose
        Name every node, however long the line.

    Raises
    ------
    InputError
        One line with every such operation, the number of its nodes and the names of the first of
        them: the most frequent operations first, as many as 600 characters hold.
    """
    constant = set(graph.constants)
    names_by_op: dict[str, list[str]] = {}
    for node in graph.nodes:
        inputs = set(filter(None, node.inputs))
        if node.op == "Shape" or (node.op not in NOT_FOLDED and constant >= inputs):
            constant.update(node.outputs)
        elif node.op not in handled:
            names_by_op.setdefault(node.op, []).append(node.name)
    if not names_by_op:
        return
    by_count = sorted(names_by_op.items(), key=lambda item: -len(item[1]))
    kinds = [
        _listed(op, names, len(names))
        if verbose
        else _listed(_short(op), [_short(name) for name in names], _NAMED)
        for op, names in by_count
    ]
    line, more = f"unsupported nodes: {'; '.join(kinds)}", ""
    room = _LONGEST - len(f"{graph.source}: ") - len(_BESIDE)
    shown = len(kinds)
    while not verbose and len(line) + len(more) > room and shown > 1:
        shown -= 1
        line = f"unsupported nodes: {'; '.join(kinds[:shown])}"
        more = f"; {len(kinds) - shown} more operations (--verbose lists all)"
    known = not any("." in op or op in NOT_FOLDED for op, _ in by_count)
    raise InputError(graph.source, "", None, line + more + (_BESIDE if known else ""))


def _listed(op: str, names: Sequence[str], count: int) -> str:
    shown = [*names[:count], *(["..."] if len(names) > count else [])]
    return f"{op} x {len(names)} ({', '.join(shown)})"


def _short(name: str) -> str:
    """End of a long name, which says more than its beginning."""
    return name if len(name) <= _NAME else f"...{name[3 - _NAME :]}"
