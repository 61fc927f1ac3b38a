"""Operations that move activations: parts, shuffles, pixels repeated and spread."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, images, refused, same

from hwsim.config import TensorShape
from hwsim.inference import golden
from hwsim.models.importers.calibrate import agreement, quantize
from hwsim.models.importers.onnx_layers import load
from hwsim.models.importers.onnx_order import chosen, runs, steps


def types(model: Model, x: str, tmp_path) -> list[str]:
    """Types of the layers between a convolution before and one behind, of which both are exact."""
    kinds = same(model, x, tmp_path)
    assert (kinds[0], kinds[-1]) == ("conv", "conv")
    return kinds[1:-1]


def split(model: Model, x: str, *sizes: int, axis: int = 1) -> list[str]:
    outputs = [f"part{len(model.nodes)}_{index}" for index in range(len(sizes))]
    from onnx import helper

    model.nodes.append(helper.make_node("Split", [x, model.ints(*sizes)], outputs, axis=axis))
    return outputs


def shuffle(model: Model, x: str, groups: int, channels: int, height: int, width: int) -> str:
    """ShuffleNet's."""
    x = model.node("Reshape", x, model.ints(-1, groups, channels // groups, height, width))
    x = model.node("Transpose", x, perm=[0, 2, 1, 3, 4])
    return model.node("Reshape", x, model.ints(-1, channels, height, width))


def test_a_split_of_channels_is_slices(tmp_path):
    """CSP blocks: one part goes on, both are joined."""
    model = Model()
    x = model.conv("x", 8, 3, pads=[1] * 4)
    a, b = split(model, x, 5, 3)
    x = model.node("Concat", a, model.conv(b, 4, 3, pads=[1] * 4), axis=1)
    kinds = types(model, model.conv(x, 5, 9), tmp_path)
    assert kinds == ["slice", "conv", "slice", "concat"]


@pytest.mark.parametrize("groups", [1, 2])
def test_a_channel_shuffle_is_a_layer_or_an_order_of_weights(tmp_path, groups):
    model = Model(batch=1)
    x = shuffle(model, model.conv("x", 8, 3, pads=[1] * 4), 2, 8, 9, 8)
    kinds = types_of_one(model, model.conv(x, 6, 8 // groups, group=groups), tmp_path)
    assert kinds == ["conv", *(["shuffle"] if groups > 1 else []), "conv"]


def types_of_one(model: Model, x: str, tmp_path) -> list[str]:
    return same(model, x, tmp_path, count=1)


def test_shufflenet_v2(tmp_path):
    """Half of the channels of a shuffle go on: the shuffle is one layer, the halves are slices."""
    model = Model(batch=1)
    x = shuffle(model, model.conv("x", 8, 3, pads=[1] * 4), 2, 8, 9, 8)
    a, b = split(model, x, 4, 4)
    b = model.node("Relu", model.conv(b, 4, 4, kernel=1))
    b = model.conv(b, 4, 1, group=4, pads=[1] * 4)
    x = shuffle(model, model.node("Concat", a, b, axis=1), 2, 8, 9, 8)
    kinds = types_of_one(model, model.conv(x, 6, 8, kernel=1), tmp_path)
    assert kinds == ["conv", "shuffle", "slice", "conv", "conv", "slice", "concat", "conv"]


def test_parts_of_activations_are_cropped_sampled_and_reversed(tmp_path):
    def part(model, x, starts, ends, axes, strides):
        stored = [model.ints(*each) for each in (starts, ends, axes, strides)]
        return model.node("Slice", x, *stored)

    model = Model()
    x = part(model, model.conv("x", 6, 3, pads=[1] * 4), (1, 2), (8, -1), (2, 3), (1, 1))
    assert types(model, model.conv(x, 5, 6), tmp_path) == ["crop"]
    model = Model((3, 8, 8))
    x = part(model, model.conv("x", 6, 3, pads=[1] * 4), (1, 0), (99, 99), (2, 3), (2, 2))
    assert types(model, model.conv(x, 5, 6), tmp_path) == ["space_to_depth", "slice"]
    model = Model()
    x = part(model, model.conv("x", 6, 3, pads=[1] * 4), (0,), (99,), (1,), (2,))
    kinds = types(model, model.conv(x, 6, 1, group=3), tmp_path)
    assert kinds == ["slice", "slice", "slice", "concat"]


def test_focus_is_space_to_depth(tmp_path):
    """The stem of YOLOv5: four strided parts of the image, joined."""
    model = Model((3, 8, 10))
    parts = []
    for starts in ((0, 0), (1, 0), (0, 1), (1, 1)):
        stored = [model.ints(*each) for each in (starts, (99, 99), (2, 3), (2, 2))]
        parts.append(model.node("Slice", "x", *stored))
    x = model.conv(model.node("Concat", *parts, axis=1), 4, 12)
    kinds = same(model, x, tmp_path)
    # the last two of four are the other way round
    assert kinds == ["space_to_depth", "slice", "slice", "slice", "slice", "concat", "conv"]


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("is_open", [True, False])
def test_depth_to_space(tmp_path, mode, is_open):
    """Super-resolution; normalization and ReLU behind it are part of the convolution before."""
    model = Model()
    x = model.node("DepthToSpace", model.conv("x", 12, 3), blocksize=2, mode=mode)
    if is_open:
        x = model.node("Relu", model.batch_norm(x, 3))
    kinds = types(model, model.conv(x, 5, 3), tmp_path)
    assert kinds == [*(["shuffle"] if mode == "CRD" else []), "depth_to_space"]


def test_space_to_depth(tmp_path):
    model = Model((3, 8, 10))
    x = model.node("SpaceToDepth", model.conv("x", 4, 3, pads=[1] * 4), blocksize=2)
    assert types(model, model.conv(x, 5, 16), tmp_path) == ["space_to_depth"]


def scales(model: Model, *sizes: float) -> str:
    return model.store([1, 1, *sizes])


RESIZES = {
    "asymmetric": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "half pixel": {"coordinate_transformation_mode": "half_pixel"},
    "pytorch": {"coordinate_transformation_mode": "pytorch_half_pixel"},
    "ceil": {"nearest_mode": "round_prefer_ceil"},
}


@pytest.mark.parametrize("case", RESIZES)
@pytest.mark.parametrize("factors", [(2, 2), (3, 1)])
def test_pixels_that_are_repeated(tmp_path, case, factors):
    model = Model((3, 5, 4))
    x = model.node(
        "Resize",
        model.conv("x", 4, 3),
        "",
        scales(model, *factors),
        mode="nearest",
        **RESIZES[case],
    )
    assert types(model, model.conv(x, 5, 4, kernel=1), tmp_path) == ["upsample"]


def test_pixels_that_are_repeated_to_a_size_and_in_old_files(tmp_path):
    model = Model((3, 5, 4))
    x = model.conv("x", 4, 3)
    sizes = model.node("Concat", model.node("Shape", x, end=2), model.ints(6, 4), axis=0)
    x = model.node(
        "Resize", x, "", "", sizes, mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip
    path = model.save(tmp_path, model.conv(x, 5, 4, kernel=1))
    layers = load(path).config.layers
    assert [layer.type for layer in layers] == ["conv", "upsample", "conv"]
    model = Model((3, 5, 4), opset=9)
    x = model.node("Upsample", model.conv("x", 4, 3), scales(model, 2, 2), mode="nearest")
    assert types(model, model.conv(x, 5, 4, kernel=1), tmp_path) == ["upsample"]


def test_a_feature_pyramid(tmp_path):
    model = Model((3, 8, 8))
    a = model.node("Relu", model.conv("x", 4, 3, pads=[1] * 4))
    b = model.node("Relu", model.conv(a, 4, 4, pads=[1] * 4, strides=[2, 2]))
    b = model.node("Resize", b, "", scales(model, 2, 2), mode="nearest")
    x = model.conv(model.node("Add", a, b), 5, 4)
    assert types(model, x, tmp_path) == ["conv", "upsample", "add"]
    found = load(tmp_path / "net.onnx")
    pictures = images(model, 4)
    assert agreement(found, quantize(found, pictures, {}), pictures).correlation > 0.99


TRANSPOSED = {
    "blocks": ((2, 2), {"strides": [2, 2]}, ["conv", "depth_to_space"]),
    "DCGAN": ((4, 4), {"strides": [2, 2], "pads": [1] * 4}, ["conv", "depth_to_space", "crop"]),
    "output padding": (
        (3, 3),
        {"strides": [2, 2], "pads": [1] * 4, "output_padding": [1, 1]},
        ["conv", "depth_to_space", "crop"],
    ),
    "no stride": ((3, 2), {}, ["conv"]),
    "no stride, padding": ((3, 3), {"pads": [1] * 4}, ["conv", "crop"]),
    "by direction": (
        (3, 4),
        {"strides": [1, 3], "pads": [0, 1, 1, 2]},
        ["conv", "depth_to_space", "crop"],
    ),
    "less than its stride": ((1, 2), {"strides": [2, 2]}, ["conv", "depth_to_space", "crop"]),
}


@pytest.mark.parametrize("case", TRANSPOSED)
@pytest.mark.parametrize("bias", [True, False])
def test_transposed_convolutions(tmp_path, case, bias):
    kernel, attributes, kinds = TRANSPOSED[case]
    model = Model((4, 5, 6))
    stored = [model.random(4, 6, *kernel), *([model.random(6)] if bias else [])]
    x = model.node("ConvTranspose", "x", *stored, **attributes)
    assert same(model, x, tmp_path) == kinds
    # normalization and ReLU behind it are part of it
    x = model.node("Relu", model.batch_norm(x, 6))
    assert same(model, x, tmp_path) == kinds
    conv, *_ = load(tmp_path / "net.onnx").config.shapes()
    assert conv.layer.relu
    if case == "blocks":
        assert conv.macs == 5 * 6 * 4 * 6 * 4


@pytest.mark.parametrize("groups", [2, 4])
def test_transposed_convolutions_in_groups_are_pytorchs(tmp_path, groups):
    """ONNX's own evaluator takes the wrong weights for groups: the import holds each to its own."""
    torch = pytest.importorskip("torch")
    rng, model = np.random.default_rng(groups), Model((4, 5, 6))
    weight = rng.standard_normal((4, 3, 4, 4)).astype(np.float32)
    bias = rng.standard_normal(3 * groups).astype(np.float32)
    attributes = {"strides": [2, 2], "pads": [1] * 4, "group": groups}
    x = model.node("ConvTranspose", "x", model.store(weight), model.store(bias), **attributes)
    found, act = load(model.save(tmp_path, x)), images(model, 2)
    expected = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(act), torch.from_numpy(weight), torch.from_numpy(bias), 2, 1, 0, groups
    ).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        found.logits(act) / scale, expected.reshape(2, -1) / scale, atol=1e-5
    )


@pytest.mark.parametrize("seed", range(20))
def test_random_transposed_convolutions(tmp_path, seed):
    print("seed", seed)
    model = Model((3, 4, 5), seed=seed)
    kernel, strides = model.rng.integers(1, 6, 2).tolist(), model.rng.integers(1, 4, 2).tolist()
    pads = [int(model.rng.integers(0, max(1, size - 1) // 2 + 1)) for size in kernel * 2]
    extra = [int(model.rng.integers(0, min(stride, 1 + pads[2 + axis])))
             for axis, stride in enumerate(strides)]  # fmt: skip
    weight = model.random(3, 4, *kernel)
    x = model.node("ConvTranspose", "x", weight, strides=strides, pads=pads, output_padding=extra)
    same(model, model.conv(x, 2, 4, kernel=1), tmp_path)


def test_products_of_rows_are_convolutions(tmp_path):
    """A linear layer of ``(N, T, K)``: of the input, of patches, behind an activation."""
    model = Model((7, 6))
    x = model.node("Add", model.node("MatMul", "x", model.random(6, 8)), model.random(8))
    x = model.node("MatMul", model.node("Tanh", x), model.random(8, 5))
    path = model.save(tmp_path, x)
    rows = np.random.default_rng(1).standard_normal((2, 7, 6)).astype(np.float32)
    found = load(path)
    assert [layer.type for layer in found.config.layers] == ["conv", "activation", "conv"]
    assert sum(shape.macs for shape in found.config.shapes()) == 7 * 6 * 8 + 7 * 8 * 5
    from harness.onnx_cases import reference

    logits = found.logits(rows.transpose(0, 2, 1)[:, :, None])
    expected = reference(path, rows).reshape(2, 7, 5).transpose(0, 2, 1).reshape(2, -1)
    np.testing.assert_allclose(logits, expected, atol=1e-5 * np.abs(expected).max())


def test_patches_of_an_image_are_rows(tmp_path):
    """The stem of a vision transformer, and a mean over its rows."""
    model = Model((3, 8, 8))
    x = model.conv("x", 6, 3, kernel=2, strides=[2, 2])
    x = model.node("Transpose", model.node("Reshape", x, model.ints(0, 6, -1)), perm=[0, 2, 1])
    x = model.node("MatMul", x, model.random(6, 8))
    x = model.node("Relu", model.node("Add", x, model.random(8)))
    x = model.node("ReduceMean", model.node("MatMul", x, model.random(8, 4)), axes=[1])
    assert same(model, x, tmp_path) == ["conv", "conv", "conv", "globalavgpool"]


@pytest.mark.parametrize("seed", range(60))
def test_steps_give_the_order_that_they_were_made_of(seed):
    """Random chains of the layers: an order is either found exactly or not at all."""
    from hwsim.config import LayerConfig
    from hwsim.workload.rearrange import rearranged

    print("seed", seed)
    rng = np.random.default_rng(seed)
    shape = TensorShape(channels=12, height=4, width=6)
    order = np.arange(shape.size).reshape(1, 12, 4, 6)
    kinds = [
        {"type": "shuffle", "G": 3}, {"type": "slice", "M": 8, "first": 2},
        {"type": "depth_to_space", "stride": 2}, {"type": "upsample", "stride": [1, 2]},
        {"type": "crop", "padding": [1, 0]}, {"type": "space_to_depth", "stride": [2, 1]},
    ]  # fmt: skip
    first = kinds[int(rng.integers(len(kinds)))]
    order = rearranged(LayerConfig(name="a", **first), order)
    if rng.random() < 0.5:
        order = order[:, rng.permutation(order.shape[1])]
    found = steps(shape, order[0])
    assert found is not None
    for step in found:
        assert isinstance(step, list) or step["type"] in {kind["type"] for kind in kinds}


def test_an_order_of_no_layer_is_not_found():
    shape = TensorShape(channels=4, height=3, width=3)
    order = np.arange(36).reshape(4, 3, 3)
    assert steps(shape, order.transpose(0, 2, 1)) is None
    assert steps(shape, order[:, ::-1]) is None
    assert chosen(shape, order.transpose(0, 2, 1)) is None
    assert chosen(shape, order[[2, 0]]) == [2, 0]
    assert runs([3, 4, 0, 1, 2, 7]) == [(3, 2), (0, 3), (7, 1)]


def test_integers_of_what_is_moved_are_those_that_were_read(tmp_path):
    model = Model((3, 8, 8))
    x = model.node("DepthToSpace", model.conv("x", 8, 3), blocksize=2)
    found = load(model.save(tmp_path, model.conv(x, 5, 2, kernel=1)))
    pictures = images(model, 3)
    checkpoint = quantize(found, pictures, {})
    trace = golden.run(found.config, checkpoint, golden.input_act(pictures, checkpoint.input_scale))
    last = found.config.layers[-1].name
    assert trace.ifmap[last].shape == (3, 2, 12, 12)
    first = found.config.layers[0].name
    alone = found.config.model_copy(update={"layers": found.config.layers[:2]})
    only = type(checkpoint)(
        alone.name, {first: checkpoint.layers[first]}, {}, input_scale=checkpoint.input_scale
    )
    moved = golden.run(alone, only, golden.input_act(pictures, checkpoint.input_scale)).logits
    np.testing.assert_array_equal(moved, trace.ifmap[last].reshape(3, -1))


REFUSED = {
    "linear": (
        lambda model: model.node("Resize", "x", "", scales(model, 2, 2), mode="linear"),
        "mode = 'linear': must be nearest",
    ),
    "of a crop": (
        lambda model: model.node(
            "Resize",
            "x",
            "",
            scales(model, 2, 2),
            mode="nearest",
            coordinate_transformation_mode="half_pixel_symmetric",
        ),
        "coordinate_transformation_mode = 'half_pixel_symmetric': must be asymmetric, half_pixel",
    ),
    "of channels": (
        lambda model: model.conv(model.node("Transpose", "x", perm=[0, 2, 1, 3]), 4, 9, name="it"),
        "input out0 = (9, 3, 8): must be (N, C, H, W) or (N, C, W), in the order of a layer",
    ),
    "dilated": (
        lambda model: model.node("ConvTranspose", "x", model.random(3, 4, 3, 3), dilations=[2, 2]),
        "dilations = [2, 2]: must be [1, 1]",
    ),
    "output shape": (
        lambda model: model.node(
            "ConvTranspose", "x", model.random(3, 4, 2, 2), output_shape=[18, 16], strides=[2, 2]
        ),
        "output_shape = [18, 16]: must be absent",
    ),
    "far output": (
        lambda model: model.node(
            "ConvTranspose", "x", model.random(3, 4, 2, 2), strides=[2, 2], output_padding=[1, 1]
        ),
        "must leave an output within the reach of the kernel",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_layer_can_move_is_refused(tmp_path, case):
    build, line = REFUSED[case]
    model = Model(opset=19)
    refused(model, build(model), tmp_path, line)


def unet(model: Model) -> str:
    """A skip beside what a ConvTranspose makes large again."""
    skip = model.node("Relu", model.conv("x", 4, 3, pads=[1] * 4))
    x = model.node("MaxPool", skip, kernel_shape=[2, 2], strides=[2, 2])
    x = model.node("ConvTranspose", x, model.random(4, 6, 2, 2), strides=[2, 2])
    return model.conv(model.node("Concat", skip, x, axis=1), 3, 10, 1)


def test_maps_that_were_made_large_are_joined(tmp_path):
    types = same(model := Model((3, 8, 8)), unet(model), tmp_path)
    assert types == ["conv", "maxpool", "conv", "depth_to_space", "concat", "conv"]


@pytest.mark.parametrize("op", ["Add", "Mul", "Sub"])
def test_maps_that_are_moved_in_different_ways_meet(tmp_path, op):
    """Super-resolution: what channels are spread to, and the image of which pixels are repeated."""
    model = Model((1, 5, 6))
    spread = model.node("DepthToSpace", model.conv("x", 9, 1, pads=[1] * 4), blocksize=3)
    scales = model.store([1, 1, 3, 3])
    large = model.node("Resize", "x", "", scales, mode="nearest")
    types = same(model, model.node(op, spread, large), tmp_path)
    last = ["conv", "add"] if op == "Sub" else [op.lower()]
    # the sign is that of a layer of its own, for the image has no weights
    assert sorted(types) == sorted(["conv", "depth_to_space", "upsample", *last])
