"""The reference every array is held to: integer inference of a network, layer by layer.

int8 activations, n-bit weights, int32 partial sums, bias added in the accumulator, requantize
(:func:`hwsim.fixedpoint.requantize`), ReLU, max-pool. Layers that sum or join (``add``, ``concat``,
average pools) scale each input to the common scale of what they give
(:class:`hwsim.checkpoints.checkpoint.Rescale`). The last layer's ``psum + bias`` are the logits, or
its activations where it has no weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint, LayerWeights, Rescale
from hwsim.config import LayerShape, NetworkConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import requantize, wrap
from hwsim.workload.lowering import lower_act, lower_weight, raise_ofmap, windows

__all__ = [
    "Trace",
    "accuracy",
    "add_bias",
    "gemm",
    "input_act",
    "logits",
    "max_pool",
    "rescaled",
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


def input_act(
    images: NDArray[np.uint8] | NDArray[np.floating], scale: float = INPUT_SCALE
) -> NDArray[np.int8]:
    """Turn images into activations of ``scale``; ``(images, H, W)`` gains a channel axis.

    Pixels 0..255 stand for 0..1, and become 0..127 at the default scale. Real values are what the
    float network takes.
    """
    real = images / 255.0 if images.dtype == np.uint8 else images
    act = np.clip(np.rint(real / scale), -128, 127).astype(np.int8)
    return act if act.ndim == 4 else act[:, None]


def run(network: NetworkConfig, checkpoint: Checkpoint, images: NDArray[np.int8]) -> Trace:
    """Infer all ``images``, int8 ``(n, C, H, W)``, at once and keep what every layer saw.

    Raises
    ------
    InputError
        The checkpoint is another network's, or does not say how a layer sums.
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
        sources = [known[name] for name in layer.inputs or (previous,)]
        if shape.has_weights:
            weights = checkpoint.layers[layer.name]
            ifmaps[layer.name] = sources[0]
            psums[layer.name] = _psums(shape, weights, sources[0])
            last = add_bias(raise_ofmap(shape, psums[layer.name], len(images)), weights.bias)
            known[layer.name] = requantize(
                last.astype(np.int64), weights.multiplier, weights.shift, _ACT_WIDTH, layer.relu
            ).astype(np.int8)
        else:
            known[layer.name] = _pooled_or_joined(shape, checkpoint, sources)
            last = known[layer.name].astype(np.int32)
        previous = layer.name
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
    act = input_act(images, checkpoint.input_scale)
    found = logits(network, checkpoint, act).argmax(axis=1)
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


def rescaled(
    shape: LayerShape, rescale: Rescale, sources: Sequence[NDArray[np.int8]]
) -> NDArray[np.int8]:
    """Sum or join the inputs of an ``add``, ``concat`` or average pool; padding counts as 0."""
    layer = shape.layer
    if layer.joins:
        pairs = zip(sources, rescale.multipliers, strict=True)
        scaled = [act.astype(np.int64) * multiplier for act, multiplier in pairs]
        total = np.concatenate(scaled, 1) if layer.type == "concat" else np.add.reduce(scaled)
    elif layer.type == "globalavgpool":
        total = sources[0].sum(axis=(2, 3), dtype=np.int64, keepdims=True) * rescale.multipliers[0]
    else:
        taps = windows(shape, sources[0], fill=0)
        total = taps.sum(axis=(4, 5), dtype=np.int64) * rescale.multipliers[0]
    return requantize(total, 1, rescale.shift, _ACT_WIDTH, layer.relu).astype(np.int8)


def _pooled_or_joined(
    shape: LayerShape, checkpoint: Checkpoint, sources: Sequence[NDArray[np.int8]]
) -> NDArray[np.int8]:
    layer = shape.layer
    if layer.type == "maxpool":
        pooled = max_pool(shape, sources[0])
        return np.maximum(pooled, 0) if layer.relu else pooled
    if layer.name not in checkpoint.rescales:
        rule = f"must be given: how {layer.type} layers scale what they sum"
        raise InputError(checkpoint.source, f"rescales.{layer.name}", None, rule)
    return rescaled(shape, checkpoint.rescales[layer.name], sources)


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
