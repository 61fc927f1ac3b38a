"""Reshape, Transpose and their kin only say which activation is where; layers read them so."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, reference, refused, same

from hwsim.models.importers.onnx_layers import load


@pytest.mark.parametrize("seed", range(40))
def test_a_product_reads_activations_in_any_order(tmp_path, seed):
    """Random reshapes and transpositions, and then a fully connected layer."""
    print("seed", seed)
    model = Model((4, 6, 5), seed=seed, batch=1)
    x, dims = model.node("Relu", model.conv("x", 4, 4, pads=[1] * 4)), [4, 6, 5]
    for _ in range(int(model.rng.integers(1, 5))):
        match model.rng.choice(["transpose", "reshape", "squeeze", "unsqueeze"]):
            case "transpose":
                order = model.rng.permutation(len(dims))
                x = model.node("Transpose", x, perm=[0, *(1 + order).tolist()])
                dims = [dims[axis] for axis in order]
            case "reshape":
                dims = model.rng.permutation([2, 2, 3, 2, 5]).tolist()
                cut = int(model.rng.integers(1, 5))
                dims = [int(np.prod(dims[:cut])), *dims[cut:]]
                x = model.node("Reshape", x, model.ints(1, *dims))
            case "unsqueeze":
                x, dims = model.node("Unsqueeze", x, model.ints(2)), [dims[0], 1, *dims[1:]]
            case _:
                ones = [axis for axis, size in enumerate(dims) if size == 1]
                if ones:
                    x = model.node("Squeeze", x, model.ints(*(1 + axis for axis in ones)))
                    dims = [size for size in dims if size != 1]
    x = model.gemm(model.node("Reshape", x, model.ints(1, -1)), 5, 120)
    assert same(model, x, tmp_path, count=1) == ["conv", "fc"]


def test_a_file_whose_channels_are_last_takes_images_all_the_same(tmp_path):
    """Every file of tf2onnx: a Transpose first, one back before the classifier's flattening."""
    model = Model((9, 8, 3))
    x = model.node("Transpose", "x", perm=[0, 3, 1, 2])
    x = model.node("Relu", model.conv(x, 4, 3))
    x = model.node("Mul", model.node("Transpose", x, perm=[0, 2, 3, 1]), model.random(4))
    x = model.gemm(model.node("Reshape", x, model.ints(-1, 168)), 5, 168)
    path = model.save(tmp_path, x)
    images = np.random.default_rng(3).standard_normal((2, 3, 9, 8)).astype(np.float32)
    found = load(path)
    assert found.config.input.model_dump() == {"channels": 3, "height": 9, "width": 8}
    expected = reference(path, images.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(found.logits(images), expected, atol=1e-5 * np.abs(expected).max())


def test_a_mean_over_pixels_wherever_they_are(tmp_path):
    model = Model()
    x = model.node("Transpose", model.conv("x", 4, 3), perm=[0, 2, 3, 1])
    x = model.node("ReduceMean", x, axes=[1, 2], keepdims=0)
    assert same(model, model.gemm(x, 5, 4), tmp_path) == ["conv", "globalavgpool", "fc"]


def test_transposed_tensors_are_added_and_rectified(tmp_path):
    model = Model()
    a, b = (model.node("Transpose", model.conv("x", 4, 3), perm=[0, 2, 3, 1]) for _ in range(2))
    x = model.node("Relu", model.node("Add", a, model.node("Relu", b)))
    x = model.node("Transpose", x, perm=[0, 3, 1, 2])
    assert same(model, model.conv(x, 5, 4), tmp_path) == ["conv", "conv", "add", "conv"]


def test_channels_that_are_last_are_joined(tmp_path):
    model = Model()
    a, b = (model.node("Transpose", model.conv("x", m, 3), perm=[0, 2, 3, 1]) for m in (4, 2))
    x = model.node("Transpose", model.node("Concat", a, b, axis=-1), perm=[0, 3, 1, 2])
    assert same(model, model.conv(x, 5, 6), tmp_path) == ["conv", "conv", "concat", "conv"]


def test_the_shape_of_a_view_is_known(tmp_path):
    """``x.reshape(x.shape[0], -1)`` behind a transposition, with the ends of Shape given."""
    model = Model()
    x = model.node("Transpose", model.conv("x", 4, 3), perm=[0, 2, 3, 1])
    rows = model.node("Shape", x, start=1, end=2)
    rest = model.node("Mul", rows, model.ints(24))
    shape = model.node("Concat", model.ints(-1), rest, axis=0)
    x = model.node("Reshape", x, shape)
    assert same(model, model.gemm(x, 5, 168), tmp_path) == ["conv", "fc"]


def test_an_output_in_another_order_is_that_of_the_layer(tmp_path):
    """The values are the same; they lie as the layer gives them."""
    model = Model()
    path = model.save(tmp_path, model.node("Transpose", model.conv("x", 4, 3), perm=[0, 2, 3, 1]))
    images = np.random.default_rng(3).standard_normal((2, 3, 9, 8)).astype(np.float32)
    expected = reference(path, images).reshape(2, 7, 6, 4).transpose(0, 3, 1, 2)
    model = load(path)
    assert model.config.source.endswith("its output in the order of the last layer")
    found = model.logits(images).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_the_batch_must_stay_apart(tmp_path):
    model = Model(batch=2)
    x = model.node("Transpose", model.conv("x", 2, 3, kernel=(9, 8)), perm=[1, 0, 2, 3])
    line = "output shape = (2, 2, 1, 1): must keep the batch of 2 as its first axis, and the images"
    refused(model, x, tmp_path, line)


def test_a_cast_to_whole_numbers_is_refused(tmp_path):
    model = Model()
    refused(model, model.node("Cast", "x", to=6), tmp_path, "to = 6: must be a type of real number")
