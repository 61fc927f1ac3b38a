"""ONNX files: their names, their stored tensors, and those that are damaged."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, drawn, refused
from onnx import helper, save
from onnx.reference import ReferenceEvaluator

from hwsim.config import TensorShape
from hwsim.errors import InputError
from hwsim.models.importers.onnx_layers import load


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


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    with pytest.raises(InputError, match=r"net\.onnx: cannot be read: No such file"):
        load(path)
    for content in (b"", b"no model", b"\x08\x07", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"net\.onnx: must be a valid ONNX file") as caught:
            load(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path, seed):
    model, output = drawn(seed % 7)
    path = model.save(tmp_path, output)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        content = content[: int(rng.integers(len(content)))]
    else:
        for index in rng.integers(len(content), size=1 + seed % 4):
            content[index] = rng.integers(256)
    path.write_bytes(bytes(content))
    try:
        load(path)
        message = f"{path}: read"
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert str(path) in message


@pytest.mark.parametrize("shape", [("c", 9, 8), (3, "h", "w"), (3, 0, 8)])
def test_an_input_of_unknown_size_is_refused(tmp_path, shape):
    model = Model(shape)
    line = "must be fixed but for the batch: give them by hwsim import --size 3x224x224"
    refused(model, model.node("Relu", "x"), tmp_path, line)


@pytest.mark.parametrize("shape", [(), (3, 9, 8, 7, 2)])
def test_an_input_of_other_axes_is_refused(tmp_path, shape):
    model = Model(shape)
    line = "must be (N, C, H, W), (N, C, D, H, W), (N, C, W) or (N, values)"
    refused(model, model.node("Relu", "x"), tmp_path, line)


def test_sizes_that_a_file_leaves_open_are_given(tmp_path):
    model = Model((3, "h", "w"))
    path = model.save(tmp_path, model.node("GlobalAveragePool", model.conv("x", 4, 3)))
    assert load(path, (3, 9, 8)).config.input == TensorShape(channels=3, height=9, width=8)
    for size in ((3, 9), (4, 9, 8), (3, 9, 8, 1)):
        given = "x".join(map(str, size))
        with pytest.raises(InputError, match=f"must fit --size {given}, behind the batch"):
            load(path, size)


def two_inputs(*shapes, types=(1, 1)):
    """A model of inputs ``x`` and ``y``."""
    model = Model(shapes[0])
    model.inputs = [
        helper.make_tensor_value_info(name, kind, ["n", *shape])
        for name, kind, shape in zip("xy", types, shapes, strict=True)
    ]
    return model


def test_the_channels_of_two_inputs_are_those_of_one_image(tmp_path):

    model = two_inputs((3, 9, 8), (2, 9, 8))
    joined = model.node("Concat", "y", "x", axis=1)
    x = model.node("Add", model.conv("x", 4, 3), model.conv(joined, 4, 5))
    path = model.save(tmp_path, x)
    found = load(path)
    assert found.config.input == TensorShape(channels=5, height=9, width=8)
    assert [layer.type for layer in found.config.layers] == ["slice", "conv", "conv", "add"]
    images = np.random.default_rng(1).standard_normal((2, 5, 9, 8)).astype(np.float32)
    (expected,) = ReferenceEvaluator(str(path)).run(None, {"x": images[:, :3], "y": images[:, 3:]})
    scale = np.abs(expected).max()
    logits = found.logits(images).reshape(expected.shape)
    np.testing.assert_allclose(logits / scale, expected / scale, atol=1e-5)


@pytest.mark.parametrize(
    ("shapes", "types", "line"),
    [
        (((3, 9, 8), (3, 9, 7)), (1, 1), "(Add): inputs must have the same shape to be added"),
        (((3, 800, 500), (3, 9, 9)), (1, 1), "several sizes must have fewer values than 1,200,243"),
        (((3, 9, 8), (3, 9, 8)), (1, 7), "input y.type = 7: must be one of float, uint8, float16"),
    ],
)
def test_inputs_that_are_no_image_together_are_refused(tmp_path, shapes, types, line):
    model = two_inputs(*shapes, types=types)
    x = model.node("Add", model.conv("x", 4, 3), model.conv("y", 4, 3))
    refused(model, x, tmp_path, line)


def test_inputs_of_several_sizes_are_values_of_one_pixel(tmp_path):
    """A photograph, channels first or last, and a vector beside it; also uint8 pixels."""
    model = two_inputs((3, 9, 8), (5,))
    x = model.node("Flatten", model.node("Relu", model.conv("x", 4, 3)))
    joined = model.node("Concat", model.gemm(x, 6, 168), model.gemm("y", 3, 5), axis=1)
    path = model.save(tmp_path, model.gemm(joined, 2, 9))
    found = load(path)
    assert found.config.input == TensorShape(channels=3 * 9 * 8 + 5)
    assert [layer.type for layer in found.config.layers] == [
        "slice", "depth_to_space", "conv", "fc", "fc", "concat", "fc",
    ]  # fmt: skip
    images = np.random.default_rng(1).standard_normal((2, 221)).astype(np.float32)
    feed = {"x": images[:, :216].reshape(2, 9, 8, 3).transpose(0, 3, 1, 2), "y": images[:, 216:]}
    (expected,) = ReferenceEvaluator(str(path)).run(None, feed)
    np.testing.assert_allclose(found.logits(images[..., None, None]), expected, atol=1e-5)


def test_maps_of_several_sizes(tmp_path):
    model = two_inputs((3, 9, 8), (4, 4, 2))
    first = model.node("Transpose", "y", perm=[0, 3, 1, 2])
    pooled = [
        model.node("Flatten", model.node("GlobalAveragePool", model.conv(tensor, 4, c, 2)))
        for tensor, c in (("x", 3), (first, 2))
    ]
    found = load(model.save(tmp_path, model.node("Add", *pooled)))
    types = [layer.type for layer in found.config.layers]
    assert types == ["slice", "depth_to_space", "conv", "globalavgpool"] * 2 + ["add"]


def several(folder):
    """A file of two inputs and two outputs, and the names of its tensors."""
    model = Model((3, 9, 8))
    model.inputs += [helper.make_tensor_value_info("y", 1, ["n", 2, 9, 8])]
    first = model.conv("x", 4, 3)
    second = model.node("Softmax", model.node("Concat", first, model.conv("y", 4, 2), axis=1))
    proto = model.proto(first)
    proto.graph.output.append(helper.make_tensor_value_info(second, 1, None))
    save(proto, folder / "net.onnx")
    return folder / "net.onnx", first, second


def test_a_file_of_several_outputs_is_read_until_tensors(tmp_path):
    path, first, _ = several(tmp_path)
    found = load(path, until=[first]).config
    assert [layer.type for layer in found.layers] == ["conv"]
    assert found.source == f"net.onnx: ONNX, opset 17, 1 of its 4 nodes, until {first}"
    joined = "out2"
    both = load(path, until=[joined]).config
    assert [layer.type for layer in both.layers] == ["slice", "conv", "slice", "conv", "concat"]
    assert both.outputs == ()
    two = load(path, until=[joined, first]).config
    assert two.source.endswith(f"3 of its 4 nodes, until {joined} and {first}")
    assert two.outputs == (two.layers[-1].name, two.layers[1].name)
    with pytest.raises(InputError, match="--until = 'z': must be a tensor that a node of the file"):
        load(path, until=["z"])


def test_stored_tensors_may_be_named_as_inputs(tmp_path):
    """Files of the first IR versions list every stored tensor as an input."""
    import onnx

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


def test_the_sum_of_a_file_covers_what_lies_beside_it(tmp_path):
    """Two files that differ only in the stored weights have different sums, equal ones the same."""
    import onnx

    from hwsim.models.importers.source import digest

    sums = []
    for folder, seed in (("a", 0), ("b", 1), ("c", 0)):
        (tmp_path / folder).mkdir()
        model = Model(seed=seed)
        path = tmp_path / folder / "net.onnx"
        proto = model.proto(model.conv("x", 4, 3))
        onnx.save(proto, path, save_as_external_data=True, location="net.data", size_threshold=0)
        sums.append((path.read_bytes(), digest(load(path))))
    (first, sum_a), (second, sum_b), (_, sum_c) = sums
    assert first == second
    assert sum_a != sum_b
    assert sum_a == sum_c


def test_functions_of_the_file_are_their_nodes(tmp_path):
    """As exporters write modules; a function may call another."""
    model = Model()
    y = model.conv("x", 4, 3)
    proto = model.proto("z")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    inner = [helper.make_node("Relu", ["a"], ["b"])]
    outer = [
        helper.make_node("Act", ["a"], ["b"], domain="com.example"),
        helper.make_node("Neg", ["b"], ["c"]),
    ]
    domain = "com.example"
    proto.functions.append(helper.make_function(domain, "Act", ["a"], ["b"], inner, opsets))
    proto.functions.append(helper.make_function(domain, "Two", ["a"], ["c"], outer, opsets))
    proto.graph.node.append(helper.make_node("Two", [y], ["z"], domain=domain))
    save(proto, tmp_path / "net.onnx")
    found = load(tmp_path / "net.onnx").config
    assert [(layer.type, layer.relu) for layer in found.layers] == [("conv", True), ("conv", False)]


def test_graphs_inside_nodes_are_named(tmp_path):
    """Also where nothing but such a graph reads what the network computes."""
    model = Model()
    y = model.conv("x", 4, 3)
    ends = [helper.make_tensor_value_info("t", 1, None)]
    branches = [
        helper.make_graph([helper.make_node(op, [y], ["t"])], op, [], ends) for op in ("Neg", "Abs")
    ]
    model.nodes.append(
        helper.make_node(
            "If", [model.store(True, dtype=bool)], ["z"], name="choice",
            then_branch=branches[0], else_branch=branches[1],
        )
    )  # fmt: skip
    for outside in (False, True):
        with pytest.raises(InputError, match=r"unsupported nodes: If x 1 \(choice\)$"):
            load(model.save(tmp_path, "z"), outside=outside)
    assert [layer.type for layer in load(tmp_path / "net.onnx", until=[y]).config.layers] == [
        "conv"
    ]
