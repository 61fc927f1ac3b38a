"""Quantized checkpoints compute what the float networks compute, closely."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint
from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.inference import images as inputs
from hwsim.models.importers.calibrate import agreement, calibrate, quantize
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.workload.lowering import weight_shape

#: Every type of layer, residual and concatenated branches, a tensor that is read three times.
BRANCHED = {
    "name": "branched",
    "input": {"channels": 3, "height": 16, "width": 16},
    "layers": [
        {"name": "stem", "type": "conv", "M": 16, "R": 3, "padding": 1, "relu": True},
        {"name": "pool", "type": "maxpool", "R": 2, "stride": 2},
        {"name": "a", "type": "conv", "M": 16, "R": 3, "padding": 1, "relu": True},
        {"name": "b", "type": "conv", "M": 16, "R": 3, "padding": 1},
        {"name": "add", "type": "add", "inputs": ["b", "pool"], "relu": True},
        {"name": "c", "type": "conv", "M": 24, "R": 1, "relu": True, "relu_max": 6},
        {"name": "d", "type": "conv", "M": 24, "R": 3, "G": 24, "padding": 1, "relu": True},
        {"name": "join", "type": "concat", "inputs": ["d", "pool", "c"]},
        {"name": "mean", "type": "avgpool", "R": 2, "stride": 2},
        {"name": "e", "type": "conv", "M": 32, "R": 1, "relu": True},
        {"name": "global", "type": "globalavgpool"},
        {"name": "fc", "type": "fc", "M": 10},
    ],
}


def drawn(config: NetworkConfig, seed: int, gain: float = 1.0) -> FloatModel:
    """Random weights of variance 2 / K, and biases."""
    rng = np.random.default_rng(seed)
    layers = {}
    for shape in config.shapes():
        if shape.has_weights:
            size = weight_shape(shape)
            weight = rng.normal(0, gain * (2 / shape.K) ** 0.5, size).astype(np.float32)
            bias = rng.normal(0, 0.1, size[0]).astype(np.float32)
            layers[shape.layer.name] = LayerFloats(weight, bias)
    return FloatModel(config, layers, "drawn")


def network(**changes) -> NetworkConfig:
    return NetworkConfig.model_validate(BRANCHED | changes)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gain", [0.3, 1, 3])
def test_integer_logits_follow_the_float_ones(seed, gain):
    model = drawn(network(), seed, gain)
    seen, fresh = (inputs.random(model.config, 24, seed=s) for s in (seed, 100 + seed))
    checkpoint = quantize(model, seen, {})
    found = agreement(model, checkpoint, fresh)
    assert found.images == 24
    assert found.correlation > 0.99, found
    assert found.same >= 16, found  # of 24: random networks have near ties


def test_lenet5_follows_its_float_twin():
    model = drawn(NetworkConfig.read("lenet5"), 5)
    pixels = np.random.default_rng(5).integers(0, 256, (40, 1, 28, 28), dtype=np.uint8)
    found = agreement(model, quantize(model, pixels[:20], {}), pixels[20:])
    assert found.correlation > 0.995, found
    assert found.same >= 18, found


def test_the_scales_of_every_layer_are_those_of_its_values():
    """Every layer's integers times its scale are its float activations, within a few steps."""
    model = drawn(network(), 1)
    images = inputs.random(model.config, 6, seed=3)
    scales = calibrate(model, images)
    checkpoint = quantize(model, images, {})
    trace = golden.run(model.config, checkpoint, golden.input_act(images, checkpoint.input_scale))
    real = dict(model.activations(images))
    reads = {"stem": "input", "a": "pool", "b": "a", "c": "add", "d": "c", "e": "mean",
             "fc": "global"}  # fmt: skip
    for layer, name in reads.items():
        error = trace.ifmap[layer] * scales[name] - real[name]
        assert np.abs(error).mean() < 2 * scales[name], name


def test_what_reads_the_same_integers_has_the_same_scale():
    scales = calibrate(drawn(network(), 2), inputs.random(network(), 4))
    assert scales["pool"] == scales["stem"]
    assert list(scales) == ["input", *(layer["name"] for layer in BRANCHED["layers"])]


def test_a_relu_that_saturates_reaches_its_limit_and_no_more():
    model = drawn(network(), 3, gain=5)
    images = inputs.random(model.config, 8)
    scales = calibrate(model, images)
    assert scales["c"] <= 6 / 127
    assert scales["c"] > 5 / 127  # many values are at the limit
    assert max(act.max() for name, act in model.activations(images) if name == "c") == 6


