"""The module that trains an imported network computes what its float model computes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'hwsim[compress]'")

import torch

from hwsim.config import NetworkConfig
from hwsim.config.activation import FUNCTIONS
from hwsim.errors import InputError
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.models.networks.graph import GraphNetwork
from hwsim.workload.lowering import weight_shape

CONV = {"name": "conv", "type": "conv", "M": 8, "R": 3, "padding": [0, 1, 2, 1]}
ONE = (
    {"type": "conv", "M": 6, "R": 3, "S": 1, "stride": [2, 1], "dilation": [1, 2], "G": 2},
    {"type": "conv", "M": 8, "R": 3, "G": 8, "padding": 1, "relu": True, "relu_max": 0.5},
    {"type": "maxpool", "R": 3, "stride": 2, "padding": 1, "ceil": True},
    {"type": "maxpool", "R": 2, "stride": 2, "padding": [0, 0, 1, 1], "dilation": [2, 1]},
    {"type": "avgpool", "R": 3, "stride": 2, "padding": 1},
    {"type": "avgpool", "R": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    {"type": "avgpool", "R": 2, "stride": 2, "ceil": True, "count_include_pad": False},
    {"type": "globalavgpool"},
    {"type": "lrn", "R": 3, "alpha": 0.3},
    {"type": "lrn", "R": 4, "alpha": 2.0, "beta": 0.5, "bias": 2.0},
    {"type": "slice", "M": 3, "first": 2},
    {"type": "shuffle", "G": 4},
    {"type": "upsample", "stride": [2, 1]},
    {"type": "depth_to_space", "stride": 2},
    {"type": "space_to_depth", "stride": [1, 2]},
    {"type": "crop", "padding": [1, 0, 2, 1]},
    {"type": "add", "inputs": ["conv", "conv", "conv"], "relu": True},
    {"type": "concat", "inputs": ["conv", "conv"]},
    {"type": "mul", "inputs": ["conv", "conv"]},
    {"type": "activation", "function": "leaky_relu", "alpha": [0.1 * i for i in range(8)]},
    {"type": "activation", "function": "clip", "alpha": -0.2},
    *({"type": "activation", "function": name} for name in FUNCTIONS),
)


@pytest.mark.parametrize("layer", ONE, ids=str)
def test_every_layer_computes_the_same(layer):
    raw = {
        "name": "one", "input": {"channels": 4, "height": 8, "width": 6},
        "layers": [CONV, {"name": "it", **layer}, {"name": "fc", "type": "fc", "M": 5}],
    }  # fmt: skip
    config, rng = NetworkConfig.model_validate(raw), np.random.default_rng(0)
    layers = {}
    for shape in config.shapes():
        if shape.has_weights:
            weight = rng.normal(0, shape.K**-0.5, weight_shape(shape)).astype(np.float32)
            bias = rng.normal(0, 0.3, shape.ofmap.channels).astype(np.float32)
            layers[shape.layer.name] = LayerFloats(weight, bias)
    model = FloatModel(config, layers, "drawn")
    images = rng.normal(size=(3, 4, 8, 6)).astype(np.float32)
    network = GraphNetwork(
        config, {n: own.weight for n, own in layers.items()},
        {n: own.bias for n, own in layers.items()},
    )  # fmt: skip
    found = network(torch.from_numpy(images))
    np.testing.assert_allclose(found.detach().numpy(), model.logits(images), atol=2e-5)
    found.sum().backward()
    assert all(each.grad is not None for each in network.parameters())


def test_a_layer_without_gradient_is_refused():
    raw = {
        "name": "one", "input": {"channels": 4},
        "layers": [{
            "name": "norm", "type": "float", "inputs": ["input"], "ofmap": {"channels": 4},
            "operations": ["LayerNormalization"],
        }],
    }  # fmt: skip
    with pytest.raises(InputError, match=r"layers.norm.type = 'float': has no gradient here"):
        GraphNetwork(NetworkConfig.model_validate(raw), {}, {})
