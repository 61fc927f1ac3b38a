"""Convert ONNX operations to layers; what only scales, shifts or rectifies joins another layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hwsim.config.limits import name_of
from hwsim.models.importers import (
    onnx_activations,
    onnx_affine,
    onnx_pad,
    onnx_pools,
    onnx_quantized,
    onnx_resize,
    onnx_transposed,
    onnx_views,
    onnx_weights,
)
from hwsim.models.importers.float_model import FloatModel
from hwsim.models.importers.onnx_builder import Builder, Handler
from hwsim.models.importers.onnx_check import check
from hwsim.models.importers.onnx_functions import COMPOSED, compose
from hwsim.models.importers.onnx_graph import NOT_FOLDED, read, unsupported
from hwsim.models.importers.onnx_outside import OutsideBuilder, settle
from hwsim.models.importers.onnx_recurrent import take_out

__all__ = ["load"]


def load(
    path: Path | str,
    size: Sequence[int] | None = None,
    until: Sequence[str] = (),
    *,
    outside: bool = False,
    verbose: bool = False,
) -> FloatModel:
    """Read an ONNX file as a network with its weights, which computes what the file computes.

    Parameters
    ----------
    path
        The ONNX file.
    size
        Axes of the input behind the batch, in the file's order: for a file that leaves some open.
    until
        Tensors that are the outputs in place of the file's: what is computed of them is left out.
    outside
        Leave operations that no layer computes in floating point, as ``float`` layers.
    verbose
        Name every unsupported node, however long the message.

    Raises
    ------
    InputError
        The file cannot be read; nodes are unsupported (one line names them); a node uses a feature
        that the layers here do not have; or a tensor differs from that of ONNX's reference
        evaluator on a random input.
    """
    graph = read(path, size, until, outside=outside)
    if outside:
        unsupported(graph, {node.op for node in graph.nodes} - NOT_FOLDED, verbose=verbose)
        tensors = settle(graph)
        take_out(graph, tensors)
        compose(graph)
        builder: Builder = OutsideBuilder(graph, _HANDLERS, tensors)
    else:
        tensors = None
        compose(graph)
        unsupported(graph, _HANDLERS, verbose=verbose)
        builder = Builder(graph, _HANDLERS)
    model = builder.build(name_of(path, "onnx"))
    check(model, graph, builder.tensors, tensors)
    return model


_HANDLERS: dict[str, Handler] = (
    onnx_activations.HANDLERS
    | onnx_quantized.HANDLERS
    | {
        COMPOSED: onnx_activations.composed,
        "Add": onnx_affine.add,
        "AveragePool": onnx_pools.average_pool,
        "BatchNormalization": onnx_affine.batch_norm,
        "Cast": onnx_views.cast,
        "Concat": onnx_views.concat,
        "Conv": onnx_weights.conv,
        "ConvTranspose": onnx_transposed.conv_transpose,
        "DepthToSpace": onnx_views.view,
        "Div": onnx_affine.divide,
        "Dropout": onnx_views.dropout,
        "Flatten": onnx_views.view,
        "Gather": onnx_views.view,
        "Gemm": onnx_weights.gemm,
        "GlobalAveragePool": onnx_pools.global_pool,
        "GlobalMaxPool": onnx_pools.global_max,
        "Identity": onnx_views.same,
        "LRN": onnx_pools.local_response,
        "MatMul": onnx_weights.matmul,
        "MaxPool": onnx_pools.max_pool,
        "Mul": onnx_affine.multiply,
        "Neg": onnx_affine.negate,
        "Pad": onnx_pad.pad,
        "ReduceMax": onnx_pools.reduce_max,
        "ReduceMean": onnx_pools.reduce_mean,
        "Reshape": onnx_views.view,
        "Resize": onnx_resize.resize,
        "Slice": onnx_views.view,
        "SpaceToDepth": onnx_views.view,
        "Split": onnx_views.view,
        "Squeeze": onnx_views.view,
        "Sub": onnx_affine.subtract,
        "Sum": onnx_affine.add,
        "Transpose": onnx_views.view,
        "Unsqueeze": onnx_views.view,
        "Upsample": onnx_resize.resize,
    }
)
