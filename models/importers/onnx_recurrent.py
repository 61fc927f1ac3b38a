"""Take the products of a recurrent layer's input out of it: they are a linear layer of rows.

An LSTM multiplies each step's input by constant weights, and its own state by others. The former
need no state: one product of all steps, which the array computes. What is left of the node reads
these products in place of its input, with weights that choose the ones of its direction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from hwsim.models.importers.onnx_graph import Graph
from hwsim.models.importers.onnx_macs import FED, RECURRENT
from hwsim.models.importers.onnx_node import Node

__all__ = ["take_out"]


def take_out(graph: Graph, tensors: dict[str, NDArray[Any]]) -> None:
    """Replace each recurrent node with constant weights by a product and one that reads it.

    Parameters
    ----------
    graph
        The graph; its nodes and constants are replaced.
    tensors
        Each tensor for some input, to which the products are added.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        is_constant = node.op in RECURRENT and node.inputs[1] in graph.constants
        nodes += _parts(graph, tensors, node) if is_constant else [node]
    graph.nodes, graph.stored = nodes, tuple(nodes)
    graph.count_readers()


def _parts(graph: Graph, tensors: dict[str, NDArray[Any]], node: Node) -> list[Node]:
    """The product of the input with the weights of all directions, and the rest."""
    # (directions, gates x state, values)
    weight = graph.constants[node.inputs[1]]
    gates, all_gates = weight.shape[1], weight.shape[0] * weight.shape[1]
    columns, product = f"{node.name}/weights", f"{node.name}/products"
    chosen = f"{node.name}/directions"
    graph.constants[columns] = weight.reshape(all_gates, -1).T.copy()
    graph.constants[chosen] = np.eye(all_gates, dtype=weight.dtype).reshape(-1, gates, all_gates)
    tensors[product] = tensors[node.inputs[0]] @ graph.constants[columns]
    return [
        _node(Node(product, "MatMul", (node.inputs[0], columns), (product,), {}, node.proto)),
        _node(
            replace(
                node,
                inputs=(product, chosen, *node.inputs[2:]),
                attributes=node.attributes | {FED: True},
            )
        ),
    ]


def _node(node: Node) -> Node:
    """Node with a proto of its own."""
    own = node.proto.attribute if node.op == node.proto.op_type else ()
    proto = helper.make_node(node.op, node.inputs, node.outputs, node.name)
    proto.attribute.extend(own)
    return replace(node, proto=proto)
