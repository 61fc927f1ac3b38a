"""Networks of several outputs, such as detectors: each of them is that of the file."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

import onnx
from harness.onnx_cases import Model
from onnx import helper

import hwsim
from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.models.importers.onnx_layers import load
from hwsim.workload.onnx_reference import evaluator


def save(model: Model, folder, *outputs: str):
    """Write a file of several outputs."""
    proto = model.proto(outputs[0])
    del proto.graph.output[:]
    proto.graph.output.extend(helper.make_tensor_value_info(name, 1, None) for name in outputs)
    path = folder / "net.onnx"
    onnx.save(proto, path)
    return path


def expected(path, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Outputs of the file: by onnxruntime where that is installed."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return evaluator(str(path), 17).run(None, {"x": images})
    return onnxruntime.InferenceSession(str(path)).run(None, {"x": images})


def same(path, *, outside: bool = False) -> NetworkConfig:
    """Compare every output with the file's, channels first; return the network."""
    model = load(path, outside=outside)
    size = model.config.input
    images = np.random.default_rng(3).standard_normal((1, size.channels, size.height, size.width))
    found = list(model.outputs(images.astype(np.float32)).values())
    wanted = expected(path, images.astype(np.float32))
    assert len(found) == len(wanted) > 1
    for own, whole in zip(found, wanted, strict=True):
        scale = np.abs(whole).max()
        assert scale > 0
        np.testing.assert_allclose(own.ravel() / scale, whole.ravel() / scale, atol=1e-5)
    return model.config


def detector() -> tuple[Model, list[str]]:
    """A trunk, two maps of which one is made of the other, and on each boxes and scores."""
    model = Model((3, 16, 16))
    x = model.node("Relu", model.conv("x", 8, 3, pads=[1] * 4))
    near = model.node("Relu", model.conv(x, 8, 8, strides=[2, 2], pads=[1] * 4))
    far = model.node("Relu", model.conv(near, 12, 8, strides=[2, 2], pads=[1] * 4))
    outputs = []
    for tensor, channels in ((near, 8), (far, 12)):
        for count in (4, 3):
            outputs.append(model.conv(tensor, count, channels, 1))
    return model, outputs


def test_heads_of_several_sizes(tmp_path):
    model, outputs = detector()
    config = same(save(model, tmp_path, *outputs))
    # in the file's order, which is not that of the layers
    assert config.ends == ("conv6", "conv7", "conv8", "conv9")
    turned = same(save(model, tmp_path, *reversed(outputs)))
    assert turned.ends == config.ends[::-1]
    path = tmp_path / "again.yaml"
    path.write_text(turned.to_yaml())
    assert NetworkConfig.read(path) == turned


def test_what_others_read_is_an_output_as_the_file_has_it(tmp_path):
    """Neither a ReLU, nor a normalization, nor a function becomes part of an output's layer."""
    model = Model()
    before = model.conv("x", 4, 3)
    normal = model.batch_norm(before, 4)
    after = model.node("Relu", normal)
    gate = model.node("Sigmoid", after)
    swish = model.node("Mul", after, gate)
    last = model.conv(swish, 2, 4)
    config = same(save(model, tmp_path, before, normal, after, gate, swish, last))
    assert len(config.ends) == 6
    assert [layer.type for layer in config.layers].count("conv") == 3


def test_parts_of_a_layer_and_other_orders(tmp_path):
    model = Model((3, 9, 8))
    x = model.conv("x", 6, 3)
    node = helper.make_node("Split", [x, model.ints(2, 4)], ["left", "right"], axis=1)
    model.nodes.append(node)
    flat = model.node("Flatten", "right")
    config = same(save(model, tmp_path, "left", "right", model.gemm(flat, 5, 4 * 7 * 6)))
    assert [layer.type for layer in config.layers] == ["conv", "fc", "slice", "slice"]
    # channels last: in the order of the layer, which the source says
    model = Model((3, 9, 8))
    x = model.conv("x", 6, 3)
    rows = model.node(
        "Reshape", model.node("Transpose", x, perm=[0, 2, 3, 1]), model.ints(0, -1, 2)
    )
    config = load(save(model, tmp_path, rows, model.conv(x, 2, 6))).config
    assert config.ends == ("conv0", "conv3")
    assert "its output in the order of their layers" in config.source


def test_classes_and_probabilities_are_one_output(tmp_path):
    model = Model((6,))
    x = model.gemm("x", 4, 6)
    kinds = model.node("ArgMax", x, axis=1), model.node("Softmax", x, axis=1)
    config = load(save(model, tmp_path, *kinds)).config
    assert config.outputs == ()
    assert "without ArgMax and Softmax at the end" in config.source
    box = model.gemm("x", 2, 6)
    config = load(save(model, tmp_path, box, kinds[1])).config
    assert config.ends == ("gemm3", "gemm0")


def test_beside_the_array(tmp_path):
    """An output of a float layer, and one that another float layer computes on the way."""
    model = Model((4, 8), opset=20)
    x = model.node("MatMul", "x", model.random(8, 8))
    turned = model.node("Transpose", x, perm=[0, 2, 1])
    scores = model.node("Softmax", model.node("MatMul", x, turned), axis=-1)
    mixed = model.node("MatMul", scores, x)
    last = model.node("MatMul", mixed, model.random(8, 3))
    path = save(model, tmp_path, scores, last)
    found = load(path, outside=True)
    size = found.config.input
    images = np.random.default_rng(3).standard_normal((1, 4, 8)).astype(np.float32)
    own = found.outputs(images.transpose(0, 2, 1).reshape(1, size.channels, size.height, -1))
    wanted = expected(path, images)
    # rows are pixels, in both of them
    for layer, values in zip(own.values(), wanted, strict=True):
        np.testing.assert_allclose(layer.ravel(), values.transpose(0, 2, 1).ravel(), atol=1e-5)
    assert "its output in the order of their layers" in found.config.source


