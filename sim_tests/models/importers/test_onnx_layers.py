"""ONNX models become networks that compute the same, or are refused in one clear line."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, drawn, images, reference, refused, same

from hwsim.models.importers.calibrate import agreement, quantize
from hwsim.models.importers.onnx_layers import load

CONVOLUTIONS = {
    "plain": {},
    "pads": {"pads": [1, 1, 1, 1]},
    "stride": {"strides": [2, 2], "pads": [2, 2, 2, 2]},
    "dilation": {"dilations": [2, 2]},
    "wide": {"kernel": (1, 4)},
    "pads by side": {"pads": [0, 2, 1, 3]},
    "pads by direction": {"pads": [0, 1, 0, 1], "kernel": (1, 3)},
    "strides by direction": {"strides": [1, 3], "pads": [1, 0, 2, 0]},
    "dilations by direction": {"dilations": [3, 1]},
    "same, even": {"auto_pad": "SAME_UPPER", "kernel": (2, 2)},
    "same, even, lower": {"auto_pad": "SAME_LOWER", "kernel": (2, 4)},
    "same, stride": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "no bias": {"bias": False},
    "kernel shape": {"kernel_shape": [3, 3]},
    "valid": {"auto_pad": "VALID"},
    "same upper": {"auto_pad": "SAME_UPPER"},
    "same lower, stride": {"auto_pad": "SAME_LOWER", "strides": [2, 2], "kernel": (3, 4)},
    "not set": {"auto_pad": "NOTSET", "pads": [1, 1, 1, 1]},
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution(tmp_path, case):
    model = Model()
    assert same(model, model.conv("x", 4, 3, **CONVOLUTIONS[case]), tmp_path) == ["conv"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [1] * 4},
        {"pads": [0, 2, 1, 1], "strides": [2, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"strides": [2, 2], "ceil_mode": 1},
    ],
)
def test_averages_of_the_pixels_inside(tmp_path, attributes):
    """Padding does not count: Inception, ShuffleNet, TensorFlow's SAME."""
    model = Model()
    x = model.node("AveragePool", model.conv("x", 4, 3), kernel_shape=[3, 3], **attributes)
    assert same(model, model.conv(x, 2, 4, kernel=1), tmp_path) == ["conv", "avgpool", "conv"]
    found = load(tmp_path / "net.onnx")
    assert not found.config.layers[1].count_include_pad
    pictures = images(model, 3)
    checkpoint = quantize(found, pictures, {})
    assert agreement(found, checkpoint, pictures).correlation > 0.99


@pytest.mark.parametrize("seed", range(20))
def test_a_max_pool_of_any_window_is_pytorchs(tmp_path, seed):
    """ONNX's evaluator mistakes the sides of padding at stride 1."""
    torch = pytest.importorskip("torch")
    print("seed", seed)
    model = Model(seed=seed)
    kernel, dilation = model.rng.integers(1, 4, 2).tolist(), model.rng.integers(1, 3, 2).tolist()
    stride = [1, 1] if seed % 2 else model.rng.integers(1, 4, 2).tolist()
    pads = [int(model.rng.integers(0, size)) for size in kernel * 2]
    x = model.node(
        "MaxPool", "x", kernel_shape=kernel, strides=stride, dilations=dilation, pads=pads
    )
    act = images(model, 2)
    top, left, bottom, right = pads
    padded = torch.nn.functional.pad(
        torch.from_numpy(act), (left, right, top, bottom), value=-np.inf
    )
    expected = torch.nn.functional.max_pool2d(padded, kernel, stride, 0, dilation).numpy()
    found = load(model.save(tmp_path, x)).logits(act)
    np.testing.assert_array_equal(found, expected.reshape(2, -1))


@pytest.mark.parametrize("opset", [7, 8, 9, 11, 13, 15])
def test_a_normalization_of_any_version_is_one_of_inference(tmp_path, opset):
    """ONNX's evaluator normalizes by the batch in versions 7 to 13; files do not."""
    logits = []
    for version in (opset, 17):
        model = Model(opset=version)
        x = model.batch_norm(model.node("Relu", model.conv("x", 4, 3)), 4, epsilon=1e-3)
        path = model.save(tmp_path, model.conv(x, 2, 4, pads=[1] * 4))
        logits.append(load(path).logits(images(model)))
    np.testing.assert_array_equal(*logits)


