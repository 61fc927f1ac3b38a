"""Activation functions, one operation or composed of several, and products of tensors."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, images, refused, same

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.inference import golden
from hwsim.models.importers.calibrate import agreement, quantize
from hwsim.models.importers.onnx_layers import load


def one(op: str, **attributes):
    """A function that is one operation."""
    return lambda model, x: model.node(op, x, **attributes)


def number(model: Model, value: float) -> str:
    return model.store(value)


def silu(model: Model, x: str) -> str:
    return model.node("Mul", model.node("Sigmoid", x), x)


def hardswish(model: Model, x: str) -> str:
    """PaddlePaddle's form."""
    y = model.node("Add", x, number(model, 3))
    y = model.node("Clip", y, number(model, 0), number(model, 6))
    return model.node("Div", model.node("Mul", x, y), number(model, 6))


def hardswish_of_hardsigmoid(model: Model, x: str) -> str:
    """PyTorch's form."""
    return model.node("Mul", x, model.node("HardSigmoid", x, alpha=1 / 6, beta=0.5))


def gelu(model: Model, x: str) -> str:
    y = model.node("Erf", model.node("Div", x, number(model, 1.4142135)))
    y = model.node("Mul", x, model.node("Add", y, number(model, 1)))
    return model.node("Mul", y, number(model, 0.5))


def gelu_halved_first(model: Model, x: str) -> str:
    y = model.node("Erf", model.node("Mul", x, number(model, 0.70710677)))
    half = model.node("Mul", x, number(model, 0.5))
    return model.node("Mul", half, model.node("Add", number(model, 1), y))


def gelu_tanh(model: Model, x: str) -> str:
    y = model.node("Mul", model.node("Pow", x, number(model, 3)), number(model, 0.044715))
    y = model.node("Mul", model.node("Add", x, y), number(model, 0.7978845608))
    y = model.node("Add", model.node("Tanh", y), number(model, 1))
    return model.node("Mul", model.node("Mul", x, number(model, 0.5)), y)


def mish(model: Model, x: str) -> str:
    return model.node("Mul", x, model.node("Tanh", model.node("Softplus", x)))


def quick_gelu(model: Model, x: str) -> str:
    y = model.node("Mul", x, number(model, 1.702))
    return model.node("Mul", x, model.node("Sigmoid", y))


def bounded(low: float | None, high: float | None):
    def build(model: Model, x: str) -> str:
        limits = ["" if each is None else number(model, each) for each in (low, high)]
        return model.node("Clip", x, *limits)

    return build


