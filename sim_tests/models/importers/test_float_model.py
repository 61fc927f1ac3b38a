"""The float executor against torch, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.config import NetworkConfig
from hwsim.models.importers.float_model import FloatModel, LayerFloats


def model(size: int, **layer) -> FloatModel:
    """One layer on 4 channels."""
    raw = {
        "name": "one",
        "input": {"channels": 4, "height": size, "width": size + 1},
        "layers": [{"name": "it", **layer}],
    }
    config = NetworkConfig.model_validate(raw)
    (shape,) = config.shapes()
    rng = np.random.default_rng(0)
    floats = {}
    if shape.has_weights:
        size = (shape.ofmap.channels, shape.C, shape.R, shape.S)
        weight = rng.normal(size=size if layer["type"] == "conv" else (size[0], shape.ifmap.size))
        bias = rng.normal(size=shape.ofmap.channels)
        floats["it"] = LayerFloats(weight.astype(np.float32), bias.astype(np.float32))
    return FloatModel(config, floats, "test")


CONVOLUTIONS = (
    {"R": 3}, {"R": 3, "padding": 2, "stride": 2}, {"R": 1, "S": 3}, {"R": 2, "dilation": 3},
    {"R": 3, "G": 4, "padding": 1}, {"R": 3, "G": 2, "stride": 3, "relu": True},
)  # fmt: skip


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution(torch, case, size):
    made = model(size, type="conv", M=8, **case)
    images = torch.randn(3, 4, size, size + 1)
    layer = made.layers["it"]
    expected = torch.nn.functional.conv2d(
        images, torch.from_numpy(layer.weight), torch.from_numpy(layer.bias),
        case.get("stride", 1), case.get("padding", 0), case.get("dilation", 1), case.get("G", 1),
    )  # fmt: skip
    expected = torch.relu(expected) if case.get("relu") else expected
    found = made.logits(images.numpy())
    np.testing.assert_allclose(found, expected.flatten(1).numpy(), atol=1e-4)


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize(
    "case", [{"R": 2, "stride": 2}, {"R": 3, "stride": 2, "padding": 1}, {"R": 3}], ids=str
)
def test_pools(torch, case, size):
    images = torch.randn(3, 4, size, size + 1)
    window = (case["R"], case.get("stride", 1), case.get("padding", 0))
    expected = torch.max_pool2d(images, *window)
    found = model(size, type="maxpool", **case).logits(images.numpy())
    np.testing.assert_array_equal(found, expected.flatten(1).numpy())
    expected = torch.nn.functional.avg_pool2d(images, *window)
    found = model(size, type="avgpool", **case).logits(images.numpy())
    np.testing.assert_allclose(found, expected.flatten(1).numpy(), atol=1e-6)
    rounded_up = torch.nn.functional.max_pool2d(images, *window, ceil_mode=True)
    found = model(size, type="maxpool", ceil=True, **case).logits(images.numpy())
    np.testing.assert_array_equal(found, rounded_up.flatten(1).numpy())


def test_fully_connected_and_global_pool(torch):
    images = torch.randn(3, 4, 5, 6)
    made = model(5, type="fc", M=7, relu=True, relu_max=0.5)
    layer = made.layers["it"]
    expected = images.flatten(1) @ torch.from_numpy(layer.weight).T + torch.from_numpy(layer.bias)
    found = made.logits(images.numpy())
    np.testing.assert_allclose(found, expected.clamp(0, 0.5).numpy(), atol=1e-5)
    found = model(5, type="globalavgpool").logits(images.numpy())
    np.testing.assert_allclose(found, images.mean((2, 3)).numpy(), atol=1e-6)


def test_only_what_is_still_to_be_read_is_kept():
    raw = {
        "name": "chain",
        "input": {"channels": 1, "height": 2, "width": 2},
        "layers": [
            {"name": "a", "type": "maxpool", "R": 1},
            {"name": "b", "type": "maxpool", "R": 1, "inputs": ["input"]},
            {"name": "c", "type": "add", "inputs": ["a", "a", "b", "input"]},
            {"name": "d", "type": "concat", "inputs": ["c", "a"]},
        ],
    }
    made = FloatModel(NetworkConfig.model_validate(raw), {}, "test")
    images = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    names = [name for name, _ in made.activations(images)]
    assert names == ["input", "a", "b", "c", "d"]
    assert made.logits(images).tolist() == [[0, 4, 8, 12, 0, 1, 2, 3]]
