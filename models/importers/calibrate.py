"""Quantize real weights into a checkpoint, and measure how well the integers agree.

Weights become integers of 8 bits, or fewer where that is asked for, with one scale per output
channel, of the least squared error (:func:`hwsim.models.quantization.scales.scales_of`); those of a
layer that no other reads, whose partial sums are compared with each other, have one scale.
Activations become 8-bit integers with one scale per tensor. Their ranges are measured by running
the float network on images (:class:`hwsim.models.importers.ranges.Ranges`). Biases are then
corrected for what rounding shifts on average (Nagel et al., ICCV 2019, section 4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.beside import FloatGraph
from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint, LayerWeights, Rescale
from hwsim.config import LayerConfig, LayerShape
from hwsim.errors import InputError
from hwsim.inference import golden, saturation
from hwsim.models.importers.bias_correction import corrected
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.models.importers.ranges import Ranges
from hwsim.models.quantization.scales import averaged, fixed_point, rescale, scale_of, scales_of
from hwsim.workload.activation import activate
from hwsim.workload.local_response import STEPS, factors, square_shift

__all__ = [
    "CLEARED",
    "DEFAULT",
    "Agreement",
    "Settings",
    "agreement",
    "calibrate",
    "quantize",
    "real",
]

#: Key of ``info``: layers whose weights all became 0.
CLEARED = "cleared_layers"
#: Largest integer of an activation.
_LIMIT = 127
#: Steps of a sum in one of its inputs at most: a factor that a multiplier and a shift can hold.
_FINEST = 1 << 13
#: Largest bias in units of its partial sum, and smallest factor to the next scale: both leave a
#: fixed-point factor its 15 bits.
_LARGEST_BIAS, _SMALLEST_FACTOR = 2.0**30, 2.0**-32
#: Steps by which single precision may move an integer of 8 bits times a step.
_EXACT = 1e-3
#: Values of a tensor on which its scale is searched; more values hardly change it.
_SAMPLE = 50_000

Images = NDArray[np.uint8] | NDArray[np.float32]
#: Called with a description of the current step.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How a network is quantized.

    Attributes
    ----------
    ranges
        How the range of a tensor of activations follows from its values.
    per_channel
        Whether the weights of each output channel have a scale of their own.
    correct_bias
        Whether biases are corrected for the mean error that rounding leaves in their channel.
    weight_bits
        Width of the weights, two's complement.
    """

    ranges: Ranges = Ranges()  # noqa: RUF009 - it is frozen
    per_channel: bool = True
    correct_bias: bool = True
    weight_bits: int = 8


@dataclass(frozen=True)
class Agreement:
    """Integer inference compared with the float network on some images.

    ``correlations`` are Pearson's over all values of each output, by layer; ``same`` counts the
    images of which both have the largest value of every output in the same place. ``saturated`` is
    the fraction of the images' values outside the input's range, ``saturated_layers`` that of what
    each layer with weights reads, as of :func:`hwsim.inference.saturation.of_layers`.
    """

    correlations: dict[str, float]
    same: int
    images: int
    saturated: float
    saturated_layers: dict[str, float]

    @property
    def correlation(self) -> float:
        """That of the output that agrees least."""
        return min(self.correlations.values())


#: What an import does unless it is told otherwise.
DEFAULT = Settings()


def quantize(
    model: FloatModel,
    images: Images,
    info: dict[str, Any],
    progress: Progress = lambda what: None,
    settings: Settings = DEFAULT,
) -> Checkpoint:
    """Quantize a float model into a checkpoint.

    Parameters
    ----------
    model
        The network with its weights.
    images
        ``(n, C, H, W)``: uint8 pixels, which stand for 0..1, or the values that the network takes.
    info
        Provenance, which is stored in the file. Gets ``CLEARED`` where all weights of a layer
        became 0.
    progress
        Called with a description of each step.
    settings
        How ranges and scales are chosen.

    Raises
    ------
    InputError
        Scales are so far apart that no fixed-point factor converts between them.
    """
    scales = calibrate(model, images, progress, settings.ranges)
    shapes, taken = model.config.shapes(), model.config.taken
    layers: dict[str, LayerWeights] = {}
    rescales: dict[str, Rescale] = {}
    tables: dict[str, NDArray[np.int8]] = {}
    graphs: dict[str, FloatGraph] = {}
    previous = "input"
    for shape in shapes:
        layer = shape.layer
        sources = [scales[name] for name in layer.inputs or (previous,)]
        try:
            if shape.has_weights:
                progress(f"quantizing {layer.name}")
                per_channel = settings.per_channel and layer.name in taken
                layers[layer.name] = _layer(
                    model.layers[layer.name], sources[0], scales[layer.name],
                    settings.weight_bits, per_channel=per_channel,
                )  # fmt: skip
            elif layer.type == "activation":
                tables[layer.name] = _table(layer, sources[0], scales[layer.name])
            elif layer.type == "float":
                own = model.graphs[layer.name]
                graphs[layer.name] = FloatGraph(own, tuple(sources), scales[layer.name])
            elif layer.type == "mul":
                rescales[layer.name] = rescale([sources[0] * sources[1] / scales[layer.name]])
            elif layer.type == "lrn":
                rescales[layer.name] = _normalizing(layer, sources[0], scales[layer.name])
            elif layer.rescales:
                area = averaged(shape)
                factors = [source / scales[layer.name] / area for source in sources]
                rescales[layer.name] = rescale(factors)
        except ValueError as error:
            raise InputError(
                model.source, layer.name, None, f"cannot be quantized: {error}"
            ) from error
        previous = layer.name
    cleared = [
        name
        for name, own in layers.items()
        if model.layers[name].weight.any() and not own.weight.any()
    ]
    if cleared:
        info[CLEARED] = cleared
    checkpoint = Checkpoint(
        model.config.name, layers, info, source=model.source,
        rescales=rescales, input_scale=scales["input"], tables=tables, graphs=graphs,
    )  # fmt: skip
    if not settings.correct_bias or model.grids:
        return checkpoint
    pairs = [
        (real(image[None]), golden.input_act(image[None], checkpoint.input_scale))
        for image in images
    ]
    return corrected(model, checkpoint, pairs, scales, progress)