FUNCTIONS = {
    "abs": ("abs", one("Abs")),
    "celu": ("celu", one("Celu", alpha=1.5)),
    "clip": ("clip", bounded(-0.5, 1)),
    "clip from below": ("clip", bounded(-0.5, None)),
    "clip from above": ("clip", bounded(None, 0.25)),
    "minimum": ("clip", lambda model, x: model.node("Min", number(model, 0.5), x)),
    "maximum": ("clip", lambda model, x: model.node("Max", x, number(model, -0.5))),
    "elu": ("elu", one("Elu")),
    "elu, alpha": ("elu", one("Elu", alpha=0.3)),
    "selu": ("elu", one("Selu")),
    "selu, parameters": ("elu", one("Selu", alpha=1.2, gamma=0.7)),
    "erf": ("erf", one("Erf")),
    "exp": ("exp", one("Exp")),
    "hardsigmoid": ("hardsigmoid", one("HardSigmoid")),
    "hardsigmoid, PyTorch": ("hardsigmoid", one("HardSigmoid", alpha=1 / 6)),
    "hardswish": ("hardswish", one("HardSwish")),
    "leaky_relu": ("leaky_relu", one("LeakyRelu")),
    "leaky_relu, alpha": ("leaky_relu", one("LeakyRelu", alpha=0.2)),
    "prelu": ("leaky_relu", lambda model, x: model.node("PRelu", x, number(model, 0.25))),
    "sigmoid": ("sigmoid", one("Sigmoid")),
    "softplus": ("softplus", one("Softplus")),
    "softsign": ("softsign", one("Softsign")),
    "tanh": ("tanh", one("Tanh")),
    "silu": ("silu", silu),
    "hardswish, composed": ("hardswish", hardswish),
    "hardswish of hardsigmoid": ("hardswish", hardswish_of_hardsigmoid),
    "gelu": ("gelu", gelu),
    "gelu, halved first": ("gelu", gelu_halved_first),
    "gelu_tanh": ("gelu_tanh", gelu_tanh),
    "mish": ("mish", mish),
    "quick_gelu": ("quick_gelu", quick_gelu),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_a_function_is_one_layer(tmp_path, case):
    function, build = FUNCTIONS[case]
    model = Model()
    x = build(model, model.conv("x", 4, 3))
    assert same(model, model.conv(x, 5, 4, pads=[1] * 4), tmp_path) == [
        "conv", "activation", "conv",
    ]  # fmt: skip
    assert load(tmp_path / "net.onnx").config.layers[1].function == function


@pytest.mark.parametrize("case", FUNCTIONS)
def test_a_function_in_integers_is_a_table(tmp_path, case):
    """The integers of the layer are those of the function, rounded; of all inputs that occur."""
    _, build = FUNCTIONS[case]
    model = Model((3, 12, 12))
    x = build(model, model.conv("x", 4, 3))
    found = load(model.save(tmp_path, model.conv(x, 5, 4)))
    pictures = images(model, 4)
    checkpoint = quantize(found, pictures, {})
    name = found.config.layers[1].name
    act = golden.input_act(pictures, checkpoint.input_scale)
    trace = golden.run(found.config, checkpoint, act)
    table = checkpoint.tables[name]
    assert (table.shape, table.dtype) == ((256,), np.int8)
    read = trace.ifmap[found.config.layers[2].name]
    assert set(np.unique(read).tolist()) <= set(table.tolist())
    assert agreement(found, checkpoint, pictures).correlation > 0.99


def test_a_slope_per_channel_is_a_table_per_channel(tmp_path):
    model = Model()
    slopes = np.array([0.5, -0.25, 0.0, 2.0])
    x = model.node("PRelu", model.conv("x", 4, 3), model.store(slopes.reshape(4, 1, 1)))
    x = model.node("PRelu", x, model.store(np.full((4, 1, 1), 0.1)))
    assert same(model, model.gemm(model.node("Flatten", x), 5, 168), tmp_path) == [
        "conv", "activation", "activation", "fc",
    ]  # fmt: skip
    found = load(tmp_path / "net.onnx")
    network = tmp_path / "net.yaml"
    network.write_text(found.config.to_yaml())
    assert NetworkConfig.read(network) == found.config
    first, second = found.config.layers[1:3]
    assert first.alpha == tuple(slopes)
    assert second.alpha == pytest.approx(0.1)
    pictures = images(model, 8)
    path = quantize(found, pictures, {}).write(tmp_path / "net.safetensors")
    checkpoint = Checkpoint.read(path, found.config)
    table, other = (checkpoint.tables[layer.name] for layer in (first, second))
    assert (table.shape, other.shape) == ((4, 256), (256,))
    act = np.random.default_rng(0).integers(-128, 128, (3, 4, 7, 6)).astype(np.int8)
    result = golden.looked_up(table, act)
    for image, channel, row, column in np.ndindex(act.shape):
        right = table[channel, int(act[image, channel, row, column]) + 128]
        assert result[image, channel, row, column] == right
    # the slopes of negative values, in steps of the result
    ratios = (table[:, 28].astype(float) - table[:, 128]) / (table[3, 28] / 2.0)
    np.testing.assert_allclose(ratios, slopes, atol=0.06)
    assert agreement(found, checkpoint, pictures).correlation > 0.99


@pytest.mark.parametrize(
    ("alpha", "function", "line"),
    [
        ([0.1, 0.2], "leaky_relu", "alpha must be one number, or 3: one per channel"),
        ([0.1, 0.2, 0.3], "elu", "alpha must be one number: only leaky_relu has one per channel"),
    ],
)
def test_parameters_per_channel_that_do_not_fit_are_refused(alpha, function, line):
    layer = {"name": "a", "type": "activation", "function": function, "alpha": alpha}
    raw = {"name": "net", "input": {"channels": 3}, "layers": [layer]}
    with pytest.raises(ValueError, match=line):
        NetworkConfig.model_validate(raw)


def test_a_composed_function_whose_nodes_are_numbered_has_a_name(tmp_path):
    """PyTorch names nodes after modules: ``/4/Mul_2``."""
    model = Model()
    x = model.conv("x", 4, 3, name="/0/Conv")
    model.node("Mul", x, model.node("Sigmoid", x, name="/1/Sigmoid"), name="/1/Mul")
    found = load(model.save(tmp_path, "out2"))
    assert [layer.name for layer in found.config.layers] == ["conv_0", "activation_1.Mul"]


def test_functions_of_values_and_of_transposed_tensors(tmp_path):
    model = Model()
    x = silu(model, model.node("Transpose", model.conv("x", 4, 3), perm=[0, 2, 3, 1]))
    x = model.node("Reshape", x, model.ints(0, -1))
    x = model.node("Tanh", model.gemm(x, 5, 168))
    assert same(model, model.gemm(x, 3, 5), tmp_path) == [
        "conv", "activation", "fc", "activation", "fc",
    ]  # fmt: skip


def test_a_part_of_a_function_that_others_read_is_a_layer_as_well(tmp_path):
    model = Model()
    x = model.conv("x", 4, 3)
    gate = model.node("Sigmoid", x)
    x = model.node("Add", model.node("Mul", x, gate), gate)
    assert same(model, x, tmp_path) == ["conv", "activation", "activation", "add"]
    functions = {layer.function for layer in load(tmp_path / "net.onnx").config.layers}
    assert functions == {None, "sigmoid", "silu"}


def test_a_clip_without_limits_is_nothing(tmp_path):
    model = Model()
    x = bounded(None, None)(model, model.conv("x", 4, 3))
    assert same(model, x, tmp_path) == ["conv"]


def test_a_relu_behind_a_function_is_part_of_it(tmp_path):
    model = Model()
    x = model.node("Relu", model.node("Tanh", model.conv("x", 4, 3)))
    assert same(model, model.conv(x, 5, 4), tmp_path) == ["conv", "activation", "conv"]


def test_an_unknown_function_of_one_tensor_is_a_product(tmp_path):
    """``x * tanh(x)``: no layer has it, but products are layers."""
    model = Model()
    x = model.conv("x", 4, 3)
    x = model.node("Mul", x, model.node("Tanh", x))
    assert same(model, x, tmp_path) == ["conv", "activation", "mul"]
    square = Model()
    x = square.conv("x", 4, 3)
    assert same(square, square.node("Mul", x, x), tmp_path) == ["conv", "mul"]


def test_squeeze_and_excitation(tmp_path):
    model = Model()
    x = model.node("Relu", model.conv("x", 4, 3))
    y = model.node("Relu", model.conv(model.node("GlobalAveragePool", x), 2, 4, kernel=1))
    y = model.node("Sigmoid", model.conv(y, 4, 2, kernel=1))
    x = model.node("Mul", y, x)
    kinds = same(model, model.conv(x, 5, 4), tmp_path)
    assert kinds == ["conv", "globalavgpool", "conv", "conv", "activation", "mul", "conv"]
    found = load(tmp_path / "net.onnx")
    pictures = images(model, 4)
    checkpoint = quantize(found, pictures, {})
    assert agreement(found, checkpoint, pictures).correlation > 0.99


def test_a_gate_of_one_value_per_pixel(tmp_path):
    model = Model()
    x = model.conv("x", 4, 3)
    gate = model.node("Sigmoid", model.conv(x, 1, 4, pads=[1] * 4))
    assert same(model, model.node("Mul", x, gate), tmp_path)[-1] == "mul"


@pytest.mark.parametrize("seed", range(6))
def test_the_integer_product_is_that_of_plain_loops(tmp_path, seed):
    print("seed", seed)
    model = Model(seed=seed)
    a, b = model.conv("x", 4, 3), model.conv("x", 4, 3)
    if seed % 2:
        b = model.node("GlobalAveragePool", b)
    found = load(model.save(tmp_path, model.node("Relu", model.node("Mul", a, b))))
    pictures = images(model, 2)
    checkpoint = quantize(found, pictures, {})
    act = golden.input_act(pictures, checkpoint.input_scale)
    shape = found.config.shapes()[-1]
    rng = np.random.default_rng(seed)
    left = rng.integers(-128, 128, (2, 4, 7, 6)).astype(np.int8)
    right = rng.integers(-128, 128, (2, 4, 1, 1) if seed % 2 else (2, 4, 7, 6)).astype(np.int8)
    rescale = checkpoint.rescales[shape.layer.name]
    products = golden.rescaled(shape, rescale, [left, right])
    (multiplier,), shift = rescale.multipliers, rescale.shift
    for index in np.ndindex(products.shape):
        other = (*index[:2], 0, 0) if seed % 2 else index
        exact = int(left[index]) * int(right[other]) * multiplier
        rounded = (exact + (1 << shift >> 1)) >> shift
        assert products[index] == min(max(rounded, 0), 127), index
    assert golden.run(found.config, checkpoint, act).logits.shape == (2, 168)


REFUSED = {
    "limits that cross": (
        lambda model: bounded(1, -1)(model, "x"),
        "min, max = (1.0, -1.0): must not cross",
    ),
    "a slope per pixel": (
        lambda model: model.node("PRelu", "x", model.random(3, 9, 8)),
        "slope = (3, 9, 8): must be one number, or one for each channel",
    ),
    "other shapes": (
        lambda model: model.node("Mul", "x", model.conv("x", 3, 3)),
        "inputs must have the same shape, or one value for each channel or pixel",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_layer_has_is_refused(tmp_path, case):
    build, line = REFUSED[case]
    model = Model()
    refused(model, build(model), tmp_path, line)


def test_weights_that_are_dequantized_are_taken(tmp_path):
    """Weight-only quantization: the integers times their scale, per tensor and per channel."""
    model = Model(opset=13)
    weight = model.store(model.rng.integers(-127, 128, (4, 3, 3, 3)), dtype=np.int8)
    x = model.node("Conv", "x", model.node("DequantizeLinear", weight, model.store(0.01)))
    scales = model.store(model.rng.uniform(0.001, 0.01, 5))
    weight = model.store(model.rng.integers(-127, 128, (5, 4, 1, 1)), dtype=np.int8)
    x = model.node("Conv", x, model.node("DequantizeLinear", weight, scales, axis=0))
    found = load(model.save(tmp_path, x))
    real = [layer.weight for layer in found.layers.values()]
    np.testing.assert_allclose(real[0] / 0.01, np.rint(real[0] / 0.01), atol=1e-4)
    steps = real[1] / np.frombuffer(model.stored[2].raw_data, np.float32)[:, None, None, None]
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
