"""Correct biases for the mean error that quantization leaves in each output channel.

Rounding shifts the mean of a channel where its weights are few, as in depthwise layers. The shift
is measured layer by layer on images, each layer reading what the corrected layers before it give,
and subtracted from the bias (Nagel et al., "Data-Free Quantization Through Weight Equalization and
Bias Correction", ICCV 2019, section 4.2, with images in place of the statistics of batch
normalization).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.config import read_by
from hwsim.inference import golden
from hwsim.models.importers.float_model import FloatModel

__all__ = ["corrected"]

Floats = NDArray[np.float32]
#: Integers, or what a float layer gives.
Acts = NDArray[Any]


def corrected(
    model: FloatModel,
    checkpoint: Checkpoint,
    images: Sequence[tuple[Floats, Acts]],
    scales: Mapping[str, float],
    progress: Callable[[str], None] = lambda what: None,
) -> Checkpoint:
    """Correct the biases of a network.

    Parameters
    ----------
    model
        The float network.
    checkpoint
        Its integers.
    images
        Images ``(1, C, H, W)``, each as real values and as integers.
    scales
        Real value of one integer step of ``input`` and of each layer's activations.
    progress
        Called with a description of each step.

    Returns
    -------
    Checkpoint
        With other biases.
    """
    shapes = model.config.shapes()
    reads = list(read_by(shapes).values())
    last_use = {name: index for index, names in enumerate(reads) for name in names}
    found = replace(checkpoint, layers=dict(checkpoint.layers))
    real = {"input": [image for image, _ in images]}
    integer = {"input": [act for _, act in images]}
    for index, (shape, names) in enumerate(zip(shapes, reads, strict=True)):
        name = shape.layer.name
        reals = [[real[each][i] for each in names] for i in range(len(images))]
        integers = [[integer[each][i] for each in names] for i in range(len(images))]
        sums = [model.sums(shape, sources) for sources in reals]
        real[name] = [model.rectified(shape, each) for each in sums]
        if shape.has_weights:
            progress(f"correcting biases: {name}")
            own = found.layers[name]
            totals = [golden.layer_sums(shape, own, act) for (act, *_) in integers]
            bias = _bias(own, sums, totals, scales[names[0]])
            found.layers[name] = replace(own, bias=bias)
            shift = bias.astype(np.int64) - own.bias
            integer[name] = [
                golden.requantized(shape.layer, own, golden.add_bias(total, shift))
                for total in totals
            ]
        else:
            integer[name] = [golden.layer_act(shape, found, sources) for sources in integers]
        for source in set(names):
            if last_use[source] == index:
                del real[source], integer[source]
    return found


def _bias(
    own: LayerWeights, sums: Sequence[Floats], totals: Sequence[Acts], scale: float
) -> NDArray[np.int32]:
    """Bias that makes up for the mean error of a layer's sums."""
    unit = scale * own.weight_scales
    errors = [
        real.astype(np.float64).mean(axis=(0, 2, 3)) / unit - total.mean(axis=(0, 2, 3))
        for real, total in zip(sums, totals, strict=True)
    ]
    limits = np.iinfo(np.int32)
    shifted = own.bias + np.rint(np.mean(errors, axis=0))
    bias: NDArray[np.int32] = np.clip(shifted, limits.min, limits.max).astype(np.int32)
    return bias
