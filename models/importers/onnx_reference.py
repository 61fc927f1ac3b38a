"""ONNX's reference evaluator, with operations that it computes otherwise than the standard says.

In onnx 1.23 it normalizes a batch by its own statistics in versions 7 to 13 of BatchNormalization,
as in training, takes the wrong weights for the groups of a ConvTranspose, mistakes the sides of
the padding of a MaxPool of stride 1, and normalizes as many channels of an LRN as there are images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_conv_transpose, op_dequantize_linear, op_max_pool

__all__ = ["evaluator"]

Array = NDArray[Any]
#: Version of BatchNormalization from which on the evaluator knows inference.
_NORMALIZES = 14
#: Oldest version of DequantizeLinear that it has.
_DEQUANTIZES = 19
#: Version from which on training is another output, not an attribute.
_INFERS = 7


#: The evaluator's own, which is right for one group.
_TRANSPOSED: Callable[..., tuple[Array]] = op_conv_transpose.ConvTranspose._run


class BatchNormalization(OpRun):
    """A normalization by given statistics."""

    op_domain = ""

    def _run(
        self, x: Array, scale: Array, bias: Array, mean: Array, var: Array, **attributes: Any
    ) -> tuple[Array]:
        along = (-1, *[1] * (x.ndim - 2))
        scale, bias, mean, var = (each.reshape(along) for each in (scale, bias, mean, var))
        epsilon = attributes.get("epsilon") or 1e-5
        return ((scale * (x - mean) / np.sqrt(var + epsilon) + bias).astype(x.dtype),)


class ConvTranspose(OpRun):
    """A transposed convolution, group by group."""

    op_domain = ""

    def _run(self, x: Array, w: Array, b: Array | None = None, **attributes: Any) -> tuple[Array]:
        groups = attributes.pop("group", None) or 1
        biases = [None] * groups if b is None else np.split(b, groups)
        parts = [
            _TRANSPOSED(self, *operands, group=1, **attributes)[0]
            for operands in zip(np.split(x, groups, 1), np.split(w, groups), biases, strict=True)
        ]
        return (np.concatenate(parts, axis=1),)


class DequantizeLinear(op_dequantize_linear._CommonDequantizeLinear):
    """As of version 19, whose meaning older ones have."""

    op_domain = ""


class LRN(OpRun):
    """A normalization over neighbouring channels."""

    op_domain = ""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array]:
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


class MaxPool(op_max_pool.MaxPool):
    """A pool whose padding may differ by side: computed as the evaluator does with strides."""

    op_domain = ""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array, ...]:  # type: ignore[override]
        keys = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order")
        given = {key: attributes.get(key) for key in (*keys, "strides")}
        found: tuple[Array, ...] = self._max_pool(x, **given)  # type: ignore[no-untyped-call]
        return found


def evaluator(model: Any, opset: int) -> ReferenceEvaluator:
    """Evaluator of a model.

    Parameters
    ----------
    model
        The model.
    opset
        Version of ONNX's operations in it.
    """
    operations: list[type[OpRun]] = [ConvTranspose, LRN, MaxPool]
    if opset < _DEQUANTIZES:
        operations.append(DequantizeLinear)
    if _INFERS <= opset < _NORMALIZES:
        operations.append(BatchNormalization)
    return ReferenceEvaluator(model, new_ops=operations)
