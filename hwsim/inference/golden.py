"""The reference that every array is held to: integer inference of a network, layer by layer.

Widths are those of :class:`hwsim.config.NumberConfig`; by default activations have 8 bits and
partial sums 32. The bias is added in the accumulator, which wraps; then the sum is requantized with
the scale of its channel (:func:`hwsim.fixedpoint.requantize`), and ReLU and max-pool follow. Layers
that sum or join (``add``, ``concat``, average pools) scale each input to the scale of their output
(:class:`hwsim.checkpoints.checkpoint.Rescale`), products (``mul``) the product of theirs; the
function of an ``activation`` is a table of 256 activations, one for each that it may read.
Max-pools and layers that only move activations give integers that they read. A ``float`` layer is
computed in floating point: its activations are real numbers in steps of its scale, which another
such layer reads as they are, and any other rounded and saturated. The logits are the
last layer's ``psum + bias``, or its activations where it has no weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint, LayerWeights, Rescale
from hwsim.config import LayerConfig, LayerShape, NetworkConfig, NumberConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import check_range, requantize, wrap
from hwsim.workload import float_graph
from hwsim.workload.local_response import square_shift, square_sums
from hwsim.workload.lowering import inside, lower_act, lower_weight, raise_ofmap, windows
from hwsim.workload.rearrange import rearranged

__all__ = [
    "NUMBERS",
    "Trace",
    "accuracy",
    "add_bias",
    "gemm",
    "input_act",
    "layer_act",
    "layer_sums",
    "logits",
    "looked_up",
    "max_pool",
    "requantized",
    "rescaled",
    "run",
]

#: Widths that the scales of every checkpoint here are computed for.
NUMBERS = NumberConfig()

Ints = NDArray[np.integer]
#: Activations of a layer: integers, or real numbers in steps of a ``float`` layer's scale.
Acts = NDArray[Any]


@dataclass(frozen=True)
class Trace:
    """Operands and results of the ``conv`` and ``fc`` layers of a run, by layer name, in order.

    Attributes
    ----------
    ifmap
        ``(images, C, H, W)`` activations that the layer reads: int8, or int16 where ``act_width``
        is above 8.
    psum
        ``(M, N)`` per group, before the bias: what the array's ``ofmap`` stream must carry. int32,
        or int64 where ``psum_width`` is above 32.
    logits
        ``(images, classes)``, of the partial sums' dtype: what the last layer gives.
    outputs
        The same of each of the network's outputs: whole sums of a layer with weights that no layer
        reads, activations of others.
    """

    ifmap: dict[str, Ints]
    psum: dict[str, list[Ints]]
    logits: Ints
    outputs: dict[str, Ints]


def input_act(
    images: NDArray[np.uint8] | NDArray[np.floating],
    scale: float = INPUT_SCALE,
    act_width: int = NUMBERS.act_width,
) -> Ints:
    """Turn images into activations, rounded and saturated.

    Parameters
    ----------
    images
        ``(images, H, W)``, which gains a channel axis, or ``(images, C, H, W)``. uint8 pixels
        0..255 stand for 0..1; real values are the input of the float network.
    scale
        Real value of one integer step. At the default, pixels become 0..127.
    act_width
        Bits of an activation.

    Returns
    -------
    (images, C, H, W) int8, or int16 where ``act_width`` is above 8
    """
    real = images / 255.0 if images.dtype == np.uint8 else images
    half = 1 << (act_width - 1)
    act: Ints = np.clip(np.rint(real / scale), -half, half - 1).astype(_act_dtype(act_width))
    return act if act.ndim == 4 else act[:, None]


def run(
    network: NetworkConfig, checkpoint: Checkpoint, images: Ints, numbers: NumberConfig = NUMBERS
) -> Trace:
    """Infer all images at once and keep the operands and results of every layer with weights.

    Parameters
    ----------
    network, checkpoint
        The network and its integers.
    images
        ``(images, C, H, W)`` integers of ``act_width`` bits.
    numbers
        Widths of activations and partial sums. The scales of a checkpoint are computed for
        ``NUMBERS``: with narrower activations more of them saturate.

    Raises
    ------
    InputError
        The checkpoint is another network's, or lacks the scales of a layer that sums; the images
        have another shape or more than ``act_width`` bits; or activations are binary, which have
        no scale.
    """
    network.must_chain(network.name)
    checkpoint.check(network)
    shapes = network.shapes()
    _check_images(network, images, numbers)
    act_width, psum_width = numbers.act_width, numbers.psum_width
    acts: dict[str, Acts] = {"input": images.astype(_act_dtype(act_width), copy=False)}
    ifmaps: dict[str, Ints] = {}
    psums: dict[str, list[Ints]] = {}
    previous, taken = "input", network.taken
    outputs: dict[str, Ints] = dict.fromkeys(network.ends, images)
    for shape in shapes:
        layer = shape.layer
        sources = [acts[name] for name in layer.inputs or (previous,)]
        if shape.has_weights:
            weights = checkpoint.layers[layer.name]
            ifmaps[layer.name] = act = _integers(sources[0], act_width)
            psums[layer.name] = _psums(shape, weights, act, psum_width)
            psum = raise_ofmap(shape, psums[layer.name], len(images))
            whole = add_bias(psum, weights.bias, psum_width)
            acts[layer.name] = requantized(layer, weights, whole, act_width)
        else:
            acts[layer.name] = _pooled_or_joined(shape, checkpoint, sources, act_width)
        if layer.name in outputs:
            own: Ints = _integers(acts[layer.name], act_width).astype(_psum_dtype(psum_width))
            given = whole if shape.has_weights and layer.name not in taken else own
            outputs[layer.name] = given.reshape(len(images), shape.ofmap.size)
        previous = layer.name
    return Trace(ifmaps, psums, outputs[previous], outputs)


def layer_sums(
    shape: LayerShape, weights: LayerWeights, ifmap: Acts, numbers: NumberConfig = NUMBERS
) -> Ints:
    """Sums of one ``conv`` or ``fc`` layer, with its bias.

    Parameters
    ----------
    shape, weights
        The layer and its integers.
    ifmap
        ``(images, C, H, W)`` activations.
    numbers
        As of :func:`run`.

    Returns
    -------
    (images, M, P, Q) int32, or int64 where ``psum_width`` is above 32
    """
    act = _integers(ifmap, numbers.act_width)
    matrices = _psums(shape, weights, act, numbers.psum_width)
    return add_bias(raise_ofmap(shape, matrices, len(ifmap)), weights.bias, numbers.psum_width)


def layer_act(
    shape: LayerShape,
    checkpoint: Checkpoint,
    sources: Sequence[Acts],
    numbers: NumberConfig = NUMBERS,
) -> Acts:
    """Activations of one layer.

    Parameters
    ----------
    shape, checkpoint
        The layer, and the integers of its network.
    sources
        ``(images, C, H, W)`` activations of each input.
    numbers
        As of :func:`run`.

    Returns
    -------
    (images, M, P, Q) int8, or int16 where ``act_width`` is above 8; float32 of a ``float`` layer

    Raises
    ------
    InputError
        The checkpoint lacks the layer's scales, table or graph.
    """
    layer = shape.layer
    if not shape.has_weights:
        return _pooled_or_joined(shape, checkpoint, sources, numbers.act_width)
    weights = checkpoint.layers[layer.name]
    return requantized(
        layer, weights, layer_sums(shape, weights, sources[0], numbers), numbers.act_width
    )


def requantized(
    layer: LayerConfig, weights: LayerWeights, total: Ints, act_width: int = NUMBERS.act_width
) -> Ints:
    """Activations ``(images, M, P, Q)`` of a layer with weights, from its :func:`layer_sums`."""
    return requantize(
        total.astype(np.int64),
        weights.multipliers[:, None, None],
        weights.shifts[:, None, None],
        act_width,
        layer.relu,
    ).astype(_act_dtype(act_width))


def logits(
    network: NetworkConfig,
    checkpoint: Checkpoint,
    images: Ints,
    batch: int = 100,
    numbers: NumberConfig = NUMBERS,
) -> Ints:
    """Infer any number of images.

    Parameters
    ----------
    network, checkpoint, images, numbers
        As of :func:`run`.
    batch
        Images that are inferred at once, which bounds the memory.

    Returns
    -------
    (images, classes) int32, or int64 where ``psum_width`` is above 32

    Raises
    ------
    InputError
        As of :func:`run`.
    """
    parts = [run(network, checkpoint, chunk, numbers).logits for chunk in _chunks(images, batch)]
    return np.concatenate(parts)


def accuracy(
    network: NetworkConfig,
    checkpoint: Checkpoint,
    images: NDArray[np.uint8] | NDArray[np.floating],
    labels: NDArray[np.integer],
    numbers: NumberConfig = NUMBERS,
) -> float:
    """Compute the fraction of the images whose largest logit, the first of equals, is the label's.

    Parameters
    ----------
    network, checkpoint, numbers
        As of :func:`run`.
    images
        As of :func:`input_act`; they are scaled by the checkpoint's ``input_scale``.
    labels
        ``(images,)`` class numbers.

    Raises
    ------
    InputError
        As of :func:`run`.
    """
    act = input_act(images, checkpoint.input_scale, numbers.act_width)
    classes = logits(network, checkpoint, act, numbers=numbers).argmax(axis=1)
    return int(np.count_nonzero(classes == labels)) / len(labels)


def gemm(weight: Ints, act: Ints, psum_width: int = NUMBERS.psum_width) -> NDArray[np.int64]:
    """Multiply ``(M, K)`` by ``(K, N)`` integers exactly; the sums wrap to ``psum_width`` bits.

    The operands may have up to 16 bits and K up to 2**21: floating-point BLAS is exact while every
    partial sum stays below the significand, and several times faster than integer loops.

    Parameters
    ----------
    weight, act
        ``(M, K)`` and ``(K, N)``.
    psum_width
        Bits of a partial sum, two's complement.

    Returns
    -------
    (M, N) int64

    Raises
    ------
    ValueError
        A sum may exceed what double precision holds exactly.
    """
    bound = _magnitude(weight) * _magnitude(act) * weight.shape[1]
    if bound >= 1 << 53:
        raise ValueError(f"a sum may reach {bound}, beyond exact double precision")
    exact = np.float32 if bound < 1 << 24 else np.float64
    psum = (weight.astype(exact) @ act.astype(exact)).astype(np.int64)
    return psum if bound < 1 << (psum_width - 1) else wrap(psum, psum_width)


def add_bias(psum: Ints, bias: Ints, psum_width: int = NUMBERS.psum_width) -> Ints:
    """Add a bias per channel, wrapping as the accumulator does.

    Parameters
    ----------
    psum
        ``(images, M, P, Q)``.
    bias
        ``(M,)``.
    psum_width
        Bits of a partial sum, two's complement.

    Returns
    -------
    (images, M, P, Q) int32, or int64 where ``psum_width`` is above 32
    """
    total = psum.astype(np.int64) + bias.astype(np.int64)[:, None, None]
    return wrap(total, psum_width).astype(_psum_dtype(psum_width))


def max_pool(shape: LayerShape, ifmap: Ints) -> Ints:
    """Keep the largest activation of each window; padding never wins.

    Parameters
    ----------
    shape
        A ``maxpool`` layer.
    ifmap
        ``(images, C, H, W)``.

    Returns
    -------
    (images, C, P, Q) of the ifmap's dtype
    """
    fill = int(np.iinfo(ifmap.dtype).min)
    pooled: Ints = windows(shape, ifmap, fill=fill).max(axis=(4, 5))
    return pooled


def rescaled(
    shape: LayerShape,
    rescale: Rescale,
    sources: Sequence[Ints],
    act_width: int = NUMBERS.act_width,
) -> Ints:
    """Combine the inputs of an ``add``, ``mul``, ``concat``, ``lrn`` or average pool; padding is 0.

    An average pool in which padding does not count (``count_include_pad``) has a larger multiplier
    for each window with fewer pixels inside.

    Parameters
    ----------
    shape
        The layer.
    rescale
        Multiplier of each input (of a ``mul`` one for the product, of an ``lrn`` one for each step
        of the sum of squares), and the shift of the result.
    sources
        ``(images, C, H, W)`` activations per input.
    act_width
        Bits of an activation.

    Returns
    -------
    (images, M, P, Q) int8, or int16 where ``act_width`` is above 8
    """
    layer = shape.layer
    if layer.type == "mul":
        left, right = (act.astype(np.int64) for act in sources)
        total = left * right * rescale.multipliers[0]
    elif layer.type == "lrn":
        act = sources[0].astype(np.int64)
        step = square_sums(layer, act) >> square_shift(layer)
        total = act * np.array(rescale.multipliers, np.int64)[step]
    elif layer.joins:
        pairs = zip(sources, rescale.multipliers, strict=True)
        scaled = [act.astype(np.int64) * multiplier for act, multiplier in pairs]
        total = np.concatenate(scaled, 1) if layer.type == "concat" else np.add.reduce(scaled)
    elif layer.type == "globalavgpool":
        total = sources[0].sum(axis=(2, 3), dtype=np.int64, keepdims=True) * rescale.multipliers[0]
    else:
        taps = windows(shape, sources[0], fill=0)
        total = taps.sum(axis=(4, 5), dtype=np.int64) * _pool_multipliers(shape, rescale)
    act = requantize(total, 1, rescale.shift, act_width, layer.relu)
    return act.astype(_act_dtype(act_width))


def looked_up(table: NDArray[np.int8], act: Ints, act_width: int = NUMBERS.act_width) -> Ints:
    """Look each activation up in the table of an ``activation`` layer.

    Parameters
    ----------
    table
        ``(256,)``: results for -128 to 127; or ``(C, 256)``: those of each channel.
    act
        Activations of any shape; ``(images, C, H, W)`` where channels have tables of their own.
    act_width
        Bits of an activation, at most 8; narrower results saturate.

    Returns
    -------
    int8 array of the same shape
    """
    half = 1 << (act_width - 1)
    index = act.astype(np.int64) + table.shape[-1] // 2
    result = table[np.arange(len(table))[:, None, None], index] if table.ndim == 2 else table[index]
    found: Ints = np.clip(result, -half, half - 1)
    return found


def _pool_multipliers(shape: LayerShape, rescale: Rescale) -> NDArray[np.int64]:
    """Multiplier of each window of an average pool, ``(P, Q)`` or one.

    Where padding does not count, a window with ``n`` pixels inside has the multiplier of a whole
    one times ``R * S / n``, rounded half up.
    """
    (multiplier,) = rescale.multipliers
    if shape.layer.count_include_pad:
        return np.array(multiplier, np.int64)
    pixels = inside(shape)
    return (2 * multiplier * shape.R * shape.S + pixels) // (2 * pixels)


def _check_images(network: NetworkConfig, images: Ints, numbers: NumberConfig) -> None:
    if numbers.act_width == 1:
        rule = "must be at least 2: binary activations have no scale"
        raise InputError("inference", "numbers.act_width", numbers.act_width, rule)
    expected = (network.input.channels, network.input.height, network.input.width)
    if images.shape[1:] != expected:
        rule = f"must have shape {expected} for {network.name}"
        raise InputError("images", "shape", images.shape[1:], rule)
    check_range("images", "act", images, numbers.act_width)


def _integers(act: Acts, act_width: int) -> Ints:
    """Activations as the array reads them: those of a ``float`` layer rounded and saturated."""
    if act.dtype.kind != "f":
        return act
    half = 1 << (act_width - 1)
    rounded: Ints = np.clip(np.rint(act), -half, half - 1).astype(_act_dtype(act_width))
    return rounded


def _in_float(shape: LayerShape, checkpoint: Checkpoint, sources: Sequence[Acts]) -> Acts:
    """Activations of a ``float`` layer, in steps of its scale."""
    name = shape.layer.name
    if name not in checkpoint.graphs:
        rule = "must be given: the operations of a float layer"
        raise InputError(checkpoint.source, f"{name}.graph", None, rule)
    own = checkpoint.graphs[name]
    real = [
        act.astype(np.float32) * np.float32(scale)
        for act, scale in zip(sources, own.input_scales, strict=True)
    ]
    found = float_graph.run(own.graph, real)
    expected = (len(real[0]), shape.ofmap.channels, shape.ofmap.height, shape.ofmap.width)
    if found.shape != expected:
        rule = f"must give the shape {expected} of its layer"
        raise InputError(checkpoint.source, f"{name}.graph", found.shape, rule)
    return found / np.float32(own.scale)


def _pooled_or_joined(
    shape: LayerShape, checkpoint: Checkpoint, given: Sequence[Acts], act_width: int
) -> Acts:
    layer = shape.layer
    if layer.type == "float":
        return _in_float(shape, checkpoint, given)
    sources = [_integers(act, act_width) for act in given]
    if layer.keeps_scale:
        is_pool = layer.type == "maxpool"
        kept = max_pool(shape, sources[0]) if is_pool else rearranged(layer, sources[0])
        return np.maximum(kept, 0) if layer.relu else kept
    if layer.type == "activation":
        if layer.name not in checkpoint.tables:
            rule = f"must be given: the table of {layer.function}"
            raise InputError(checkpoint.source, f"{layer.name}.table", None, rule)
        if act_width > NUMBERS.act_width:
            rule = f"must be at most {NUMBERS.act_width}: {layer.name} looks up 8-bit activations"
            raise InputError("inference", "numbers.act_width", act_width, rule)
        return looked_up(checkpoint.tables[layer.name], sources[0], act_width)
    if layer.name not in checkpoint.rescales:
        rule = f"must be given: how {layer.type} layers scale what they sum"
        raise InputError(checkpoint.source, f"rescales.{layer.name}", None, rule)
    return rescaled(shape, checkpoint.rescales[layer.name], sources, act_width)


def _psums(shape: LayerShape, weights: LayerWeights, ifmap: Ints, psum_width: int) -> list[Ints]:
    dtype = _psum_dtype(psum_width)
    pairs = zip(lower_weight(shape, weights.weight), lower_act(shape, ifmap), strict=True)
    return [gemm(weight, act, psum_width).astype(dtype) for weight, act in pairs]


def _act_dtype(act_width: int) -> type[np.int8] | type[np.int16]:
    return np.int8 if act_width <= 8 else np.int16


def _psum_dtype(psum_width: int) -> type[np.int32] | type[np.int64]:
    return np.int32 if psum_width <= 32 else np.int64


def _magnitude(values: Ints) -> int:
    # not abs(): -128 has no positive int8
    return max(abs(int(values.min())), abs(int(values.max()))) if values.size else 0


def _chunks(images: Ints, batch: int) -> Iterator[Ints]:
    # no images still make one empty chunk, so that the result has its shape
    for begin in range(0, max(1, len(images)), batch):
        yield images[begin : begin + batch]
