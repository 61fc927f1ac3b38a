"""The reference every array is held to: integer inference of a network, layer by layer.

int8 activations, n-bit weights, int32 partial sums, bias added in the accumulator, requantize
(:func:`hwsim.fixedpoint.requantize`), ReLU, max-pool. The last layer's ``psum + bias`` are the
logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoint import Checkpoint, LayerWeights
from hwsim.config import LayerShape, NetworkConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import requantize, wrap
from hwsim.lowering import lower_act, lower_weight, raise_ofmap, windows

__all__ = [
    "Trace",
    "accuracy",
    "add_bias",
    "gemm",
    "input_act",
    "logits",
    "max_pool",
    "run",
]

_ACT_WIDTH, _PSUM_WIDTH = 8, 32


@dataclass(frozen=True)
class Trace:
    """What the ``conv`` and ``fc`` layers of a run saw and produced, by layer name, in order.

    ``ifmap``: int8 ``(images, C, H, W)``. ``psum``: int32 ``(M, N)``, one a group, before the bias,
    which is what the array's ``ofmap`` stream must carry. ``logits``: int32 ``(images, classes)``.
    """

    ifmap: dict[str, NDArray[np.int8]]
    psum: dict[str, list[NDArray[np.int32]]]
    logits: NDArray[np.int32]


def input_act(images: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Turn pixels 0..255 into activations 0..127; ``(images, H, W)`` gains a channel axis."""
    act = (images.astype(np.int32) * 127 + 127) // 255
    return act.astype(np.int8) if act.ndim == 4 else act.astype(np.int8)[:, None]


def run(network: NetworkConfig, checkpoint: Checkpoint, images: NDArray[np.int8]) -> Trace:
    """Infer all ``images``, int8 ``(n, C, H, W)``, at once and keep what every layer saw.

    Raises
    ------
    InputError
        The checkpoint is another network's, or a layer has no integer model.
    """
    checkpoint.check(network)
    shapes = network.shapes()
    expected = (network.input.channels, network.input.height, network.input.width)
    if images.shape[1:] != expected:
        rule = f"must have shape {expected} for {network.name}"
        raise InputError("images", "shape", images.shape[1:], rule)
    known: dict[str, NDArray[np.int8]] = {"input": images}
    ifmaps: dict[str, NDArray[np.int8]] = {}
    psums: dict[str, list[NDArray[np.int32]]] = {}
    previous, last = "input", np.zeros(0, dtype=np.int32)
    for shape in shapes:
        layer = shape.layer
        ifmap = known[layer.inputs[0] if layer.inputs else previous]
        if shape.has_weights:
            weights = checkpoint.layers[layer.name]
            ifmaps[layer.name] = ifmap
            psums[layer.name] = _psums(shape, weights, ifmap)
            last = add_bias(raise_ofmap(shape, psums[layer.name], len(ifmap)), weights.bias)
            known[layer.name] = requantize(
                last.astype(np.int64), weights.multiplier, weights.shift, _ACT_WIDTH, layer.relu
            ).astype(np.int8)
        elif layer.type == "maxpool":
            known[layer.name] = max_pool(shape, ifmap)
        else:
            rule = "has no integer model: must be conv, fc or maxpool"
            raise InputError(network.name, f"layers.{layer.name}.type", layer.type, rule)
        previous = layer.name
    if not shapes[-1].has_weights:
        rule = "must be conv or fc: the last layer gives the logits"
        raise InputError(network.name, f"layers.{previous}.type", shapes[-1].layer.type, rule)
    return Trace(ifmaps, psums, last.reshape(len(images), shapes[-1].ofmap.size))


def logits(
    network: NetworkConfig, checkpoint: Checkpoint, images: NDArray[np.int8], batch: int = 100
) -> NDArray[np.int32]:
    """Infer any number of images, ``batch`` at a time to bound the memory."""
    parts = [run(network, checkpoint, chunk).logits for chunk in _chunks(images, batch)]
    return np.concatenate(parts)


def accuracy(
    network: NetworkConfig,
    checkpoint: Checkpoint,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
) -> float:
    """Fraction of the images whose largest logit, the first of equals, is the label's."""
    found = logits(network, checkpoint, input_act(images)).argmax(axis=1)
    return int(np.count_nonzero(found == labels)) / len(labels)


def gemm(
    weight: NDArray[np.integer], act: NDArray[np.integer], psum_width: int = _PSUM_WIDTH
) -> NDArray[np.int64]:
    """Multiply ``(M, K)`` by ``(K, N)`` integers exactly; the sums wrap to ``psum_width`` bits.

    The operands may have up to 16 bits and K up to 2**21: floating-point BLAS is exact while every
    partial sum stays below the significand, and several times faster than integer loops.
    """
    bound = _magnitude(weight) * _magnitude(act) * weight.shape[1]
    if bound >= 1 << 53:
        raise ValueError(f"a sum may reach {bound}, beyond exact double precision")
    exact = np.float32 if bound < 1 << 24 else np.float64
    psum = (weight.astype(exact) @ act.astype(exact)).astype(np.int64)
    return psum if bound < 1 << (psum_width - 1) else wrap(psum, psum_width)


def add_bias(psum: NDArray[np.int32], bias: NDArray[np.int32]) -> NDArray[np.int32]:
    """Add one bias a channel to ``(images, M, P, Q)``, wrapping as the accumulator does."""
    total = psum.astype(np.int64) + bias.astype(np.int64)[:, None, None]
    return wrap(total, _PSUM_WIDTH).astype(np.int32)


def max_pool(shape: LayerShape, ifmap: NDArray[np.int8]) -> NDArray[np.int8]:
    """Keep each window's largest activation; padding never wins."""
    pooled: NDArray[np.int8] = windows(shape, ifmap, fill=-128).max(axis=(4, 5))
    return pooled


def _psums(
    shape: LayerShape, weights: LayerWeights, ifmap: NDArray[np.int8]
) -> list[NDArray[np.int32]]:
    pairs = zip(lower_weight(shape, weights.weight), lower_act(shape, ifmap), strict=True)
    return [gemm(weight, act).astype(np.int32) for weight, act in pairs]


def _magnitude(values: NDArray[np.integer]) -> int:
    # not abs(): -128 has no positive int8
    return max(abs(int(values.min())), abs(int(values.max()))) if values.size else 0


def _chunks(images: NDArray[np.int8], batch: int) -> Iterator[NDArray[np.int8]]:
    # no images still make one empty chunk, so that the result has its shape
    for begin in range(0, max(1, len(images)), batch):
        yield images[begin : begin + batch]
