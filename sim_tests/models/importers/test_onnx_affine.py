"""Constants that scale and shift are folded into weights, or kept as a layer per channel."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, refused, same
from onnx import numpy_helper

from hwsim.models.importers.onnx_layers import load


def of_channels(model: Model, channels: int, low: float = -1.0) -> str:
    """A constant in one of the shapes that exporters write: one number, or one per channel."""
    shapes = [(), (1,), (channels, 1, 1), (1, channels, 1, 1)]
    shape = shapes[int(model.rng.integers(len(shapes)))]
    return model.store(model.rng.uniform(low, 2, shape))


def step(model: Model, x: str, channels: int) -> str:
    """One operation that scales or shifts each channel."""
    constant = of_channels(model, channels)
    match model.rng.choice(["mul", "div", "add", "sub", "from", "norm", "neg"]):
        case "mul":
            return model.node("Mul", *model.rng.permutation([x, constant]))
        case "div":
            return model.node("Div", x, of_channels(model, channels, 0.5))
        case "add":
            return model.node("Add", *model.rng.permutation([constant, x]))
        case "sub":
            return model.node("Sub", x, constant)
        case "from":
            return model.node("Sub", constant, x)
        case "norm":
            return model.batch_norm(x, channels)
        case _:
            return model.node("Neg", x)


@pytest.mark.parametrize("seed", range(60))
def test_chains_anywhere_compute_the_same(tmp_path, seed):
    """Before and behind convolutions with and without padding, sums, pools, joins, flattening."""
    print("seed", seed)
    model = Model(seed=seed)
    x, channels = "x", 3
    for _ in range(int(model.rng.integers(1, 5))):
        for _ in range(int(model.rng.integers(0, 4))):
            x = step(model, x, channels)
        match model.rng.choice(["conv", "grouped", "relu", "add", "pool", "concat"]):
            case "conv":
                padding = int(model.rng.integers(2))
                x, channels = model.conv(x, 4, channels, pads=[1 + padding] * 4), 4
            case "grouped":
                x = model.conv(x, 2 * channels, 1, group=channels, pads=[1] * 4)
                channels *= 2
            case "relu":
                x = model.node("Relu", x)
            case "add":
                x = model.node("Add", x, step(model, x, channels))
            case "pool":
                x = model.node("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4)
            case "concat":
                x, channels = (
                    model.node("Concat", x, step(model, x, channels), axis=1),
                    2 * channels,
                )
    for _ in range(int(model.rng.integers(0, 4))):
        x = step(model, x, channels)
    x = model.node("GlobalAveragePool", x)
    for _ in range(int(model.rng.integers(0, 3))):
        x = step(model, x, channels)
    x = model.gemm(model.node("Flatten", x), 5, channels)
    same(model, model.node("Mul", x, model.store(model.rng.uniform(0.5, 2, 5))), tmp_path)


def test_what_nothing_else_reads_costs_no_layer(tmp_path):
    model = Model()
    x = model.node("Div", model.node("Sub", "x", of_channels(model, 3)), model.store(0.25))
    x = model.conv(x, 4, 3)
    x = model.node("Mul", x, model.random(4, 1, 1))
    x = model.node("Relu", model.node("Sub", model.batch_norm(x, 4), model.random(4, 1, 1)))
    # behind the ReLU, before a convolution without padding
    assert same(model, model.conv(model.batch_norm(x, 4), 5, 4), tmp_path) == ["conv", "conv"]


@pytest.mark.parametrize(("padding", "kinds"), [(0, ["conv"]), (1, ["conv", "conv"])])
def test_a_shift_before_padding_is_a_layer_of_its_own(tmp_path, padding, kinds):
    """The border is 0 behind the shift; before it, it would have to be another value."""
    model = Model()
    x = model.conv(model.batch_norm("x", 3), 4, 3, pads=[padding] * 4)
    assert same(model, x, tmp_path) == kinds
    scaled = Model()
    x = scaled.conv(scaled.node("Mul", "x", scaled.random(3, 1, 1)), 4, 3, pads=[padding] * 4)
    assert same(scaled, x, tmp_path) == ["conv"]


def test_a_normalization_before_a_relu_is_one_layer_per_channel(tmp_path):
    """DenseNet and ResNetV2: normalization behind a sum or a join."""
    model = Model()
    a = model.node("Relu", model.conv("x", 4, 3, pads=[1] * 4))
    x = model.node("Concat", a, model.conv(a, 4, 4, pads=[1] * 4), axis=1)
    x = model.node("Relu", model.batch_norm(x, 8))
    assert same(model, model.conv(x, 5, 8), tmp_path) == ["conv", "conv", "concat", "conv", "conv"]
    layer = load(tmp_path / "net.onnx").config.layers[3]
    assert (layer.G, layer.M, layer.R, layer.relu) == (8, 8, 1, True)


def test_a_value_that_several_read_is_scaled_once(tmp_path):
    model = Model()
    x = model.batch_norm(model.node("Relu", model.conv("x", 4, 3)), 4)
    y = model.node("Add", model.node("Relu", x), model.node("MaxPool", x, kernel_shape=[1, 1]))
    assert same(model, y, tmp_path) == ["conv", "conv", "maxpool", "maxpool", "add"]


def test_a_constant_for_each_value_is_folded_where_a_product_reads_it(tmp_path):
    model = Model()
    x = model.node("Mul", "x", model.store(model.rng.normal(size=(3, 9, 8))))
    x = model.node("Add", model.node("Flatten", x), model.store(model.rng.normal(size=216)))
    assert same(model, model.gemm(x, 4, 216), tmp_path) == ["fc"]


def test_a_sum_of_tensors_and_constants(tmp_path):
    model = Model()
    a, b = model.conv("x", 4, 3), model.conv("x", 4, 3)
    constants = [model.store(10.0), model.random(4, 1, 1)]
    same(model, model.node("Sum", a, constants[0], b, constants[1]), tmp_path)


def test_pixels_stand_for_0_to_1(tmp_path):
    """A file that takes bytes and divides them by 255 itself."""
    model = Model()
    model.inputs[0].type.tensor_type.elem_type = 2
    x = model.node("Mul", model.node("Cast", "x", to=1), model.store(1 / 255))
    path = model.save(tmp_path, model.conv(x, 4, 3))
    (layer,) = load(path).layers.values()
    weight = numpy_helper.to_array(model.stored[1])
    np.testing.assert_allclose(layer.weight, weight, rtol=1e-6)


REFUSED = {
    "divisor of 0": (
        lambda model: model.node("Div", "x", model.store([1.0, 0.0, 2.0], None)),
        "must divide by a constant that is not 0",
    ),
    "division of a constant": (
        lambda model: model.node("Div", model.store(1.0), "x"),
        "must divide by a constant",
    ),
    "constant that is larger": (
        lambda model: model.node("Mul", "x", model.store(np.ones((2, 3, 9, 8)))),
        "constant shape = (2, 3, 9, 8): must broadcast to (3, 9, 8), the shape of one image",
    ),
    "maximum of a number for each channel": (
        lambda model: model.node("Max", "x", model.store(np.ones((3, 1, 1)))),
        "must be of one tensor and a constant number",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fold_is_refused(tmp_path, case):
    build, line = REFUSED[case]
    model = Model(opset=14)
    refused(model, build(model), tmp_path, line)


def test_a_difference_of_tensors(tmp_path):
    """The sign is part of the weights where nothing else reads their sums."""
    model = Model()
    one, other = model.conv("x", 4, 3), model.conv("x", 4, 3)
    assert same(model, model.node("Sub", one, other), tmp_path) == ["conv", "conv", "add"]
    model = Model()
    one, other = model.conv("x", 4, 3), model.conv("x", 4, 3)
    both = model.node("Add", model.node("Sub", one, other), other)
    assert same(model, both, tmp_path) == ["conv", "conv", "conv", "add", "add"]
    model = Model((6,))
    one, other = model.gemm("x", 4, 6), model.gemm("x", 4, 6)
    apart = model.node("Abs", model.node("Sub", one, model.node("Relu", other)))
    assert same(model, apart, tmp_path) == ["fc", "fc", "conv", "add", "activation"]
