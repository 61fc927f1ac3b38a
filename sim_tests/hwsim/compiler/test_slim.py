"""Filters that nobody reads are left out, and no result changes."""

from dataclasses import replace

import numpy as np
import pytest
from harness.component import seeded

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.checkpoints.find import find_checkpoint
from hwsim.compiler.slim import slim
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.inference import golden
from hwsim.verification.networks import random_checkpoint, random_network


def channels(network):
    return [s.ofmap.channels for s in network.shapes() if s.has_weights]


@pytest.mark.parametrize(("lanes", "fold"), [(1, 0), (4, 0), (4, 2), (4, 8)])
@pytest.mark.parametrize("seed", range(20))
def test_results_stay(seed, lanes, fold):
    rng = seeded(seed)
    network = random_network(rng)
    checkpoint = random_checkpoint(rng, network)
    for name, layer in checkpoint.layers.items():
        weight = layer.weight.copy()
        weight[:, rng.random(weight.shape[1]) < 0.5] = 0
        checkpoint.layers[name] = replace(layer, weight=weight)
    size = network.input
    act = rng.integers(-128, 128, size=(2, size.channels, size.height, size.width)).astype(np.int8)
    ifmaps = golden.run(network, checkpoint, act).ifmap
    slimmer, left, acts = slim(network, checkpoint, ifmaps, lanes, fold)
    left.check(slimmer)
    expected = golden.logits(network, checkpoint, act)
    assert (golden.logits(slimmer, left, act) == expected).all()
    assert sum(channels(slimmer)) <= sum(channels(network))
    for name, ifmap in golden.run(slimmer, left, act).ifmap.items():
        if name in left.layers:
            assert (acts[name] == ifmap).all()
    if not fold:  # what is left is all read
        assert channels(slim(slimmer, left, {})[0]) == channels(slimmer)


def test_lanes_have_as_many_columns():
    """Three channels of 9, 2 and 1 columns for two lanes: the first lies alone."""
    layers = [
        {"name": "a", "type": "conv", "M": 3, "R": 1},
        {"name": "b", "type": "conv", "M": 1, "R": 3},
    ]
    raw = {
        "name": "net", "input": {"channels": 1, "height": 4, "width": 4}, "layers": layers,
    }  # fmt: skip
    network = parse(NetworkConfig, raw, "test")
    first = np.array([1, 2, 3], np.int8).reshape(3, 1, 1, 1)
    second = np.zeros((1, 3, 9), np.int8)
    second[0, 0], second[0, 1, :2], second[0, 2, :1] = 1, 1, 1
    layers = {
        name: LayerWeights(weight, np.zeros(len(weight), np.int32), 8, 1, 0, 1.0)
        for name, weight in (("a", first), ("b", second.reshape(1, 3, 3, 3)))
    }
    _, left, _ = slim(network, Checkpoint("net", layers, {}, "test"), {}, 2)
    assert left.layers["a"].weight.reshape(-1).tolist() == [2, 1, 3]


@pytest.mark.parametrize(
    ("name", "filters"),
    [("lenet5_structured_10x", [14, 25, 150, 10]), ("lenet5_dense", [20, 50, 500, 10])],
)
def test_filters_of_lenet5(name, filters):
    network = NetworkConfig.read("lenet5")
    checkpoint = Checkpoint.read(find_checkpoint(name), network)
    assert channels(slim(network, checkpoint, {})[0]) == filters


@pytest.mark.parametrize(
    ("name", "stays"), [("lenet5_structured_10x", False), ("lenet5_punched_80x", True)]
)
def test_only_filters_with_lists_of_their_own_stay_in_their_folds(name, stays):
    """Whole columns and filters: those of a fold may be any, as lanes like it."""
    network = NetworkConfig.read("lenet5")
    checkpoint = Checkpoint.read(find_checkpoint(name), network)
    free, bound = (slim(network, checkpoint, {}, 8, fold)[1].layers["conv2"] for fold in (0, 8))
    weight = checkpoint.layers["conv2"].weight
    same = free.weight.shape == bound.weight.shape and (free.bias == bound.bias).all()
    assert same != stays
    if stays:
        first = set(map(int, checkpoint.layers["conv2"].bias[:8]))
        assert set(map(int, bound.bias[:8])) == first
        assert len(weight) >= len(bound.weight)