def test_convolutions_and_pools_of_lines(tmp_path):
    """One-dimensional: activations of one row."""
    model = Model((3, 20))

    def line(x, m, c, **attributes):
        return model.node("Conv", x, model.random(m, c, 3), model.random(m), **attributes)

    x = model.node("Relu", model.batch_norm(line("x", 4, 3, pads=[2, 1], strides=[2]), 4))
    x = line(x, 4, 2, group=2, dilations=[2], auto_pad="SAME_UPPER")
    x = model.node("MaxPool", x, kernel_shape=[3], strides=[2], pads=[1, 0])
    y = model.node("AveragePool", x, kernel_shape=[2])
    x = model.node("ReduceMean", model.node("Add", y, y), axes=[2], keepdims=0)
    kinds = same(model, model.gemm(x, 5, 4), tmp_path)
    assert kinds == ["conv", "conv", "maxpool", "avgpool", "add", "globalavgpool", "fc"]
    # 2 rows of padding that one row of activations does not have are not counted
    shapes = load(tmp_path / "net.onnx").config.shapes()
    assert [shape.macs for shape in shapes[:2]] == [4 * 3 * 3 * 11, 4 * 2 * 3 * 11]


def test_lines_that_a_file_turns_into_images(tmp_path):
    """A one-dimensional convolution as some exporters write it: Unsqueeze, Conv, Squeeze."""
    model = Model((3, 20))
    x = model.node("Unsqueeze", "x", model.ints(2))
    x = model.conv(x, 4, 3, kernel=(1, 5), pads=[0, 2, 0, 2])
    x = model.node("Squeeze", x, model.ints(2))
    assert same(model, model.node("GlobalAveragePool", x), tmp_path) == ["conv", "globalavgpool"]


def padded(model: Model, x: str, *pads: int) -> str:
    """A Pad of zeros."""
    return model.node("Pad", x, model.ints(*pads), model.store(0.0))


PADDED = {
    "conv": (lambda model, x: model.conv(x, 4, 4, pads=[0, 1, 2, 0]), ["conv", "conv"]),
    "two": (
        lambda model, x: model.node("Concat", model.conv(x, 4, 4), model.conv(x, 3, 4), axis=1),
        ["conv", "conv", "conv", "concat"],
    ),
    "pool of ReLU": (
        lambda model, x: model.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2]),
        ["conv", "maxpool"],
    ),
    "a small pool": (
        lambda model, x: model.node("MaxPool", x, kernel_shape=[1, 2]),
        ["conv", "avgpool", "maxpool"],
    ),
    "average": (
        lambda model, x: model.node("AveragePool", x, kernel_shape=[3, 3]),
        ["conv", "avgpool", "avgpool"],
    ),
    "same": (
        lambda model, x: model.conv(x, 4, 4, auto_pad="SAME_UPPER", strides=[2, 2]),
        ["conv", "avgpool", "conv"],
    ),
    "output": (lambda model, x: x, ["conv", "avgpool"]),
}


@pytest.mark.parametrize("case", PADDED)
@pytest.mark.parametrize("is_shifted", [False, True])
def test_zeros_around_activations(tmp_path, case, is_shifted):
    """They are padding of what reads them where that is the same, else a layer of their own."""
    build, kinds = PADDED[case]
    model = Model()
    x = model.node("Relu", model.conv("x", 4, 3))
    if is_shifted:
        x = model.batch_norm(x, 4)
    x = padded(model, x, 0, 0, 1, 0, 0, 0, 2, 1)
    found = same(model, build(model, x), tmp_path)
    if not is_shifted:
        assert found == kinds
    else:
        # zeros are behind the shift, which is a layer
        assert found[:2] == ["conv", "conv"]


def test_zeros_at_chosen_axes_and_in_old_files(tmp_path):
    model = Model(opset=18)
    x = model.node("Pad", "x", model.ints(2, 1), "", model.ints(-1))
    assert same(model, model.conv(x, 4, 3), tmp_path) == ["conv"]
    assert load(tmp_path / "net.onnx").config.layers[0].pads == (0, 2, 0, 1)
    model = Model(opset=10)
    x = model.node("Pad", "x", pads=[0, 0, 1, 1, 0, 0, 1, 1])
    assert same(model, model.conv(x, 4, 3), tmp_path) == ["conv"]


def test_grouped_and_depthwise_convolutions(tmp_path):
    model = Model((6, 5, 5))
    x = model.conv("x", 4, 3, group=2)
    x = model.conv(x, 8, 1, group=4)
    assert same(model, x, tmp_path) == ["conv", "conv"]
    assert [layer.G for layer in load(tmp_path / "net.onnx").config.layers] == [2, 4]


@pytest.mark.parametrize(
    "attributes", [{}, {"alpha": 0.5, "beta": 2.0}, {"transB": 0}], ids=["plain", "scaled", "trans"]
)
@pytest.mark.parametrize("bias", [None, (5,), (1, 5), ()])
def test_gemm(tmp_path, attributes, bias):
    model = Model((3, 2, 2))
    attributes = {"transB": 1} | attributes
    weight = model.random(*((5, 12) if attributes["transB"] else (12, 5)))
    stored = [] if bias is None else [model.store(model.rng.normal(size=bias))]
    x = model.node("Gemm", model.node("Flatten", "x"), weight, *stored, **attributes)
    assert same(model, x, tmp_path) == ["fc"]


