"""Weights of a network without a checkpoint: random, at the densities of its file."""

from __future__ import annotations

import numpy as np

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights, Rescale
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.formats import project
from hwsim.workload.layer import Layer
from hwsim.workload.lowering import raise_weight
from hwsim.workload.random import random_weights

__all__ = ["synthetic_checkpoint"]


def synthetic_checkpoint(arch: ArchConfig, network: NetworkConfig, seed: int = 0) -> Checkpoint:
    """Random weights that the design's format holds, without bias, at a scale of 1.

    Those of :func:`hwsim.engine.network.simulate`.
    """
    layers, rescales = {}, {}
    for shape in network.shapes():
        name, channels = shape.layer.name, shape.ofmap.channels
        if shape.has_weights:
            drawn = random_weights(shape, arch.numbers, seed)
            kernels = Layer.of_shape(shape, 1).gemms()[0].channels
            weight = raise_weight(shape, [project(arch, each, kernels) for each in drawn])
            bias = np.zeros(channels, np.int32)
            bits = arch.numbers.weight_width
            layers[name] = LayerWeights(weight.astype(np.int8), bias, bits, 1, 0, 1.0)
        elif shape.layer.rescales:
            rescales[name] = Rescale((1,) * shape.layer.multipliers, 0)
    return Checkpoint(network.name, layers, {}, "synthetic weights", rescales)
