"""ONNX's reference evaluator, with operations that it computes otherwise than the standard says.

In onnx 1.23 it normalizes a batch by its own statistics in versions 7 to 13 of BatchNormalization,
as in training, takes the wrong weights for the groups of a ConvTranspose, mistakes the sides of
the padding of a MaxPool of stride 1, and normalizes as many channels of an LRN as there are images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.system.reading import reading

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

__all__ = ["evaluator", "stored"]

Array = NDArray[Any]
#: Version of BatchNormalization from which on the evaluator knows inference.
_NORMALIZES = 14
#: Oldest version of DequantizeLinear that it has.
_DEQUANTIZES = 19
#: Version from which on training is another output, not an attribute.
_INFERS = 7


def evaluator(model: ModelProto | str, opset: int) -> ReferenceEvaluator:
    """Evaluator of a model.

    Parameters
    ----------
    model
        The model, or the path of one.
    opset
        Version of ONNX's operations in it.
    """
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun
    from onnx.reference.ops import op_conv_transpose, op_dequantize_linear, op_max_pool

    def operation(name: str, base: Any, run: Callable[..., Any]) -> type[OpRun]:
        return type(name, (base,), {"op_domain": "", "_run": run})

    dequantize, pool = op_dequantize_linear._CommonDequantizeLinear, op_max_pool.MaxPool
    operations = [
        operation("ConvTranspose", OpRun, _transposed_by(op_conv_transpose.ConvTranspose._run)),
        operation("LRN", OpRun, _local_response),
        operation("MaxPool", pool, _max_pool),
    ]
    if opset < _DEQUANTIZES:
        # as of version 19, whose meaning older ones have
        operations.append(operation("DequantizeLinear", dequantize, dequantize._run))
    if _INFERS <= opset < _NORMALIZES:
        operations.append(operation("BatchNormalization", OpRun, _batch_normalization))
    return ReferenceEvaluator(model, new_ops=operations)


def stored(graph: bytes) -> ReferenceEvaluator:
    """Evaluator of a model that a checkpoint holds.

    Raises
    ------
    InputError
        It is damaged, reads other files, or the evaluator does not have its operations.
    """
    from onnx import ModelProto, TensorProto

    with reading("float layer", "must be a model of ONNX that its reference evaluator runs"):
        model = ModelProto.FromString(graph)
        if any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model)):
            raise InputError("float layer", "graph", None, "must not read other files")
        return evaluator(model, model.opset_import[0].version)


def _tensors(model: ModelProto) -> list[TensorProto]:
    """Tensors that a model holds, but for those of graphs inside its nodes."""
    own = [each.t for node in model.graph.node for each in node.attribute if each.HasField("t")]
    return [*model.graph.initializer, *own]


def _batch_normalization(
    self: OpRun, x: Array, scale: Array, bias: Array, mean: Array, var: Array, **attributes: Any
) -> tuple[Array]:
    """Normalize by given statistics."""
    along = (-1, *[1] * (x.ndim - 2))
    scale, bias, mean, var = (each.reshape(along) for each in (scale, bias, mean, var))
    epsilon = attributes.get("epsilon") or 1e-5
    return ((scale * (x - mean) / np.sqrt(var + epsilon) + bias).astype(x.dtype),)


def _transposed_by(own: Callable[..., tuple[Array]]) -> Callable[..., tuple[Array]]:
    """Transposed convolution, group by group, of the evaluator's own, which is right for one."""

    def run(
        self: OpRun, x: Array, w: Array, b: Array | None = None, **attributes: Any
    ) -> tuple[Array]:
        groups = attributes.pop("group", None) or 1
        biases = [None] * groups if b is None else np.split(b, groups)
        parts = [
            own(self, *operands, group=1, **attributes)[0]
            for operands in zip(np.split(x, groups, 1), np.split(w, groups), biases, strict=True)
        ]
        return (np.concatenate(parts, axis=1),)

    return run


def _local_response(self: OpRun, x: Array, **attributes: Any) -> tuple[Array]:
    """Normalize over neighbouring channels."""
    size = attributes["size"]
    alpha, beta, bias = (
        default if attributes.get(key) is None else attributes[key]
        for key, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    squares = np.square(x.astype(np.float64))
    sums = np.zeros_like(squares)
    for channel in range(x.shape[1]):
        first = max(0, channel - (size - 1) // 2)
        sums[:, channel] = squares[:, first : channel + size // 2 + 1].sum(axis=1)
    return ((x / (bias + alpha / size * sums) ** beta).astype(x.dtype),)


def _max_pool(self: Any, x: Array, **attributes: Any) -> tuple[Array, ...]:
    """Pool with padding that may differ by side: computed as the evaluator does with strides."""
    keys = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order")
    given = {key: attributes.get(key) for key in (*keys, "strides")}
    found: tuple[Array, ...] = self._max_pool(x, **given)
    return found
