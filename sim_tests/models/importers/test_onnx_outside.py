"""What no layer computes runs in floating point beside the array, when the user says so."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, images, reference
from onnx import helper
from onnx.reference import ReferenceEvaluator

import hwsim
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.models.importers.onnx_layers import load
from hwsim.workload.outside import outside_of


def linear(model: Model, x: str, k: int, m: int) -> str:
    """A linear layer of rows, as PyTorch exports it: a product and a sum."""
    weight = model.store(model.rng.normal(0, k**-0.5, (k, m)))
    product = model.node("MatMul", x, weight)
    return model.node("Add", model.store(model.rng.normal(0, 0.1, m)), product)


def norm(model: Model, x: str, k: int) -> str:
    parts = [model.rng.uniform(0.5, 1.5, k), model.rng.normal(0, 0.2, k)]
    return model.node("LayerNormalization", x, *map(model.store, parts), axis=-1)


def attention(model: Model, x: str, rows: int, k: int, heads: int) -> str:
    """Self-attention of several heads; shapes are computed, as exporters write them."""
    split = model.store([0, rows, heads, k // heads], dtype=np.int64)
    q, key, v = (
        model.node("Transpose", model.node("Reshape", linear(model, x, k, k), split), perm=perm)
        for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    )
    scores = model.node("Mul", model.node("MatMul", q, key), model.store((k // heads) ** -0.5))
    mixed = model.node("MatMul", model.node("Softmax", scores, axis=-1), v)
    mixed = model.node("Transpose", mixed, perm=[0, 2, 1, 3])
    joined = model.node("Reshape", mixed, model.store([0, rows, k], dtype=np.int64))
    return linear(model, joined, k, k)


def encoder(model: Model, x: str, rows: int, k: int) -> str:
    x = model.node("Add", x, attention(model, norm(model, x, k), rows, k, 2))
    y = model.node("Gelu", linear(model, norm(model, x, k), k, 2 * k), approximate="none")
    return model.node("Add", x, linear(model, y, 2 * k, k))


def vision_transformer(blocks: int = 2) -> tuple[Model, str]:
    """Patches, a class token, blocks, a head."""
    model, k = Model((3, 8, 8), opset=20), 8
    x = model.conv("x", k, 3, 4, strides=[4, 4])
    x = model.node("Reshape", x, model.ints(0, k, 4))
    x = model.node("Transpose", x, perm=[0, 2, 1])
    batch = model.node("Slice", model.node("Shape", x), *map(model.ints, (0, 1, 0)))
    size = model.node("Concat", batch, model.ints(1, k), axis=0)
    token = model.node("Expand", model.store(model.rng.normal(size=(1, 1, k))), size)
    x = model.node("Concat", token, x, axis=1)
    x = model.node("Add", x, model.store(model.rng.normal(size=(1, 5, k))))
    for _ in range(blocks):
        x = encoder(model, x, 5, k)
    x = model.node("Gather", norm(model, x, k), model.store(0, dtype=np.int64), axis=1)
    return model, model.gemm(x, 7, k)


def exact(model: Model, output: str, folder, count: int = 3):
    """Import with operations beside the array, and compare with ONNX's evaluator."""
    path, inputs = model.save(folder, output), images(model, count)
    found, expected = load(path, outside=True), reference(path, inputs)
    size = found.config.input
    act = inputs.reshape(count, size.channels, size.height, size.width)
    if inputs.ndim == 3 and size.channels == inputs.shape[2]:
        act = inputs.transpose(0, 2, 1)[:, :, None]
    ours = _in_order(found, act)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())
    return found


def _in_order(found, act):
    """Logits in the order of the file: rows of an output have their channels last."""
    if "its output in the order of the last layer" not in found.config.source:
        return found.logits(act)
    channels = found.config.shapes()[-1].ofmap.channels
    rows = found.logits(act).reshape(len(act), channels, -1).transpose(0, 2, 1)
    return rows.reshape(len(act), -1)


