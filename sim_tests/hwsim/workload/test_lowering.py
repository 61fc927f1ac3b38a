"""Lowered products against a convolution written as seven loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.config import LayerShape, NetworkConfig
from hwsim.workload.lowering import (
    lower_act,
    lower_weight,
    raise_ofmap,
    raise_weight,
    weight_shape,
    windows,
)


def layer_shape(channels, height, width, **layer) -> LayerShape:
    """Shape of the one layer of a network."""
    network = NetworkConfig.model_validate(
        {
            "name": "one",
            "input": {"channels": channels, "height": height, "width": width},
            "layers": [{"name": "layer", **layer}],
        }
    )
    return network.shapes()[0]


def naive(shape, weight, ifmap):
    """Convolution by its definition: one loop for each of N, M, P, Q, C, R, S."""
    layer, images = shape.layer, len(ifmap)
    height, width, (down, right) = shape.ofmap.height, shape.ofmap.width, layer.strides
    ofmap = np.zeros((images, shape.ofmap.channels, height, width), dtype=np.int64)
    filters = weight.reshape(shape.ofmap.channels, shape.C, shape.R, shape.S)
    for n in range(images):
        for m in range(shape.ofmap.channels):
            group = m // shape.M
            for p in range(height):
                for q in range(width):
                    for c in range(shape.C):
                        for r in range(shape.R):
                            for s in range(shape.S):
                                y = p * down - layer.pads[0] + r * layer.dilations[0]
                                x = q * right - layer.pads[1] + s * layer.dilations[1]
                                if 0 <= y < shape.ifmap.height and 0 <= x < shape.ifmap.width:
                                    act = ifmap[n, group * shape.C + c, y, x]
                                    ofmap[n, m, p, q] += int(act) * int(filters[m, c, r, s])
    return ofmap


def steps(most):
    """A stride or a dilation: one, or by direction."""
    one = st.integers(1, most)
    return one | st.tuples(one, one)


def paddings():
    """Padding: alike all around, by direction, or by side."""
    one = st.integers(0, 2)
    return one | st.tuples(one, one) | st.tuples(one, one, one, one)


@st.composite
def shapes(draw):
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    layer = {
        "type": "conv",
        "M": groups * draw(st.integers(1, 3)),
        "R": draw(st.integers(1, 3)),
        "S": draw(st.integers(1, 3)),
        "G": groups,
        "stride": draw(steps(3)),
        "padding": draw(paddings()),
        "dilation": draw(steps(2)),
        "ceil": draw(st.booleans()),
    }
    channels = groups * draw(st.integers(1, 3))
    return layer_shape(channels, draw(st.integers(5, 7)), draw(st.integers(5, 7)), **layer)


def multiply(shape, weight, ifmap):
    """Lower, multiply each group, raise."""
    pairs = zip(lower_weight(shape, weight), lower_act(shape, ifmap), strict=True)
    products = [w.astype(np.int64) @ a.astype(np.int64) for w, a in pairs]
    return raise_ofmap(shape, products, len(ifmap))


@settings(deadline=None, max_examples=60)
@given(shape=shapes(), images=st.integers(1, 2), seed=st.integers(0, 2**32 - 1))
def test_product_equals_the_seven_loops(shape, images, seed):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-128, 128, weight_shape(shape), dtype=np.int8)
    size = (images, shape.ifmap.channels, shape.ifmap.height, shape.ifmap.width)
    ifmap = rng.integers(-128, 128, size, dtype=np.int8)
    np.testing.assert_array_equal(multiply(shape, weight, ifmap), naive(shape, weight, ifmap))


def test_fully_connected_equals_the_seven_loops():
    shape = layer_shape(3, 2, 4, type="fc", M=5)
    rng = np.random.default_rng(1)
    weight = rng.integers(-128, 128, weight_shape(shape), dtype=np.int8)
    ifmap = rng.integers(-128, 128, (2, 3, 2, 4), dtype=np.int8)
    found = multiply(shape, weight, ifmap)
    np.testing.assert_array_equal(found, naive(shape, weight, ifmap))
    flat = ifmap.reshape(2, -1).astype(np.int64) @ weight.astype(np.int64).T
    np.testing.assert_array_equal(found[:, :, 0, 0], flat)


def test_k_is_row_column_channel_and_n_is_image_pixel():
    shape = layer_shape(2, 3, 3, type="conv", M=1, R=2)
    ifmap = np.arange(2 * 2 * 3 * 3).reshape(2, 2, 3, 3)
    (act,) = lower_act(shape, ifmap)
    expected = [
        [ifmap[n, c, p + r, q + s] for n in (0, 1) for p in (0, 1) for q in (0, 1)]
        for r in (0, 1)
        for s in (0, 1)
        for c in (0, 1)
    ]
    np.testing.assert_array_equal(act, expected)


@settings(deadline=None, max_examples=30)
@given(shape=shapes(), seed=st.integers(0, 2**32 - 1))
def test_raising_undoes_lowering(shape, seed):
    weight = np.random.default_rng(seed).integers(-128, 128, weight_shape(shape), dtype=np.int8)
    raised = raise_weight(shape, lower_weight(shape, weight))
    assert raised.dtype == np.int8
    np.testing.assert_array_equal(raised, weight)


def test_windows_of_a_pool_that_rounds_up_are_filled():
    shape = layer_shape(1, 4, 4, type="maxpool", R=3, stride=2, ceil=True)
    ifmap = np.arange(16, dtype=np.int8).reshape(1, 1, 4, 4)
    taps = windows(shape, ifmap, fill=-128)
    assert taps.shape == (1, 1, 2, 2, 3, 3)
    np.testing.assert_array_equal(taps[0, 0, 1, 1], [[10, 11, -128], [14, 15, -128], [-128] * 3])


@pytest.mark.parametrize("key", ["G", "stride", "padding", "dilation"])
def test_a_fully_connected_layer_has_no_window(key):
    with pytest.raises(ValueError, match=f"{key} must be absent for a fc layer"):
        layer_shape(4, 2, 2, type="fc", M=4, **{key: 2})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda shape: lower_weight(shape, np.zeros((1, 1, 1, 1))), "weight has shape"),
        (lambda shape: lower_act(shape, np.zeros((1, 3, 5, 5))), "ifmap has shape"),
        (lambda shape: raise_ofmap(shape, [np.zeros((3, 3))], 1), "ofmap has shape"),
        (lambda shape: raise_weight(shape, [np.zeros((3, 3))]), "weight has shape"),
    ],
    ids=["lower_weight", "lower_act", "raise_ofmap", "raise_weight"],
)
def test_another_shape_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(layer_shape(2, 5, 5, type="conv", M=3, R=3))