def test_a_quantized_file(tmp_path):
    model = Model((3, 9, 8))

    def quantized(x: str, scale: float) -> str:
        grid = [model.store(scale), model.store(0, dtype=np.int8)]
        return model.node("DequantizeLinear", model.node("QuantizeLinear", x, *grid), *grid)

    x = quantized(model.node("Relu", model.conv(quantized("x", 0.02), 4, 3)), 0.05)
    ends = [quantized(model.conv(x, 2, 4, kernel), 0.1) for kernel in (1, 3)]
    path = save(model, tmp_path, *ends)
    found = load(path)
    assert [found.config.layers[-1].type, len(found.config.ends)] == ["avgpool", 2]
    images = np.random.default_rng(5).standard_normal((1, 3, 9, 8)).astype(np.float32)
    for own, whole in zip(found.outputs(images).values(), expected(path, images), strict=True):
        # one step where a sum lies in the middle of two integers
        assert np.abs(own.ravel() - whole.ravel()).max() <= 0.11
        assert (np.abs(own.ravel() - whole.ravel()) > 1e-4).mean() < 0.02


def test_from_the_file_to_the_verdict(tmp_path, monkeypatch):
    """Import, integers of every output, simulation and RTL; a machine refuses in one line."""
    monkeypatch.chdir(tmp_path)
    model, outputs = detector()
    path = save(model, tmp_path, *outputs)
    made = hwsim.import_network(path)
    each = made.checkpoint.info["correlations"]
    assert set(each) == set(made.network.ends)
    assert made.checkpoint.info["correlation"] == min(each.values()) > 0.99
    made.write("import")
    again = hwsim.read_network("import")
    assert again == made.network
    images = np.random.default_rng(1).standard_normal((2, 3, 16, 16)).astype(np.float32)
    act = golden.input_act(images, made.checkpoint.input_scale)
    integers = golden.run(again, made.checkpoint, act).outputs
    for name, floats in load(path).outputs(images).items():
        assert np.corrcoef(integers[name].ravel(), floats.ravel())[0, 1] > 0.99
    # the sums of a head have one scale, also where the head is not the last layer
    assert all(np.ndim(made.checkpoint.layers[name].weight_scale) == 0 for name in integers)
    result = hwsim.simulate("dense_8x8_ws", path, images=1)
    assert [layer.name for layer in result.layers][3:] == list(made.network.ends)
    verified = hwsim.verify("dense_8x8_ws", "import", layers=["conv6", "conv9"])
    assert verified.equal
    with pytest.raises(
        InputError, match=r"outputs = 'conv6, conv7, conv8, conv9': must be one: a m"
    ):
        hwsim.run_machine("machine_dense_8x8_ws", "import")


def test_what_sees_one_output_says_so(tmp_path):
    model, outputs = detector()
    path = save(model, tmp_path, *outputs)
    np.savez(
        tmp_path / "set.npz", images=np.zeros((9, 3, 16, 16), np.uint8), labels=np.zeros(9, int)
    )
    with pytest.raises(InputError, match="must be one: a label is a class of the last layer"):
        hwsim.import_network(path, inputs=tmp_path / "set.npz", labelled=True)


@pytest.mark.parametrize(
    ("outputs", "rule"),
    [
        (["a"], "outputs must name the last layer, b: nothing reads it"),
        (["b", "c"], "outputs must name layers, not 'c'"),
        (["b", "b"], "outputs must name each layer once"),
    ],
)
def test_outputs_that_a_network_cannot_have(outputs, rule):
    layers = [{"name": name, "type": "fc", "M": 2} for name in "ab"]
    with pytest.raises(ValueError, match=rule):
        NetworkConfig.model_validate(
            {"name": "n", "input": {"channels": 3}, "outputs": outputs, "layers": layers}
        )


def test_outputs_leave_the_chip():
    layers = [{"name": name, "type": "fc", "M": 2} for name in "ab"]
    raw = {"name": "n", "input": {"channels": 3}, "layers": layers}
    assert NetworkConfig.model_validate(raw).border == 3 + 2
    assert NetworkConfig.model_validate(raw | {"outputs": ["a", "b"]}).border == 3 + 2 + 2


def test_weights_of_four_bits_run_on_a_design_of_four(tmp_path):
    model, outputs = detector()
    made = hwsim.import_network(save(model, tmp_path, *outputs), weight_bits=4)
    assert made.checkpoint.info["weight_bits"] == 4
    assert made.checkpoint.info["correlation"] > 0.95
    made.write(tmp_path / "import")
    assert hwsim.verify("dense_8x8_ws_w4", tmp_path / "import", layers="conv7").equal
    with pytest.raises(InputError, match="weight_bits = 9: must be at most 8"):
        hwsim.import_network(tmp_path / "net.onnx", weight_bits=9)
    pruned = hwsim.prune(tmp_path / "net.onnx", nm=(2, 4), weight_bits=4).checkpoint
    assert {layer.weight_bits for layer in pruned.layers.values()} == {4}
