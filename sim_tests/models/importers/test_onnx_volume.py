"""Convolutions of three spatial dimensions: those that layers compute, and those that stay out."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, images, reference

from hwsim.errors import InputError
from hwsim.models.importers.onnx_layers import load

#: Shape of the input, kernel, attributes, and MACs per filter of the convolution.
VOLUMES = (
    ((2, 1, 5, 6), (1, 3, 3), {"pads": [0, 1, 1, 0, 1, 1]}, 30 * 18),
    # of a kernel of three planes only one meets the input
    ((2, 1, 5, 6), (3, 3, 3), {"pads": [1, 1, 0, 1, 1, 2], "strides": [1, 1, 2]}, 15 * 18),
    ((2, 1, 5, 6), (3, 3, 2), {"pads": [2, 0, 0, 2, 0, 0], "dilations": [2, 1, 3]}, 9 * 12),
    ((2, 4, 5, 6), (1, 1, 1), {}, 120 * 2),
    ((2, 4, 5, 6), (1, 1, 3), {"pads": [0, 0, 1, 0, 0, 0], "strides": [1, 1, 2]}, 4 * 5 * 3 * 6),
)


def convolution(model: Model, kernel, m: int = 3, **attributes) -> str:
    weight = model.random(m, 2 // attributes.get("group", 1), *kernel)
    return model.node("Conv", "x", weight, model.random(m), kernel_shape=kernel, **attributes)


@pytest.mark.parametrize("case", VOLUMES)
@pytest.mark.parametrize("is_pooled", [False, True])
def test_a_dimension_that_does_nothing_is_no_dimension(tmp_path, case, is_pooled):
    shape, kernel, attributes, macs = case
    model = Model(shape)
    x = model.node("Relu", model.batch_norm(convolution(model, kernel, **attributes), 3))
    if is_pooled:
        x = model.gemm(model.node("Flatten", model.node("GlobalAveragePool", x)), 4, 3)
    path, inputs = model.save(tmp_path, x), images(model)
    found, expected = load(path), reference(path, inputs)
    size = found.config.input
    ours = found.logits(inputs.reshape(len(inputs), size.channels, size.height, size.width))
    np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())
    assert found.config.shapes()[0].macs == 3 * macs


@pytest.mark.parametrize(
    ("shape", "kernel", "attributes"),
    [
        ((2, 4, 5, 6), (3, 3, 3), {"pads": [1] * 6}),
        ((2, 4, 5, 6), (1, 3, 3), {}),
        ((2, 4, 5, 6), (1, 1, 1), {"strides": [2, 1, 1]}),
        ((2, 1, 5, 6), (3, 1, 1), {"pads": [1, 0, 0, 2, 0, 0]}),
        ((2, 1, 5, 6), (1, 1, 1), {"auto_pad": "SAME_UPPER"}),
    ],
)
def test_a_kernel_that_joins_planes_is_refused_or_runs_beside(tmp_path, shape, kernel, attributes):
    model = Model(shape)
    path = model.save(tmp_path, convolution(model, kernel, **attributes))
    with pytest.raises(InputError, match=r"must not join planes: .*--outside float") as caught:
        load(path)
    assert "\n" not in str(caught.value)
    found = load(path, outside=True)
    assert [layer.type for layer in found.config.layers] == ["float"]
