"""Recognize activation functions that a file composes of several operations.

SiLU is ``x * Sigmoid(x)`` in most files, GELU five operations around Erf. An operation whose
operands are all functions of one tensor is a function of that tensor; it is computed for some
values and compared with the functions that a layer may have, times any factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from hwsim.config import LayerConfig
from hwsim.config.activation import FUNCTIONS, Function
from hwsim.models.importers.onnx_graph import Graph, needed
from hwsim.models.importers.onnx_node import Node
from hwsim.workload.activation import activate

__all__ = ["COMPOSED", "compose"]

#: Operation of a node, none of ONNX, that stands for a function: ``function`` times ``factor``.
COMPOSED = "Activation"
#: Operations on each value by itself.
_ELEMENTWISE = frozenset(
    {
        "Abs", "Add", "Clip", "Div", "Elu", "Erf", "Exp", "HardSigmoid", "Identity", "LeakyRelu",
        "Log", "Max", "Min", "Mul", "Neg", "Pow", "Reciprocal", "Relu", "Selu", "Sigmoid",
        "Softplus", "Softsign", "Sqrt", "Sub", "Tanh",
    }
)  # fmt: skip
#: Those of them that have several operands.
_JOINS = frozenset({"Add", "Div", "Max", "Min", "Mul", "Sub"})
#: Functions without parameters.
_PLAIN: tuple[Function, ...] = tuple(
    name for name in FUNCTIONS if name not in ("celu", "clip", "elu", "hardsigmoid", "leaky_relu")
)
#: Values on which functions are compared, and the largest difference, of the largest result.
_PROBES = np.concatenate([np.linspace(-12, 12, 241), np.linspace(-1, 1, 33)]).astype(np.float32)
_TOLERANCE = 1e-5


def compose(graph: Graph) -> None:
    """Replace composed functions by one node each, where a layer has such a function.

    Parameters
    ----------
    graph
        The graph, whose constants are folded; its nodes are replaced.
    """
    producers = {name: node for node in graph.nodes for name in node.outputs}
    nodes = list(graph.nodes)
    for index, node in enumerate(nodes):
        if node.op not in _JOINS or len(_tensors(graph, node)) < 2:
            continue
        region = _region(graph, producers, node)
        found = region and _recognized(graph, *region)
        if region and found:
            name, factor = found
            attributes = {"function": name, "factor": factor}
            inputs = (region[0],)
            nodes[index] = replace(node, op=COMPOSED, inputs=inputs, attributes=attributes)
            producers[node.outputs[0]] = nodes[index]
    graph.nodes = needed(nodes, graph.outputs)
    graph.count_readers()


def _tensors(graph: Graph, node: Node) -> list[str]:
    """Operands of a node that are no constants."""
    return [name for name in node.inputs if name and name not in graph.constants]


def _region(
    graph: Graph, producers: Mapping[str, Node], end: Node
) -> tuple[str, list[Node]] | None:
    """The last tensor of which a node's output is a function by itself, and the nodes between."""
    order = {node.outputs[0]: index for index, node in enumerate(graph.nodes)}
    inside, open_tensors = {end.outputs[0]}, set(_tensors(graph, end))
    while len(open_tensors) > 1:
        # the tensor that is computed last cannot be what all others are computed of
        last = max(open_tensors, key=lambda name: order.get(name, -1))
        node = producers.get(last)
        if node is None or node.op not in _ELEMENTWISE or not _is_scalar(graph, node):
            return None
        inside.add(last)
        open_tensors.remove(last)
        open_tensors.update(_tensors(graph, node))
    if not open_tensors or not _is_scalar(graph, end):
        return None
    return open_tensors.pop(), [node for node in graph.nodes if node.outputs[0] in inside]


def _is_scalar(graph: Graph, node: Node) -> bool:
    """Whether all constants of a node are single numbers."""
    known = [graph.constants[name] for name in node.inputs if name in graph.constants]
    return all(constant.size == 1 for constant in known)


def _recognized(graph: Graph, root: str, nodes: Sequence[Node]) -> tuple[Function, float] | None:
    """Function that nodes compute of a tensor, and the factor before it."""
    results = _computed(graph, root, nodes)
    if results is None:
        return None
    for name in _PLAIN:
        layer = LayerConfig(name="function", type="activation", function=name)
        with np.errstate(all="ignore"):
            expected = activate(layer, _PROBES.astype(np.float64))
        factor = float(results @ expected) / float(expected @ expected)
        error = np.abs(results - factor * expected).max()
        if factor and error <= _TOLERANCE * np.abs(results).max():
            return name, factor
    return None


def _computed(graph: Graph, root: str, nodes: Sequence[Node]) -> NDArray[np.float64] | None:
    """Results of nodes for all probes; ``None`` where they cannot be computed or are not finite."""
    stored = {name for node in nodes for name in node.inputs if name in graph.constants}
    part = helper.make_graph(
        [node.proto for node in nodes],
        "function",
        [helper.make_tensor_value_info(root, 1, None)],
        [helper.make_tensor_value_info(nodes[-1].outputs[0], 0, None)],
        [numpy_helper.from_array(graph.constants[name], name) for name in sorted(stored)],
    )
    try:
        with np.errstate(all="ignore"):
            evaluator = ReferenceEvaluator(part, opsets={"": graph.opset})
            (found,) = evaluator.run(None, {root: _PROBES})
    except Exception:  # the evaluator raises whatever NumPy does: other handlers will refuse it
        return None
    results: NDArray[np.float64] = np.asarray(found, dtype=np.float64).ravel()
    is_usable = results.shape == _PROBES.shape and np.isfinite(results).all() and results.any()
    return results if is_usable else None