@pytest.mark.parametrize("flipped", [False, True])
def test_matmul_and_its_bias(tmp_path, flipped):
    model = Model((3, 2, 2))
    x = model.node("MatMul", model.node("Flatten", "x"), model.random(12, 5))
    operands = [x, model.random(5)]
    x = model.node("Add", *(operands[::-1] if flipped else operands))
    x = model.node("MatMul", model.node("Relu", x), model.random(5, 4))
    assert same(model, x, tmp_path) == ["fc", "fc"]


def test_a_network_of_vectors(tmp_path):
    model = Model((6,))
    x = model.node("Relu", model.gemm("x", 5, 6))
    assert same(model, model.gemm(x, 3, 5), tmp_path) == ["fc", "fc"]


def test_normalization_is_folded_wherever_it_may_be(tmp_path):
    model = Model()
    x = model.batch_norm(model.conv("x", 4, 3, bias=False), 4, epsilon=0.01)
    x = model.node("Relu", x)
    x = model.conv(x, 5, 4)
    x = model.node("Add", x, model.store(model.rng.normal(size=(1, 5, 1, 1))))
    x = model.batch_norm(model.node("Identity", x), 5)
    x = model.gemm(model.node("Flatten", x), 6, 5 * 5 * 4)
    assert same(model, model.batch_norm(x, 6), tmp_path) == ["conv", "conv", "fc"]


def test_a_relu_that_others_read_around_is_a_layer_of_its_own(tmp_path):
    model = Model()
    x = model.conv("x", 4, 3)
    y = model.node("Relu", x)
    assert same(model, model.node("Add", x, y), tmp_path) == ["conv", "maxpool", "add"]


def test_a_relu_through_an_alias_that_others_read_is_a_layer_of_its_own(tmp_path):
    model = Model()
    x = model.conv("x", 4, 3)
    y = model.node("Relu", model.node("Identity", x))
    assert same(model, model.node("Add", y, x), tmp_path) == ["conv", "maxpool", "add"]


def test_a_relu_of_the_input_and_two_in_a_row(tmp_path):
    model = Model()
    x = model.node("Relu", model.node("Relu", "x"))
    assert same(model, model.conv(x, 4, 3), tmp_path)[0] == "maxpool"


@pytest.mark.parametrize("opset", [6, 17])
@pytest.mark.parametrize("largest", [0.5, 3.4e38])
def test_a_relu_that_saturates(tmp_path, opset, largest):
    model = Model(opset=opset)
    x = model.conv("x", 4, 3)
    if opset == 6:
        x = model.node("Clip", x, min=0.0, max=np.float32(largest).item())
    else:
        x = model.node("Clip", x, model.store(0.0), model.store(np.float32(largest)))
    assert same(model, x, tmp_path) == ["conv"]
    (layer,) = load(tmp_path / "net.onnx").config.layers
    assert layer.relu_max == (0.5 if largest == 0.5 else None)


def test_a_relu_that_saturates_has_a_scale_of_its_own(tmp_path):
    """Neither a max-pool nor activations that other nodes read can carry the saturation."""
    model = Model()
    limits = [model.store(0.0), model.store(0.5)]
    x = model.conv("x", 4, 3)
    y = model.node("Clip", model.node("MaxPool", x, kernel_shape=[1, 1]), *limits)
    z = model.node("Clip", x, *limits)
    x = model.node("Sum", x, y, z)
    assert same(model, x, tmp_path) == ["conv", "maxpool", "avgpool", "avgpool", "add"]


