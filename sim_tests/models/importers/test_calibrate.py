"""Quantized checkpoints compute what the float networks compute, closely."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint
from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.inference import images as inputs
from hwsim.models.importers.calibrate import CLEARED, Settings, agreement, calibrate, quantize
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.models.importers.ranges import Ranges
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
    # a channel's scale is large enough for its bias
    assert 2**29 <= checkpoint.layers["e"].bias.max() < 2**31 - 1
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
    weighted = ("stem", "a", "b", "c", "d", "e", "fc")
    assert said[2:9] == [f"quantizing {name}" for name in weighted]
    assert said[9:] == [f"correcting biases: {name}" for name in weighted]


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


def spread(seed: int) -> FloatModel:
    """A depthwise layer with one channel of large weights, whose input is small.

    As batch normalization leaves them.
    """
    layers = [
        {"name": "stem", "type": "conv", "M": 16, "R": 3, "padding": 1, "relu": True},
        {"name": "deep", "type": "conv", "M": 16, "R": 3, "G": 16, "padding": 1},
        {"name": "point", "type": "conv", "M": 24, "R": 1, "relu": True},
        {"name": "pool", "type": "globalavgpool"},
        {"name": "fc", "type": "fc", "M": 10},
    ]
    model = drawn(network(layers=layers), seed)
    model.layers["stem"].weight[0] /= 50
    model.layers["stem"].bias[0] /= 50
    model.layers["deep"].weight[0] *= 50
    return model


@pytest.mark.parametrize("seed", range(3))
def test_a_scale_per_channel_keeps_what_one_per_layer_loses(seed):
    print("seed", seed)
    model = spread(seed)
    seen, fresh = (inputs.random(model.config, 12, seed=s) for s in (seed, 100 + seed))
    found = [
        agreement(model, quantize(model, seen, {}, settings=settings), fresh).correlation
        for settings in (Settings(), Settings(per_channel=False))
    ]
    print(found)
    assert 1 - found[0] < 0.5 * (1 - found[1])


def test_each_channel_has_its_scale_but_the_last_layer_has_one():
    model = spread(1)
    checkpoint = quantize(model, inputs.random(model.config, 4), {})
    for name, own in checkpoint.layers.items():
        scales = np.atleast_1d(own.weight_scale)
        assert len(scales) == (1 if name == "fc" else len(own.bias))
        largest = np.abs(model.layers[name].weight.reshape(len(own.bias), -1)).max(axis=1)
        assert (np.abs(own.weight.reshape(len(own.bias), -1)).max(axis=1) >= 50).all() or (
            name == "fc"
        )
        assert (scales * 127 <= largest * (1 + 1e-9)).all() or name == "fc"
    one = quantize(model, inputs.random(model.config, 4), {}, settings=Settings(per_channel=False))
    assert all(isinstance(own.weight_scale, float) for own in one.layers.values())


def test_a_channel_of_next_to_nothing_keeps_its_bias():
    """Batch normalization leaves channels whose weights are 1e-9 and whose bias matters."""
    model = spread(2)
    model.layers["deep"].weight[3] = 1e-9
    model.layers["deep"].bias[3] = 2.5
    images = inputs.random(model.config, 4)
    scales = calibrate(model, images)
    checkpoint = quantize(model, images, {})
    trace = golden.run(model.config, checkpoint, golden.input_act(images, checkpoint.input_scale))
    found = trace.ifmap["point"][:, 3] * scales["deep"]
    np.testing.assert_allclose(found, 2.5, atol=0.51 * scales["deep"])


@pytest.mark.parametrize("seed", range(3))
def test_corrected_biases_leave_no_mean_error(seed):
    print("seed", seed)
    model = spread(seed)
    # bright ones: what rounding does to the weights of a channel adds up
    images = inputs.random(model.config, 12, seed=seed) + 2
    scales = calibrate(model, images)
    errors = []
    for settings in (Settings(), Settings(correct_bias=False)):
        checkpoint = quantize(model, images, {}, settings=settings)
        act = golden.input_act(images, checkpoint.input_scale)
        stem = model.config.shapes()[0]
        integers = golden.layer_sums(stem, checkpoint.layers["stem"], act).mean(axis=(0, 2, 3))
        unit = scales["input"] * checkpoint.layers["stem"].weight_scales
        errors.append(np.abs(integers * unit - model.sums(stem, [images]).mean(axis=(0, 2, 3))))
    # half a unit of the partial sum
    assert (errors[0] <= 0.51 * unit).all()
    assert (errors[1] > 5 * unit).any()


def test_ranges_follow_the_method():
    values = np.concatenate([np.linspace(-1, 1, 9999), [100.0]]).astype(np.float32)
    assert Ranges("minmax").scale(values, 127) == pytest.approx(100 / 127)
    assert Ranges("percentile", 99.0).scale(values, 127) == pytest.approx(0.99 / 127, rel=1e-2)
    searched = Ranges("mse").scale(values, 127)
    tried = [searched, 100 / 127]
    errors = [
        np.square(values - np.clip(np.rint(values / scale), -127, 127) * scale).sum()
        for scale in tried
    ]
    assert errors[0] <= errors[1]
    assert Ranges("percentile").scale(np.zeros(5), 127) == 1.0
    # nearly all of it is 0: the largest value counts all the same
    assert Ranges("percentile", 90).scale(np.eye(20), 127) == pytest.approx(1 / 127)
    assert [str(Ranges(*each)) for each in (("mse",), ("percentile", 99.9))] == [
        "mse", "percentile 99.9",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("entropy",), "ranges = 'entropy': must be one of mse, minmax, percentile"),
        (("percentile", 12.0), "percentile = 12.0: must be above 50 and at most 100"),
        (("percentile", float("nan")), "must be above 50"),
    ],
)
def test_ranges_that_are_none_are_refused(arguments, line):
    with pytest.raises(InputError, match=line):
        Ranges(*arguments)


def test_saturation_is_counted_on_the_images_that_are_compared():
    model = drawn(network(), 3)
    checkpoint = quantize(model, inputs.random(model.config, 8), {})
    bright = inputs.random(model.config, 4, seed=9) * 4
    calm = agreement(model, checkpoint, inputs.random(model.config, 4, seed=9))
    loud = agreement(model, checkpoint, bright)
    steps = np.rint(bright / checkpoint.input_scale)
    assert loud.saturated == np.count_nonzero((steps < -128) | (steps > 127)) / steps.size
    assert calm.saturated < 0.05 < loud.saturated
    # d reads a ReLU6, whose largest integer is right
    assert set(loud.saturated_layers) == {"stem", "a", "b", "c", "e", "fc"}
    assert loud.saturated_layers["a"] > calm.saturated_layers["a"]


def changed(change) -> FloatModel:
    """Random weights, each layer's changed: ``change(name, weight, bias)``."""
    model = drawn(network(), 1)
    layers = {
        name: LayerFloats(*(part.astype(np.float32) for part in change(name, own.weight, own.bias)))
        for name, own in model.layers.items()
    }
    return FloatModel(model.config, layers, "drawn")


