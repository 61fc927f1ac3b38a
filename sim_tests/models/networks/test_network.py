"""Torch modules have the configuration's shapes and the golden model's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.workload.lowering import raise_ofmap, weight_shape


def test_weights_have_the_checkpoints_shapes(network):
    for shape, stage in network.weighted():
        assert tuple(stage.weight.shape) == weight_shape(shape)
    assert list(network.weights()) == ["conv1", "conv2", "fc1", "fc2"]


def test_every_layer_gives_the_configured_shape(torch, network):
    act = torch.rand(5, 1, 8, 8)
    for stage, shape in zip(network.stages, network.shapes, strict=True):
        act = stage(act.flatten(1) if shape.layer.type == "fc" else act)
        ofmap = shape.ofmap
        assert act.numel() == 5 * ofmap.size
    assert network(torch.rand(5, 1, 8, 8)).shape == (5, 3)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [{"name": "pool1", "type": "avgpool", "R": 2}],
            r"layers\.pool1\.type = 'avgpool': must be conv, fc, maxpool, globalavgpool or add",
        ),
        (
            [{"name": "fc1", "type": "fc", "M": 1, "relu": True, "relu_max": 6}],
            r"layers\.fc1\.relu_max = 6\.0: must be absent in a network that is trained",
        ),
    ],
    ids=["type", "relu_max"],
)
def test_a_layer_that_cannot_be_trained_is_refused(torch, layers, message):
    from hwsim.models.networks.network import Network

    config = NetworkConfig.model_validate(
        {"name": "net", "input": {"channels": 1, "height": 4, "width": 4}, "layers": layers}
    )
    with pytest.raises(InputError, match=message):
        Network(config)


def test_a_residual_network_computes_what_its_graph_says(torch, residual):
    images = torch.rand(5, 1, 8, 8)
    layers = {s.layer.name: t for s, t in zip(residual.shapes, residual.stages, strict=True)}
    first = torch.relu(layers["conv1"](images))
    first = torch.relu(first + layers["b1"](torch.relu(layers["a1"](first))))
    second = layers["b2"](torch.relu(layers["a2"](first))) + layers["proj2"](first)
    means = layers["pool1"](torch.relu(second)).mean((2, 3))
    assert torch.allclose(residual(images), layers["fc1"](means), atol=1e-6)
    names = [name for name, _ in residual.acts(images)]
    assert names == [shape.layer.name for shape in residual.shapes]


def test_folded_normalization_computes_the_same(torch, residual):
    residual.normalize()
    assert sum(isinstance(each, torch.nn.BatchNorm2d) for each in residual.norms) == 6
    residual.train()
    for _ in range(3):
        residual(torch.rand(20, 1, 8, 8))
    with torch.no_grad():
        for norm in residual.norms:
            for parameter in norm.parameters():
                parameter.add_(torch.rand_like(parameter) - 0.5)
    residual.eval()
    images = torch.rand(7, 1, 8, 8)
    before, plain = residual(images), [w.clone() for w in residual.weights().values()]
    residual.fold()
    assert len(residual.norms) == 0
    assert torch.allclose(residual(images), before, atol=1e-5)
    assert not any(
        w.equal(p) for w, p in zip(residual.weights().values(), plain[:-1], strict=False)
    )
    residual.fold()
    assert torch.allclose(residual(images), before, atol=1e-5), "folding again changes nothing"


@pytest.mark.parametrize("groups", [1, 2])
def test_golden_partial_sums_equal_torchs(torch, groups):
    """With integers in double precision, torch's convolution is exact, too."""
    from hwsim.models.networks.network import Network

    config = NetworkConfig.model_validate(
        {
            "name": "net",
            "input": {"channels": 2 * groups, "height": 9, "width": 7},
            "layers": [
                {
                    "name": "conv1", "type": "conv", "M": 3 * groups, "R": 3, "S": 2,
                    "G": groups, "stride": 2, "padding": 1, "dilation": 2, "relu": True,
                },
                {"name": "pool1", "type": "maxpool", "R": 2, "stride": 2, "ceil": True},
                {"name": "fc1", "type": "fc", "M": 5},
            ],
        }
    )  # fmt: skip
    rng = np.random.default_rng(groups)
    layers = {
        shape.layer.name: LayerWeights(
            rng.integers(-127, 128, weight_shape(shape), dtype=np.int8),
            np.zeros(shape.ofmap.channels, dtype=np.int32),
            8, 17000, 22, 0.01,
        )
        for shape in config.shapes() if shape.has_weights
    }  # fmt: skip
    images = rng.integers(0, 128, (4, 2 * groups, 9, 7), dtype=np.int8)
    trace = golden.run(config, Checkpoint("net", layers, {}), images)
    network = Network(config).double()
    shapes = {shape.layer.name: shape for shape in config.shapes()}
    for shape, stage in network.weighted():
        name = shape.layer.name
        ifmap = torch.from_numpy(trace.ifmap[name].astype(np.float64))
        stage.weight.data = torch.from_numpy(layers[name].weight.astype(np.float64))
        stage.bias.data.zero_()
        found = stage(ifmap.flatten(1) if shape.layer.type == "fc" else ifmap).detach().numpy()
        expected = raise_ofmap(shape, trace.psum[name], len(images))
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    pooled = golden.max_pool(
        shapes["pool1"], rng.integers(-128, 128, (4, 3 * groups, 4, 4), np.int8)
    )
    assert pooled.shape[2:] == (shapes["pool1"].ofmap.height, shapes["pool1"].ofmap.width)
