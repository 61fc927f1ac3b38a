"""Local response normalization, against ONNX's evaluator, and in integers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import LayerConfig, NetworkConfig
from hwsim.inference import golden
from hwsim.models.importers.calibrate import calibrate, quantize
from hwsim.models.importers.float_model import FloatModel
from hwsim.workload.local_response import STEPS, factors, square_shift, square_sums


def model(**keys) -> FloatModel:
    layer = {"name": "lrn", "type": "lrn", "R": 5} | keys
    size = {"channels": 7, "height": 4, "width": 3}
    raw = {"name": "net", "input": size, "layers": [layer]}
    return FloatModel(NetworkConfig.model_validate(raw), {}, "drawn")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("parameters", [(1e-4, 0.75, 1.0), (2.0, 0.5, 2.0)])
def test_values_are_those_of_onnx(size, parameters):
    """Of the formula in ONNX's page, value by value."""
    alpha, beta, bias = parameters
    x = np.random.default_rng(size).standard_normal((2, 7, 4, 3)).astype(np.float32) * 3
    found = model(R=size, alpha=alpha, beta=beta, bias=bias).logits(x).reshape(x.shape)
    for image, channel, row, column in np.ndindex(x.shape):
        first = max(0, channel - math.floor((size - 1) / 2))
        last = min(6, channel + math.ceil((size - 1) / 2))
        total = sum(float(x[image, c, row, column]) ** 2 for c in range(first, last + 1))
        right = x[image, channel, row, column] / (bias + alpha / size * total) ** beta
        assert found[image, channel, row, column] == pytest.approx(right, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_integers_follow_within_two_steps(tmp_path, seed):
    print("seed", seed)
    net = model(alpha=0.5, beta=0.75)
    images = np.random.default_rng(seed).standard_normal((8, 7, 4, 3)).astype(np.float32)
    scales = calibrate(net, images)
    checkpoint = quantize(net, images, {})
    path = checkpoint.write(tmp_path / "net.safetensors")
    assert Checkpoint.read(path, net.config).rescales == checkpoint.rescales
    act = golden.input_act(images, checkpoint.input_scale)
    found = golden.layer_act(net.config.shapes()[0], checkpoint, [act]) * scales["lrn"]
    expected = net.logits((act * checkpoint.input_scale).astype(np.float32)).reshape(found.shape)
    assert np.abs(found - expected).max() <= 2 * scales["lrn"]
    assert np.abs(found - expected).mean() <= 0.5 * scales["lrn"]


@pytest.mark.parametrize("size", [1, 5, 16, 64])
def test_every_sum_of_squares_has_a_step(size):
    layer = LayerConfig(name="l", type="lrn", R=size)
    act = np.full((1, size, 1, 1), -128)
    largest = int(square_sums(layer, act.astype(np.int64)).max())
    assert largest == size << 14
    assert largest >> square_shift(layer) < STEPS
    assert factors(layer, np.zeros(1)) == [1.0]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"R": None}, "R must be given for a lrn layer"),
        ({"stride": 2}, "stride must be absent for a lrn layer"),
        ({"S": 3}, "S must be absent for an lrn layer"),
        ({"alpha": -1.0}, "alpha at least 0"),
        ({"bias": 0.0}, "greater than 0"),
    ],
)
def test_keys_that_it_has_not_are_refused(keys, line):
    with pytest.raises(ValueError, match=line):
        model(**keys)
