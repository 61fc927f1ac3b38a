"""How many activations lie outside the range that was chosen for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NetworkConfig
from hwsim.inference.golden import NUMBERS, Trace

__all__ = ["of_inputs", "of_layers"]


def of_inputs(
    images: NDArray[np.uint8] | NDArray[np.floating],
    scale: float,
    act_width: int = NUMBERS.act_width,
) -> float:
    """Fraction of the values of some images that an integer of ``act_width`` bits cannot hold."""
    real = images / 255.0 if images.dtype == np.uint8 else images
    half = 1 << (act_width - 1)
    steps = np.rint(real / scale)
    return float(np.count_nonzero((steps < -half) | (steps >= half)) / steps.size)


def of_layers(
    network: NetworkConfig, trace: Trace, act_width: int = NUMBERS.act_width
) -> dict[str, float]:
    """Fraction of the largest integer and the smallest among what each layer with weights reads.

    Layers that read a ReLU which saturates are left out: there the largest integer is right.
    """
    half = 1 << (act_width - 1)
    limited = {"input": False}
    previous = "input"
    found: dict[str, float] = {}
    for layer in network.layers:
        sources = layer.inputs or (previous,)
        reads_limit = any(limited[name] for name in sources)
        limited[layer.name] = layer.relu_max is not None or (layer.keeps_scale and reads_limit)
        if layer.name in trace.ifmap and not reads_limit:
            act = trace.ifmap[layer.name]
            ends = np.count_nonzero((act == -half) | (act == half - 1))
            found[layer.name] = float(ends) / act.size
        previous = layer.name
    return found
