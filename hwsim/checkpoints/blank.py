"""Weights of a network of which only the shape counts: all 0."""

from __future__ import annotations

import numpy as np

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights, Rescale
from hwsim.config import NetworkConfig
from hwsim.workload.lowering import weight_shape

__all__ = ["blank"]


def blank(network: NetworkConfig) -> Checkpoint:
    """Checkpoint without a non-zero."""
    layers, rescales = {}, {}
    for shape in network.shapes():
        name = shape.layer.name
        if shape.has_weights:
            weight = np.zeros(weight_shape(shape), np.int8)
            layers[name] = LayerWeights(
                weight, np.zeros(shape.ofmap.channels, np.int32), 8, 1, 0, 1.0
            )
        elif shape.layer.rescales:
            rescales[name] = Rescale((1,) * max(1, len(shape.layer.inputs)), 0)
    return Checkpoint(network.name, layers, {}, "no weights", rescales)
