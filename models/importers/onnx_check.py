"""Hold an imported network to ONNX's reference evaluator, tensor by tensor."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hwsim.errors import InputError
from hwsim.models.importers.float_model import FloatModel
from hwsim.models.importers.onnx_graph import Graph
from hwsim.models.importers.onnx_value import Value
from hwsim.workload.onnx_reference import evaluator

__all__ = ["check", "drawn", "evaluated"]

#: Largest difference, as a fraction of a tensor's largest value, by the bytes of its type: other
#: orders of summing differ by 1e-6 in single precision, forgotten operations by much more.
_TOLERANCE = {2: 3e-2, 4: 1e-4, 8: 1e-4}
#: The same where the file rounds activations: a value between two integers may become either.
_ROUNDED = 3e-2


def check(
    model: FloatModel,
    graph: Graph,
    tensors: Mapping[str, tuple[str, Value]],
    known: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Compare a network with its file on one random input.

    Parameters
    ----------
    model
        The network.
    graph
        What it was made of.
    tensors
        By layer, a tensor of the graph that is its activations, and how it views them.
    known
        What the evaluator gives of the same input, where it has run.

    Raises
    ------
    InputError
        A tensor differs, the first in the order of the layers; or the evaluator cannot run the
        file.
    """
    feed, images = drawn(graph)
    expected = known or evaluated(graph, feed, [tensor for tensor, _ in tensors.values()])
    with np.errstate(all="ignore"):
        _compare(model, graph.source, tensors, expected, images)


def _compare(
    model: FloatModel,
    source: Path,
    tensors: Mapping[str, tuple[str, Value]],
    expected: Mapping[str, NDArray[np.floating]],
    images: NDArray[np.float32],
) -> None:
    """Refuse the first tensor that differs."""
    for layer, act in model.activations(images):
        if layer not in tensors:
            continue
        tensor, value = tensors[layer]
        found = act.reshape(len(act), -1)[:, value.indices.reshape(-1)]
        reference = expected[tensor]
        where = f"tensor {tensor} (layer {layer})"
        if reference.size != found.size:
            rule = f"has shape {reference.shape} in the file, {(len(act), *value.dims)} here"
            raise InputError(source, where, None, rule)
        real = reference.reshape(found.shape).astype(np.float64)
        scale = float(np.abs(real).max())
        error = float(np.abs(found - real).max())
        # not <=: what is not a number differs
        tolerance = _ROUNDED if model.grids else _TOLERANCE[reference.dtype.itemsize]
        if not error <= tolerance * scale:
            rule = (
                f"differs from ONNX's reference evaluator by {error:.3g}, "
                f"of values up to {scale:.3g}"
            )
            raise InputError(source, where, None, rule)


def drawn(graph: Graph) -> tuple[dict[str, NDArray[Any]], NDArray[np.float32]]:
    """Random inputs: as the file takes them, and as images ``(n, C, H, W)``."""
    rng, size, batch = np.random.default_rng(0), graph.input_shape, graph.batch
    images = np.zeros((batch, size.size), np.float32)
    feed = {}
    for source in graph.inputs:
        dtype, sizes = helper.tensor_dtype_to_np_dtype(source.type), (batch, source.order.size)
        if dtype == np.uint8:
            values = rng.integers(0, 256, sizes).astype(dtype)
            real = values.astype(np.float32) / np.float32(255)
        else:
            values = rng.standard_normal(sizes).astype(dtype)
            real = values.astype(np.float32)
        images[:, source.order.reshape(-1)] = real
        feed[source.name] = values.reshape(source.axes(batch))
    return feed, images.reshape(batch, size.channels, size.height, size.width)


def evaluated(
    graph: Graph, feed: Mapping[str, NDArray[Any]], tensors: list[str]
) -> dict[str, NDArray[np.floating]]:
    """Tensors that ONNX's evaluator computes, by name."""
    model = graph.model
    nodes = [node for node in graph.stored if not graph.is_constant(node)]
    protos = [node.proto for node in nodes]
    read = {name for node in nodes for name in node.inputs}
    constants = [
        numpy_helper.from_array(graph.constants[name], name)
        for name in sorted(read & graph.constants.keys())
    ]
    part = helper.make_graph(
        protos,
        "checked",
        [helper.make_tensor_value_info(each.name, each.type, None) for each in graph.inputs],
        [helper.make_tensor_value_info(name, 0, None) for name in tensors],
        constants,
    )
    whole = helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = evaluator(whole, graph.opset).run(None, dict(feed))
    except Exception as error:  # the evaluator raises whatever NumPy does
        reason = str(error).partition("\n")[0][:300]
        rule = f"cannot be run by ONNX's reference evaluator: {reason}"
        raise InputError(graph.source, "graph", None, rule) from error
    return dict(zip(tensors, found, strict=True))