def test_integers_saturate_where_the_relu_does():
    layers = [
        {"name": "a", "type": "conv", "M": 8, "R": 3},
        {"name": "b", "type": "avgpool", "R": 1, "relu": True, "relu_max": 0.5},
        {"name": "c", "type": "conv", "M": 8, "R": 1},
    ]
    model = drawn(network(layers=layers), 0)
    images = inputs.random(model.config, 4)
    checkpoint, scales = quantize(model, images, {}), calibrate(model, images)
    trace = golden.run(model.config, checkpoint, golden.input_act(images, checkpoint.input_scale))
    assert scales["a"] * 127 > 1
    assert 0.4 < trace.ifmap["c"].max() * scales["b"] <= 0.5


def test_pixels_keep_the_scale_that_pixels_have():
    model = drawn(network(), 4)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), dtype=np.uint8)
    assert quantize(model, pixels, {}).input_scale == INPUT_SCALE
    scale = quantize(model, (pixels / 127 - 1).astype(np.float32), {}).input_scale
    assert scale == pytest.approx(1 / 127, rel=0.1)
    assert scale != INPUT_SCALE


def test_the_same_images_give_the_same_checkpoint(tmp_path):
    model, images = drawn(network(), 6), inputs.random(network(), 3)
    paths = [quantize(model, images, {"a": 1}).write(tmp_path / name) for name in ("1", "2")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = Checkpoint.read(paths[0], model.config)
    assert found.info == {"a": 1}
    assert set(found.rescales) == {"add", "join", "mean", "global"}


def test_dead_layers_and_huge_biases_are_quantized_all_the_same():
    model = drawn(network(), 7)
    model.layers["a"].weight[:] = 0
    model.layers["a"].bias[:] = 0
    model.layers["e"].weight[:] = 1e-12
    model.layers["e"].bias[:] = 1e3
    images = inputs.random(model.config, 3)
    checkpoint = quantize(model, images, {})
    assert checkpoint.layers["e"].bias.max() == 2**31 - 1
    assert not checkpoint.layers["a"].weight.any()
    golden.run(model.config, checkpoint, golden.input_act(images, checkpoint.input_scale))


def test_scales_too_far_apart_are_refused():
    layers = [{"name": "a", "type": "conv", "M": 2, "R": 1}, {"name": "b", "type": "fc", "M": 2}]
    config = network(layers=layers)
    rng = np.random.default_rng(0)
    # large sums that cancel: what is left is too small for a factor below 2**14
    weight = rng.normal(size=(2, 3, 1, 1)).astype(np.float32)
    weight[:, 2] = -weight[:, 1] - weight[:, 0] * np.float32(1 + 1e-6)
    floats = {
        "a": LayerFloats(1000 * weight, np.zeros(2, np.float32)),
        "b": LayerFloats(np.ones((2, 512), np.float32), np.zeros(2, np.float32)),
    }
    images = np.repeat(rng.normal(size=(2, 1, 16, 16)), 3, axis=1).astype(np.float32)
    with pytest.raises(InputError, match=r"drawn: a: cannot be quantized: factor must be in"):
        quantize(FloatModel(config, floats, "drawn"), images, {})


def test_a_network_that_ends_in_a_pool_has_its_activations_as_logits():
    model = drawn(network(layers=BRANCHED["layers"][:-1]), 8)
    images = inputs.random(model.config, 12, seed=1)
    found = agreement(model, quantize(model, images, {}), images)
    assert found.correlation > 0.99
    assert found.same >= 10


def test_every_image_and_layer_is_reported():
    said: list[str] = []
    quantize(drawn(network(), 0), inputs.random(network(), 2), {}, said.append)
    assert said[:2] == ["calibrating: image 1 of 2", "calibrating: image 2 of 2"]
    assert said[2:] == [f"quantizing {name}" for name in ("stem", "a", "b", "c", "d", "e", "fc")]


def test_an_average_that_cancels_is_0_in_integers(tmp_path):
    """Random images have a mean of 0, and so has their average but for rounding."""
    pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")
    from harness.onnx_cases import Model

    from hwsim.models.importers.onnx_layers import load

    model = Model((1, 4, 4))
    x = model.node("Conv", "x", model.store(np.ones((1, 1, 1, 1))))
    x = model.node("Squeeze", model.node("GlobalAveragePool", x), model.ints(2, 3))
    x = model.node("Gemm", x, model.store(np.ones((2, 1))), transB=1)
    found = load(model.save(tmp_path, x))
    images = inputs.random(found.config, 8, 0)
    checkpoint = quantize(found, images, {})
    (pool,) = checkpoint.rescales.values()
    assert 0 < pool.multipliers[0] < 1 << 16
    logits = golden.run(
        found.config, checkpoint, golden.input_act(images, checkpoint.input_scale)
    ).logits
    assert logits.shape == (8, 2)