@pytest.mark.parametrize(
    ("change", "layer"),
    [
        (lambda name, weight, bias: (np.clip(weight, -1, 1) * 1e38, bias), "stem"),
        (lambda name, weight, bias: (weight, bias * 0 + 3e38), "a"),
    ],
    ids=["weights", "biases"],
)
def test_activations_beyond_single_precision_are_refused(change, layer):
    model = changed(change)
    images = inputs.random(model.config, 2, seed=1)
    with pytest.raises(InputError, match=f"drawn: {layer}: must give activations within single"):
        quantize(model, images, {})


@pytest.mark.parametrize("ranges", ["mse", "minmax"])
@pytest.mark.parametrize("scale", [0, 1e-42, 1e-20])
@pytest.mark.parametrize("where", ["a", "fc", ""])
def test_weights_of_next_to_nothing_are_named(scale, where, ranges):
    """Denormal weights, and those far below their bias, become 0; no warning, and it is said."""

    def small(name, weight, bias):
        return weight * (scale if where in ("", name) else 1), bias

    model = changed(small)
    images = inputs.random(model.config, 4, seed=1)
    info = {}
    checkpoint = quantize(model, images, info, settings=Settings(Ranges(ranges)))
    lost = {
        name
        for name, own in checkpoint.layers.items()
        if model.layers[name].weight.any() and not own.weight.any()
    }
    assert set(info.get(CLEARED, [])) == lost
    assert scale != 1e-20 or where == "" or where in lost
    # what is left is computed as before: biases are not cut
    limits = np.iinfo(np.int32)
    assert all(
        (np.abs(own.bias.astype(np.int64)) < limits.max).all() for own in checkpoint.layers.values()
    )
    if model.layers["fc"].bias.any() and model.logits(np.float32(images / 255)).std():
        assert agreement(model, checkpoint, images).correlation > 0.99


@pytest.mark.parametrize("per_channel", [True, False])
def test_weights_of_fewer_bits(per_channel):
    """Each bit that is left out costs; integers stay within the width, and use all of it."""
    model = drawn(network(), 5)
    images = inputs.random(model.config, 12, seed=5)
    found = []
    for bits in (8, 6, 4, 3):
        settings = Settings(per_channel=per_channel, weight_bits=bits)
        checkpoint = quantize(model, images[:8], {}, settings=settings)
        for layer in checkpoint.layers.values():
            assert layer.weight_bits == bits
            assert np.abs(layer.weight).max() == (1 << (bits - 1)) - 1
        found.append(agreement(model, checkpoint, images[8:]).correlation)
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.999
    assert found[2] > 0.95
