"""ONNX models become networks of ours that compute the same, or are refused in one clear line."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from onnx_cases import Model, reference

from hwsim.errors import InputError
from models.importers.onnx_layers import load


def images(model: Model, count: int = 3) -> np.ndarray:
    shape = [dim.dim_value for dim in model.inputs[0].type.tensor_type.shape.dim][1:]
    return np.random.default_rng(7).standard_normal((count, *shape)).astype(np.float32)


def same(model: Model, output: str, tmp_path, **kwargs) -> list[str]:
    """Compare the import with ONNX's evaluator; returns the types of its layers."""
    path = model.save(tmp_path, output)
    given = images(model, **kwargs)
    found, expected = load(path), reference(path, given)
    scale = np.abs(expected).max()
    assert scale > 0
    act = given if given.ndim == 4 else given[:, :, None, None]
    np.testing.assert_allclose(found.logits(act) / scale, expected / scale, atol=1e-5)
    return [layer.type for layer in found.config.layers]


def refused(model: Model, output: str, tmp_path, line: str) -> None:
    path = model.save(tmp_path, output)
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert line in message


CONVOLUTIONS = {
    "plain": {},
    "pads": {"pads": [1, 1, 1, 1]},
    "stride": {"strides": [2, 2], "pads": [2, 2, 2, 2]},
    "dilation": {"dilations": [2, 2]},
    "wide": {"kernel": (1, 4)},
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
        refused(model, x, tmp_path, "must flatten: (N, 216)")
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
    given = images(model, 20)
    found = load(path).logits(given[:, :, None, None])
    expected = reference(path, given)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def draw(seed: int) -> tuple[Model, str]:
    """A random network: branches, joins, pools, with and without normalization."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(6, 11))
    model = Model((int(rng.integers(1, 4)), size, size), seed)
    # tensor, channels, size; all of one size can be joined
    known = [("x", model.inputs[0].type.tensor_type.shape.dim[1].dim_value)]
    for _ in range(int(rng.integers(2, 7))):
        x, c = known[int(rng.integers(len(known)))]
        what = rng.choice(["conv", "norm", "relu", "max", "average", "add", "concat"])
        m = int(rng.integers(1, 5))
        if what in ("conv", "norm"):
            y = model.conv(x, m, c, 3, pads=[1] * 4, bias=bool(rng.integers(2)))
            y = model.batch_norm(y, m) if what == "norm" else y
            known.append((model.node("Relu", y) if rng.integers(2) else y, m))
        elif what == "relu":
            known.append((model.node("Relu", x), c))
        elif what in ("max", "average"):
            op = {"max": "MaxPool", "average": "AveragePool"}[what]
            extra = {"count_include_pad": 1} if what == "average" else {}
            pooled = model.node(op, x, kernel_shape=[3, 3], pads=[1] * 4, **extra)
            known.append((pooled, c))
        else:
            others = [(y, d) for y, d in known if what == "concat" or d == c]
            y, d = others[int(rng.integers(len(others)))]
            joined = model.node(*(("Add", x, y) if what == "add" else ("Concat", x, y)),
                                **({"axis": 1} if what == "concat" else {}))  # fmt: skip
            known.append((joined, c if what == "add" else c + d))
    x, c = known[-1]
    x = model.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = model.gemm(model.node("Flatten", x), 7, c * (size // 2) ** 2)
    return model, x


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_compute_the_same(tmp_path, seed):
    model, output = draw(seed)
    same(model, output, tmp_path)


# What is refused


def test_every_unsupported_node_is_named_in_one_line(tmp_path):
    model = Model()
    x = model.node("Tanh", model.conv("x", 4, 3), name="first")
    y = model.node("Tanh", x, name="/block/second")
    z = model.node("Special", y, name="ours", domain="com.example")
    x = model.node("Relu", model.node("Transpose", model.node("Mul", x, z, name="mul"), name="t"))
    line = (
        "net.onnx: unsupported nodes: Tanh x 2 (first, /block/second); "
        "com.example.Special x 1 (ours); Mul x 1 (mul); Transpose x 1 (t)"
    )
    refused(model, x, tmp_path, line)


def one(op: str, **attributes):
    def build(model: Model) -> str:
        return model.node(op, "x", name="it", **attributes)

    return build


def conv(**attributes):
    def build(model: Model) -> str:
        return model.conv("x", 4, attributes.pop("c", 3), name="it", **attributes)

    return build


def of_conv(op: str, *constants: object, **attributes):
    def build(model: Model) -> str:
        stored = [model.store(constant) for constant in constants]
        return model.node(op, model.conv("x", 4, 3), *stored, name="it", **attributes)

    return build


def norm(**attributes):
    def build(model: Model) -> str:
        y = model.batch_norm(attributes.pop("of", "x"), attributes.pop("m", 3), name="it")
        return y

    return build


REFUSED = {
    "asymmetric": (
        conv(pads=[0, 0, 1, 1]),
        "node it (Conv): pads = [0, 0, 1, 1]: must be the same",
    ),
    "same, even": (conv(auto_pad="SAME_UPPER", kernel=(2, 2)), "pads = [0, 0, 1, 1]: must be"),
    "two strides": (conv(strides=[1, 2]), "strides = [1, 2]: must be the same for height and"),
    "two dilations": (conv(dilations=[2, 1]), "dilations = [2, 1]: must be the same for height"),
    "channels": (conv(c=2), "weight shape = (4, 2, 3, 3): must fit 3 input channels in 1 groups"),
    "kernel shape": (
        conv(kernel_shape=[5, 5]),
        "kernel_shape = [5, 5]: must be the weight's (3, 3)",
    ),
    "too large": (conv(kernel=(11, 2)), "a window of 11 must fit the padded input height 9"),
    "many pads": (conv(pads=[99] * 4), "padding = 99: Input should be less than or equal to 64"),
    "norm of the input": (norm(), "node it (BatchNormalization): must follow a Conv, Gemm or MatM"),
    "clip": (of_conv("Clip", -1.0, 1.0), "min, max = (-1.0, 1.0): must be from 0 to a positive"),
    "clip open": (of_conv("Clip"), "min, max = (-inf, inf): must be from 0"),
    "average of fewer": (
        one("AveragePool", kernel_shape=[3, 3], pads=[1] * 4),
        "count_include_pad = 0: must be 1 where there is padding",
    ),
    "average rounded up": (
        one("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        "ceil_mode = 1: must be 0 where windows would reach outside",
    ),
    "pool of lines": (one("MaxPool", kernel_shape=[3]), "kernel_shape = [3]: must have 2 numbers"),
    "mean of channels": (one("ReduceMean", axes=[1]), "axes = (1,): must be height and width"),
    "mean of all": (one("ReduceMean"), "axes = (): must be height and width"),
    "flatten all": (one("Flatten", axis=2), "axis = 2: must be 1"),
    "softmax inside": (
        lambda model: model.conv(model.node("Softmax", "x", name="it"), 4, 3),
        "node it (Softmax): must be the last node",
    ),
    "map added": (
        of_conv("Add", np.ones((4, 7, 6))),
        "constant shape = (4, 7, 6): must have one value for each of 4 channels",
    ),
    "row added": (
        of_conv("Add", np.ones(6)),
        "constant shape = (6,): must have one value for each",
    ),
    "added to the input": (
        lambda model: model.conv(model.node("Add", "x", model.store(1.0), name="it"), 4, 3),
        "adds a constant: must follow a Conv, Gemm or MatMul",
    ),
    "unlike shapes": (
        lambda model: model.node("Add", "x", model.conv("x", 3, 3), name="it"),
        "node it (Add): inputs must have the same shape to be added",
    ),
    "concat of rows": (
        lambda model: model.node("Concat", "x", "x", axis=2, name="it"),
        "axis = 2: must be 1: channels",
    ),
    "concat of unlike sizes": (
        lambda model: model.node("Concat", "x", model.conv("x", 3, 3), axis=1, name="it"),
        "inputs must have the same height and width to be concatenated",
    ),
    "concat of a constant": (
        lambda model: model.node("Concat", "x", model.store(np.ones((1, 3, 9, 8))), axis=1),
        "must not be a constant",
    ),
    "not flattened": (
        lambda model: model.node("MatMul", "x", model.random(8, 2), name="it"),
        "node it (MatMul): input x: must be flattened to (N, K) before",
    ),
    "gemm of another size": (
        lambda model: model.gemm(model.node("Flatten", "x"), 4, 200, name="it"),
        "weight shape (M, K) = (4, 200): must have 2 dimensions, and 216 columns",
    ),
    "computed weight": (
        lambda model: model.node("Conv", "x", "x", name="it"),
        "node it (Conv): weight: must be a constant of the file",
    ),
    "whole weight": (
        lambda model: model.node("Conv", "x", model.store(np.ones((4, 3, 1, 1)), dtype=np.int32)),
        "weight type = 'int32': must be floating point",
    ),
    "a bias a pixel": (
        lambda model: model.node("Conv", "x", model.random(4, 3, 1, 1), model.random(9)),
        "bias shape = (9,): must have 4 values, one an output channel",
    ),
    "transposed input": (
        lambda model: model.node("Gemm", model.node("Flatten", "x"), model.random(9, 9), transA=1),
        "transA = 1: must be 0",
    ),
    "reshape to images": (
        lambda model: model.node("Reshape", "x", model.ints(0, 9, 8, 3), name="it"),
        "shape = (0, 9, 8, 3): must flatten: (N, 216)",
    ),
    "norm after ReLU": (
        lambda model: model.batch_norm(model.node("Relu", model.conv("x", 4, 3)), 4),
        "must follow a Conv, Gemm or MatMul whose output nothing else reads",
    ),
    "training": (
        lambda model: model.node(
            "Dropout", "x", model.store(0.5), model.store(True, dtype=np.bool_), name="it"
        ),
        "node it (Dropout): training_mode = True: must be false",
    ),
    "not finite": (
        lambda model: model.node(
            "Conv", "x", model.store(np.full((4, 3, 1, 1), np.nan)), name="it"
        ),
        "it.weight: must hold finite numbers",
    ),
    "nothing but views": (one("Identity"), "must compute its output from its input"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_our_layers_lack_is_refused(tmp_path, case):
    build, line = REFUSED[case]
    model = Model(opset=14)
    refused(model, build(model), tmp_path, line)


# Names


def test_layers_have_pytorchs_names(tmp_path):
    model = Model()
    x = model.conv("x", 4, 3, weight="layer1.0.conv1.weight", name="/layer1/layer1.0/conv1/Conv")
    x = model.node("MaxPool", x, kernel_shape=[2, 2], name="/pool/MaxPool")
    x = model.conv(x, 4, 4, weight="onnx::Conv_17", name="/layer1/1/conv2/Conv")
    config = load(model.save(tmp_path, x, "ResNet-18 v1.5.onnx")).config
    assert [layer.name for layer in config.layers] == ["layer1.0.conv1", "pool", "layer1.1.conv2"]
    assert config.name == "resnet_18_v1_5"


def test_names_are_made_unique_and_of_our_letters(tmp_path):
    model = Model()
    x = "x"
    for name in ("input", "a-b", "a b", "9", "", "Übung/", "a_b"):
        x = model.conv(x, 3, 3, kernel=1, name=name, weight="w" + name)
    names = [layer.name for layer in load(model.save(tmp_path, x, "42.onnx")).config.layers]
    assert names == ["input_2", "a_b", "a_b_2", "conv_9", "out4", "bung", "a_b_3"]
    assert load(tmp_path / "42.onnx").config.name == "onnx_42"


# Files


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    with pytest.raises(InputError, match=r"net\.onnx: cannot be read: No such file"):
        load(path)
    for content in (b"", b"no model", b"\x08\x07", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"net\.onnx: must be an ONNX file") as caught:
            load(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path, seed):
    model, output = draw(seed % 7)
    path = model.save(tmp_path, output)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        content = content[: int(rng.integers(len(content)))]
    else:
        for place in rng.integers(len(content), size=1 + seed % 4):
            content[place] = rng.integers(256)
    path.write_bytes(bytes(content))
    try:
        load(path)
        message = f"{path}: read"
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert str(path) in message


@pytest.mark.parametrize("shape", [("c", 9, 8), (3, "h", "w"), (3, 9), (3, 9, 8, 7), (3, 0, 8)])
def test_an_input_of_unknown_size_is_refused(tmp_path, shape):
    model = Model(shape)
    refused(model, model.node("Relu", "x"), tmp_path, "must be (N, C, H, W) with C, H and W fixed")


def test_two_inputs_are_refused(tmp_path):
    model = Model()
    model.inputs += [type(model.inputs[0])()]
    model.inputs[1].CopyFrom(model.inputs[0])
    model.inputs[1].name = "y"
    output = model.node("Add", "x", "y")
    refused(model, output, tmp_path, "graph: must have one input and one output, not 2 and 1")


def test_stored_tensors_may_be_named_as_inputs(tmp_path):
    """Files of the first IR versions list every stored tensor as an input."""
    import onnx
    from onnx import helper

    model = Model()
    proto = model.proto(model.conv("x", 4, 3))
    for tensor in proto.graph.initializer:
        shape = list(tensor.dims)
        proto.graph.input.append(helper.make_tensor_value_info(tensor.name, 1, shape))
    onnx.save(proto, tmp_path / "net.onnx")
    assert [layer.type for layer in load(tmp_path / "net.onnx").config.layers] == ["conv"]


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_weights_of_other_precision_are_taken(tmp_path, dtype):
    model = Model()
    weight = model.rng.normal(size=(4, 3, 3, 3)).astype(dtype)
    proto_type = {"float16": 10, "float64": 11}[dtype]
    model.inputs[0].type.tensor_type.elem_type = proto_type
    found = load(model.save(tmp_path, model.node("Conv", "x", model.store(weight, dtype=dtype))))
    (layer,) = found.layers.values()
    np.testing.assert_array_equal(layer.weight, weight.astype(np.float32))


def test_weights_beside_the_file_are_read_and_missed(tmp_path):
    import onnx

    model = Model()
    proto = model.proto(model.conv("x", 4, 3))
    path = tmp_path / "net.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="net.data", size_threshold=0)
    assert load(path).layers["conv0"].weight.shape == (4, 3, 3, 3)
    (tmp_path / "net.data").unlink()
    with pytest.raises(InputError, match=re.escape(str(path))) as caught:
        load(path)
    assert "\n" not in str(caught.value)