POOLS = {
    "plain": {},
    "pads": {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    "rounded down": {"strides": [2, 2], "ceil_mode": 0},
    "evenly rounded up": {"strides": [1, 1], "ceil_mode": 1},
    "wide": {"kernel_shape": [1, 4]},
}


@pytest.mark.parametrize("case", POOLS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pool(tmp_path, op, case):
    model = Model()
    attributes = {"kernel_shape": [3, 3]} | POOLS[case]
    if op == "AveragePool":
        attributes["count_include_pad"] = 1
    kind = {"MaxPool": "maxpool", "AveragePool": "avgpool"}[op]
    assert same(model, model.node(op, "x", **attributes), tmp_path) == [kind]


@pytest.mark.parametrize("kernel", [2, 3])
def test_a_max_pool_that_is_rounded_up(tmp_path, kernel):
    model = Model((3, 8, 7))
    x = model.node("MaxPool", "x", kernel_shape=[kernel] * 2, strides=[2, 2], ceil_mode=1)
    assert same(model, x, tmp_path) == ["maxpool"]


@pytest.mark.parametrize(
    ("opset", "keepdims"), [(13, 1), (13, 0), (18, 1), (18, 0)], ids=lambda v: str(v)
)
def test_the_mean_over_height_and_width(tmp_path, opset, keepdims):
    model = Model(opset=opset)
    if opset < 18:
        x = model.node("ReduceMean", "x", axes=[-1, 2], keepdims=keepdims)
    else:
        x = model.node("ReduceMean", "x", model.ints(2, 3), keepdims=keepdims)
    x = model.node("Flatten", x) if keepdims else x
    assert same(model, model.gemm(x, 4, 3), tmp_path) == ["globalavgpool", "fc"]


def test_sums_and_joins(tmp_path):
    model = Model()
    a, b = model.conv("x", 4, 3), model.conv("x", 4, 3)
    x = model.node("Relu", model.node("Sum", a, b, a))
    x = model.node("Concat", x, b, axis=1)
    x = model.node("Concat", x, model.conv("x", 2, 3), axis=-3)
    x = model.node("Concat", model.node("Flatten", x), model.node("Flatten", a), axis=1)
    kinds = same(model, model.gemm(x, 3, 14 * 7 * 6), tmp_path)
    assert kinds == ["conv", "conv", "add", "concat", "conv", "concat", "concat", "fc"]


@pytest.mark.parametrize("batch", ["n", 1, 3])
@pytest.mark.parametrize("target", [(0, -1), (-1, 216), (3, -1), (3, 216), (1, -1)])
def test_a_reshape_that_flattens(tmp_path, batch, target):
    model = Model(batch=batch)
    x = model.node("Reshape", "x", model.ints(*target))
    x = model.gemm(x, 4, 216)
    known = 1 if batch == "n" else batch
    if target[0] > 0 and target[0] != known:
        reason = "cannot be computed" if target == (3, 216) else "must keep the batch of"
        refused(model, x, tmp_path, reason)
    else:
        assert same(model, x, tmp_path, count=max(1, target[0], known)) == ["fc"]


@pytest.mark.parametrize("axis", [1, -3])
def test_shape_arithmetic_of_an_exporter_is_computed(tmp_path, axis):
    """``x.view(x.size(0), -1)``, as PyTorch writes it."""
    model = Model()
    x = model.conv("x", 4, 3)
    size = model.node("Gather", model.node("Shape", x), model.store(0, dtype=np.int64), axis=0)
    size = model.node("Unsqueeze", size, model.ints(0))
    shape = model.node("Concat", size, model.ints(-1), axis=0)
    x = model.node("Reshape", x, shape)
    x = model.node("Flatten", x, axis=1)
    assert same(model, model.gemm(x, 4, 4 * 7 * 6), tmp_path, count=1) == ["conv", "fc"]


def test_what_exporters_leave_in_the_file_is_harmless(tmp_path):
    from onnx import numpy_helper

    model = Model()
    kernel = numpy_helper.from_array(model.rng.normal(size=(4, 3, 3, 3)).astype(np.float32))
    weight = model.node("Constant", value=kernel)
    x = model.node("Conv", model.node("Identity", "x"), model.node("Identity", weight))
    x = model.node("Dropout", x, model.store(0.5))
    dead = model.node("Tanh", x)
    model.node("Softmax", dead)
    transposed = model.node("Transpose", model.random(5, 4 * 7 * 6), perm=[1, 0])
    x = model.node("MatMul", model.node("Flatten", x), transposed)
    assert same(model, x, tmp_path) == ["conv", "fc"]


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_a_softmax_at_the_end_is_left_out(tmp_path, op):
    model = Model((6,))
    x = model.gemm("x", 5, 6)
    path = model.save(tmp_path, model.node(op, x, axis=-1))
    inputs = images(model, 20)
    found = load(path).logits(inputs[:, :, None, None])
    expected = reference(path, inputs)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_compute_the_same(tmp_path, seed):
    model, output = drawn(seed)
    same(model, output, tmp_path)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("GlobalMaxPool", {}),
        ("ReduceMax", {"axes": [2, 3]}),
        ("ReduceMax", {"axes": [-1, -2], "keepdims": 0}),
    ],
)
def test_the_largest_of_a_map_is_a_pool_of_one_window(tmp_path, op, attributes):
    model = Model()
    pooled = model.node(op, model.conv("x", 4, 3), **attributes)
    x = model.node("Flatten", pooled)
    assert same(model, model.gemm(x, 3, 4), tmp_path) == ["conv", "maxpool", "fc"]


def test_the_largest_of_channels_is_no_pool(tmp_path):
    model = Model()
    x = model.node("ReduceMax", model.conv("x", 4, 3), axes=[1])
    refused(model, x, tmp_path, "axes = (1,): must be height and width")