def test_linear_layers_of_a_transformer_are_layers_and_the_rest_is_listed(tmp_path):
    model, output = vision_transformer()
    found = exact(model, output, tmp_path)
    weights = [shape for shape in found.config.shapes() if shape.has_weights]
    # the patches, six products of each block, the head
    assert len(weights) == 1 + 2 * 6 + 1
    # each of the products of queries and keys, and of scores and values
    beside = outside_of(found.config)
    assert sum(each.macs for each in beside) == 2 * 2 * 5 * 5 * 8
    inside = 48 * 8 * 4 + 2 * 5 * (4 * 8 * 8 + 2 * 8 * 16) + 8 * 7
    assert sum(shape.macs for shape in weights) == inside
    share = sum(each.share for each in beside)
    assert share == pytest.approx(800 / (800 + inside))
    # each operation is in one layer, those of the sums that others read, too
    counts = Counter(name for each in beside for name in each.operations)
    assert counts["LayerNormalization"] == 5
    assert counts["Softmax"] == 2
    assert counts["Add"] == 1 + 4


def test_integers_follow_the_float_network(tmp_path):
    model, output = vision_transformer()
    path = model.save(tmp_path, output)
    result = hwsim.import_network(path, outside="float")
    assert result.checkpoint.info["correlation"] > 0.99
    file = result.checkpoint.write(tmp_path / "net.safetensors")
    again = Checkpoint.read(file, result.network)
    act = np.random.default_rng(3).integers(-127, 128, (2, 3, 8, 8)).astype(np.int8)
    traces = [golden.run(result.network, each, act) for each in (result.checkpoint, again)]
    assert np.array_equal(traces[0].logits, traces[1].logits)
    assert again.write(tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def test_what_the_array_reads_is_rounded_and_what_runs_beside_is_not(tmp_path):
    model = Model((4, 6), opset=20)
    shown = norm(model, "x", 6)
    kept = model.node("Softmax", shown, axis=-1)
    x = model.node("Add", kept, linear(model, shown, 6, 6))
    result = hwsim.import_network(model.save(tmp_path, x), outside="float", compare=False)
    checkpoint, network = result.checkpoint, result.network
    act = golden.input_act(np.random.default_rng(5).normal(size=(2, 6, 1, 4)).astype(np.float32),
                           checkpoint.input_scale)  # fmt: skip
    ifmap = golden.run(network, checkpoint, act).ifmap
    ((_, read),) = ifmap.items()
    first = network.shapes()[0]
    steps = golden.layer_act(first, checkpoint, [act])
    assert steps.dtype == np.float32
    assert np.abs(steps - np.rint(steps)).max() > 0.1
    assert read.dtype == np.int8
    assert np.array_equal(read, np.clip(np.rint(steps), -128, 127))


def test_scales_and_shifts_before_it_are_computed_beside(tmp_path):
    model = Model((4, 6), opset=20)
    shift = model.store(model.rng.normal(size=6))
    x = model.node("Mul", model.node("Add", "x", shift), model.store(model.rng.normal(size=6)))
    found = exact(model, linear(model, model.node("Softmax", x, axis=-1), 6, 3), tmp_path)
    assert [layer.type for layer in found.config.layers] == ["float", "conv"]


def test_a_residual_of_channels_first_is_carried_in_float(tmp_path):
    # as ConvNeXt: a depthwise convolution, normalized with its channels last, added
    model = Model((4, 6, 6), opset=20)
    x = model.conv("x", 4, 4, 3, pads=[1] * 4)
    first = model.node("Transpose", norm(model, model.node("Transpose", x, perm=[0, 2, 3, 1]), 4),
                       perm=[0, 3, 1, 2])  # fmt: skip
    y = model.conv(first, 4, 1, 3, pads=[1] * 4, group=4)
    y = norm(model, model.node("Transpose", y, perm=[0, 2, 3, 1]), 4)
    y = linear(model, model.node("Gelu", linear(model, y, 4, 8), approximate="none"), 8, 4)
    y = model.node("Add", first, model.node("Transpose", y, perm=[0, 3, 1, 2]))
    out = model.gemm(model.node("Flatten", model.node("GlobalAveragePool", y)), 3, 4)
    found = exact(model, out, tmp_path)
    assert [s.layer.type for s in found.config.shapes() if s.has_weights] == ["conv"] * 4 + ["fc"]


def test_windows_in_place_of_the_batch(tmp_path):
    # as Swin: windows of 2 x 2 pixels are the first axis of what the linear layers read
    model = Model((4, 4, 4), batch=1, opset=20)
    x = norm(model, model.node("Transpose", "x", perm=[0, 2, 3, 1]), 4)
    x = model.node("Reshape", x, model.ints(1, 2, 2, 2, 2, 4))
    x = model.node("Reshape", model.node("Transpose", x, perm=[0, 1, 3, 2, 4, 5]),
                   model.ints(4, 4, 4))  # fmt: skip
    x = model.node("Gelu", linear(model, x, 4, 6), approximate="none")
    x = linear(model, x, 6, 4)
    # rows without a batch axis, as a Gemm reads them
    x = model.gemm(model.node("Reshape", x, model.ints(16, 4)), 5, 4)
    x = model.node("ReduceMean", model.node("Softmax", x, axis=-1), model.ints(0))
    found = exact(model, model.node("Reshape", x, model.ints(1, 5)), tmp_path, count=1)
    kinds = [layer.type for layer in found.config.layers]
    assert kinds == ["float", "conv", "activation", "conv", "float", "conv", "float"]
    assert sum(s.macs for s in found.config.shapes()) == 16 * (4 * 6 + 6 * 4 + 4 * 5)


def test_a_view_that_products_cannot_read_is_put_in_order_beside(tmp_path):
    # neighbouring pixels are joined to longer rows, as Swin's patch merging
    model = Model((2, 4, 4), opset=20)
    x = model.node("Transpose", model.conv("x", 2, 2, 1), perm=[0, 2, 3, 1])
    x = model.node("Reshape", x, model.ints(0, 8, 4))
    found = exact(model, linear(model, x, 4, 3), tmp_path)
    assert [layer.type for layer in found.config.layers] == ["conv", "float", "conv"]
    (beside,) = outside_of(found.config)
    assert (beside.macs, beside.share) == (0, 0.0)


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_products_of_a_recurrent_layers_input_are_a_layer(tmp_path, op, gates, direction):
    model, ways = Model((1, 6), batch=5, opset=20), 1 + (direction == "bidirectional")
    stored = [model.random(ways, gates * 4, each) for each in (6, 4)]
    stored.append(model.random(ways, 2 * gates * 4))
    x = model.node(op, "x", *stored, hidden_size=4, direction=direction)
    x = model.node("Reshape", x, model.ints(1, 20 * ways))
    path = model.save(tmp_path, model.gemm(x, 3, 20 * ways))
    found = load(path, outside=True)
    inputs = np.random.default_rng(2).normal(size=(5, 1, 6)).astype(np.float32)
    (expected,) = ReferenceEvaluator(str(path)).run(None, {"x": inputs})
    # steps lie along the height
    ours = found.logits(inputs.transpose(2, 0, 1)[None])
    np.testing.assert_allclose(ours.ravel(), expected.ravel(), atol=1e-5 * np.abs(expected).max())
    products, *_ = found.config.shapes()
    assert (products.layer.type, products.K, products.pixels) == ("conv", 6, 5)
    assert products.macs == 5 * ways * gates * 4 * 6
    assert sum(each.macs for each in outside_of(found.config)) == 5 * ways * gates * 4 * 4


def test_products_by_einsum_are_counted(tmp_path):
    model = Model((3, 4), opset=20)
    q, k = linear(model, "x", 4, 6), linear(model, "x", 4, 6)
    scores = model.node("Einsum", q, k, equation="...ik,...jk->...ij")
    weights = model.node("Sqrt", model.node("Softmax", scores, axis=-1))
    found = exact(model, weights, tmp_path, count=1)
    (beside,) = outside_of(found.config)
    assert beside.macs == 3 * 3 * 6


def test_arrays_count_verify_and_store_their_part(tmp_path):
    model, output = vision_transformer(1)
    path = model.save(tmp_path, output)
    result = hwsim.simulate("dense_8x8_ws", path, outside="float")
    beside = outside_of(hwsim.import_network(path, outside="float", compare=False).network)
    assert result.outside == beside
    assert result.to_dict()["outside"] == [each.to_dict() for each in beside]
    assert len(result.layers) == 8
    sizes = hwsim.storage(path, "dense_8x8_ws", outside="float")
    assert sizes.to_dict()["outside"] == [each.to_dict() for each in beside]


@pytest.mark.cosim
def test_linear_layers_of_rows_are_those_of_the_rtl(tmp_path):
    model, output = vision_transformer(1)
    path = model.save(tmp_path, output)
    result = hwsim.verify("dense_8x8_ws", path, outside="float", out=tmp_path / "rtl")
    assert result.equal
    assert len(result.comparisons) == 8
    assert result.to_dict()["outside"][-1]["operations"][-1] == "Gather"


def test_a_machine_refuses_it_by_name(tmp_path):
    model, output = vision_transformer(1)
    imported = hwsim.import_network(model.save(tmp_path, output), outside="float", compare=False)
    with pytest.raises(InputError, match=r"type = 'float': runs on no machine"):
        hwsim.run_machine("machine_dense_8x8_ws", imported.network, imported.checkpoint)


def test_bad_input_is_one_line(tmp_path):
    model = Model((4, 6), opset=20)
    only = model.save(tmp_path, norm(model, "x", 6))
    lines = (
        (lambda: hwsim.import_network(only), "unsupported nodes: LayerNormalization x 1"),
        (lambda: hwsim.import_network(only, outside="int"), "outside = 'int': must be float"),
        (lambda: hwsim.simulate("dense_8x8_ws", only, outside="float"), "a layer with weights"),
        (lambda: hwsim.storage(only, outside="float"), "must have a layer with weights"),
        (lambda: hwsim.verify("dense_8x8_ws", only, outside="float"), "a layer with weights"),
        (lambda: hwsim.simulate("dense_8x8_ws", "lenet5", outside="float"), "must be absent"),
        (lambda: hwsim.import_network("lenet5", only, outside="float"), "must be absent"),
    )
    for call, line in lines:
        with pytest.raises(InputError) as caught:
            call()
        assert line in str(caught.value)
        assert "\n" not in str(caught.value)


def test_graphs_inside_nodes_and_unknown_operations_stay_out(tmp_path):
    inner = helper.make_graph(
        [helper.make_node("Identity", ["y"], ["z"])], "inner", [],
        [helper.make_tensor_value_info("z", 1, None)],
    )  # fmt: skip
    model = Model((4, 6), opset=20)
    total = model.node("ReduceSum", "x", keepdims=0)
    y = linear(model, "x", 6, 6)
    model.nodes[-1].output[0] = "y"
    x = model.node("If", model.node("Greater", total, model.store(0.0)), name="branch",
                   then_branch=inner, else_branch=inner)  # fmt: skip
    with pytest.raises(InputError, match=r"unsupported nodes: If x 1 \(branch\)"):
        load(model.save(tmp_path, x), outside=True)
    assert y
    model = Model((4, 6), opset=20)
    x = model.node("Mystery", "x", domain="com.example")
    with pytest.raises(InputError, match="cannot be run by ONNX's reference evaluator"):
        load(model.save(tmp_path, x), outside=True)


def test_a_checkpoint_without_the_operations_or_with_damaged_ones_is_refused(tmp_path):
    model = Model((4, 6), opset=20)
    path = model.save(tmp_path, linear(model, norm(model, "x", 6), 6, 3))
    result = hwsim.import_network(path, outside="float", compare=False)
    network, checkpoint = result.network, result.checkpoint
    (name,) = checkpoint.graphs
    act = np.zeros((1, 6, 1, 4), np.int8)
    own = checkpoint.graphs[name]
    for graphs, line in (
        ({}, rf"{name}.graph: must be given"),
        ({name: type(own)(b"no model", own.input_scales, own.scale)}, "must be a model of ONNX"),
        ({name: type(own)(own.graph, (0.1, 0.1), own.scale)}, "that many inputs"),
        ({"other": own}, "must be a float layer"),
    ):
        damaged = Checkpoint(
            checkpoint.network, checkpoint.layers, checkpoint.info,
            input_scale=checkpoint.input_scale, graphs=graphs,
        )  # fmt: skip
        with pytest.raises(InputError, match=line):
            golden.run(network, damaged, act)