def calibrate(
    model: FloatModel,
    images: Images,
    progress: Progress = lambda what: None,
    ranges: Ranges = DEFAULT.ranges,
) -> dict[str, float]:
    """Choose the scale of the input and of every layer's activations.

    A max-pool, and a layer that only moves activations, keeps its input's scale, because its
    integers are integers of its input. Behind a ReLU that saturates, the largest integer stands for
    the ReLU's limit or slightly less.

    Parameters
    ----------
    model, images, progress
        As of :func:`quantize`.
    ranges
        How the range of a tensor follows from its values.

    Returns
    -------
    scales
        Real value of one integer step: of ``input`` and by layer name.
    """
    samples: dict[str, list[NDArray[np.float32]]] = {}
    for index, image in enumerate(images):
        progress(f"calibrating: image {index + 1} of {len(images)}")
        for name, act in model.activations(real(image[None])):
            samples.setdefault(name, []).append(_sample(act, _SAMPLE // len(images)))
    shapes = {shape.layer.name: shape for shape in model.config.shapes()}
    scales: dict[str, float] = {}
    previous = "input"
    for name, parts in samples.items():
        shape = shapes.get(name)
        if name in model.grids:
            limit = shape.layer.relu_max if shape is not None else None
            # the largest integer is where the ReLU saturates
            scales[name] = min(model.grids[name].scale, (limit or np.inf) / _LIMIT)
        elif shape is None:
            scales[name] = INPUT_SCALE if images.dtype == np.uint8 else _searched(parts, ranges)
        else:
            sources = [scales[source] for source in shape.layer.inputs or (previous,)]
            scales[name] = _scale(shape, sources, parts, ranges)
        previous = name
    return scales


def _scale(
    shape: LayerShape,
    sources: Sequence[float],
    parts: Sequence[NDArray[np.float32]],
    ranges: Ranges,
) -> float:
    """Scale of a layer's activations, from the scales of its inputs and samples of its values."""
    layer = shape.layer
    if layer.keeps_scale:
        return sources[0]
    scale = _searched(parts, ranges)
    if layer.rescales and layer.type not in ("lrn", "mul"):
        # what is smaller than the finest step of an input is 0 in integers: averages that cancel
        scale = max(scale, max(sources) / averaged(shape) / _FINEST)
    return scale


def agreement(model: FloatModel, checkpoint: Checkpoint, images: Images) -> Agreement:
    """Compare the outputs of integer and float inference.

    Parameters
    ----------
    model, checkpoint
        The float network, and its integers.
    images
        ``(n, C, H, W)`` as of :func:`quantize`.
    """
    ends = {shape.layer.name: shape.layer for shape in model.config.shapes()}
    integers: dict[str, list[NDArray[Any]]] = {name: [] for name in model.config.ends}
    reals: dict[str, list[NDArray[Any]]] = {name: [] for name in model.config.ends}
    shares: dict[str, list[float]] = {}
    for image in images:
        act = golden.input_act(image[None], checkpoint.input_scale)
        trace = golden.run(model.config, checkpoint, act)
        for name, values in trace.outputs.items():
            # whole sums are those before a ReLU
            integers[name].append(np.maximum(values[0], 0) if ends[name].relu else values[0])
        for name, floats in model.outputs(real(image[None])).items():
            reals[name].append(floats[0])
        for name, share in saturation.of_layers(model.config, trace).items():
            shares.setdefault(name, []).append(share)
    pairs = {name: (np.array(integers[name]), np.array(reals[name])) for name in integers}
    are_same = [whole.argmax(axis=1) == own.argmax(axis=1) for whole, own in pairs.values()]
    return Agreement(
        correlations={name: _correlation(*each) for name, each in pairs.items()},
        same=int(np.count_nonzero(np.all(are_same, axis=0))),
        images=len(images),
        saturated=saturation.of_inputs(images, checkpoint.input_scale),
        saturated_layers={name: float(np.mean(each)) for name, each in shares.items()},
    )


def _correlation(integers: NDArray[Any], reals: NDArray[Any]) -> float:
    """Compute Pearson's correlation; 0 where one operand is constant."""
    left, right = (each.astype(np.float64).ravel() for each in (integers, reals))
    left, right = left - left.mean(), right - right.mean()
    norm = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / norm if norm else 0.0


def real(images: Images) -> NDArray[np.float32]:
    """Values of images: uint8 pixels stand for 0..1."""
    if images.dtype == np.uint8:
        return (images / 255.0).astype(np.float32)
    return images.astype(np.float32)


def _sample(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Take about ``count`` of the values, evenly spaced, and the value of largest magnitude."""
    flat = values.ravel()
    largest = flat[np.abs(flat).argmax()]
    # an odd step shares no factor with sizes that are powers of two: it meets every column
    return np.append(flat[:: max(1, flat.size // max(1, count)) | 1], largest)


def _searched(parts: Sequence[NDArray[np.float32]], ranges: Ranges) -> float:
    return ranges.scale(np.concatenate(parts), _LIMIT)


def _layer(
    own: LayerFloats, before: float, after: float, bits: int, *, per_channel: bool
) -> LayerWeights:
    """Quantize one layer between activations of two scales.

    Weights that are integers of a quantized file stay those, unless the layer needs one scale and
    they have several.
    """
    limit = (1 << (bits - 1)) - 1
    weight, steps = _integers(own, own.steps, limit), own.steps
    if weight is None or steps is None or not (per_channel or np.ptp(steps) == 0):
        steps = _weight_scales(own, before, after, limit, per_channel=per_channel)
        weight = np.clip(_steps(own, steps), -limit, limit).astype(np.int8)
    psum_scales = before * steps
    factors = np.array([fixed_point(factor) for factor in psum_scales / after])
    limits = np.iinfo(np.int32)
    bias = np.clip(np.rint(own.bias.astype(np.float64) / psum_scales), limits.min, limits.max)
    are_alike = np.ptp(steps) == 0
    return LayerWeights(
        weight=weight,
        bias=bias.astype(np.int32),
        weight_bits=bits,
        multiplier=int(factors[0, 0]) if are_alike else factors[:, 0],
        shift=int(factors[0, 1]) if are_alike else factors[:, 1],
        weight_scale=float(steps[0]) if are_alike else steps,
    )


def _integers(
    own: LayerFloats, steps: NDArray[np.float64] | None, limit: int
) -> NDArray[np.int8] | None:
    """Weights as the integers that they are of these steps; ``None`` where they are not.

    What was folded into a weight behind its steps may have moved it off them.
    """
    if steps is None:
        return None
    nearest = _steps(own, steps)
    along = steps.reshape(-1, *[1] * (own.weight.ndim - 1))
    is_off = np.abs(nearest * along - own.weight) > _EXACT * along
    if is_off.any() or nearest.min() < -limit - 1 or nearest.max() > limit:
        return None
    return nearest.astype(np.int8)


def _steps(own: LayerFloats, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights in steps, rounded to whole ones."""
    rounded: NDArray[np.float64] = np.rint(
        own.weight / steps.reshape(-1, *[1] * (own.weight.ndim - 1))
    )
    return rounded


def _weight_scales(
    own: LayerFloats, before: float, after: float, limit: int, *, per_channel: bool
) -> NDArray[np.float64]:
    """Scale of the weights of each channel: ``(M,)``, all alike unless ``per_channel``.

    Where weights are next to nothing beside their bias, as batch normalization leaves them, the
    scale is one that bias and factor can still be written in; the weights then become 0.
    """
    needed = np.abs(own.bias.astype(np.float64)) / before / _LARGEST_BIAS
    least = np.maximum(needed, _SMALLEST_FACTOR * after / before)
    if not per_channel:
        scale = scale_of(_sample(own.weight, _SAMPLE).astype(np.float64), limit)
        return np.full(len(own.bias), max(scale, least.max()))
    return np.maximum(scales_of(own.weight.reshape(len(own.weight), -1), limit), least)


def _table(layer: LayerConfig, before: float, after: float) -> NDArray[np.int8]:
    """Results of an activation layer for -128 to 127, between activations of two scales.

    Of each channel, where these have parameters of their own.
    """
    limits = np.iinfo(np.int8)
    values = np.arange(limits.min, limits.max + 1) * before
    if isinstance(layer.alpha, tuple):
        every = np.broadcast_to(values, (1, len(layer.alpha), 1, len(values)))
        real = activate(layer, every)[0, :, 0]
    else:
        real = activate(layer, values)
    table: NDArray[np.int8] = np.clip(np.rint(real / after), limits.min, limits.max).astype(np.int8)
    return table


def _normalizing(layer: LayerConfig, before: float, after: float) -> Rescale:
    """Multipliers of an ``lrn`` layer: for the middle of each step of the sum of squares."""
    middle = (np.arange(STEPS) + 0.5) * (1 << square_shift(layer)) - 0.5
    each = factors(layer, (middle * before**2).astype(np.float64))
    return rescale([float(factor) for factor in each * before / after])
