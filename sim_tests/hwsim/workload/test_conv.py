"""Geometry of a convolution: the same matrix by unrolling, by taps and by offsets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.config import LayerConfig, LayerShape, TensorShape
from hwsim.config.network import ofmap_of
from hwsim.config.window import pair, sides
from hwsim.workload.conv import Conv
from hwsim.workload.layer import conv_of
from hwsim.workload.lowering import lower_act


def steps():
    """A stride or a dilation: one, or by direction."""
    return st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3))


def paddings():
    """Padding: alike all around, by direction, or by side."""
    one = st.integers(0, 2)
    return one | st.tuples(one, one) | st.tuples(one, one, one, one)


@st.composite
def convs(draw):
    r, s = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    dilation, padding = draw(steps()), draw(paddings())
    top, left, bottom, right = sides(padding)
    low_h, low_w = (
        max(1, step * (taps - 1) + 1 - border)
        for step, taps, border in zip(
            pair(dilation), (r, s), (top + bottom, left + right), strict=True
        )
    )
    return Conv(
        images=draw(st.integers(1, 3)),
        C=draw(st.integers(1, 4)),
        H=draw(st.integers(low_h, low_h + 5)),
        W=draw(st.integers(low_w, low_w + 5)),
        R=r,
        S=s,
        stride=draw(steps()),
        padding=padding,
        dilation=dilation,
    )


def explicit(conv, ifmap):
    """Matrix by the definition of a convolution, one element at a time."""
    act = np.zeros((conv.R, conv.S, conv.C, conv.images, conv.P, conv.Q), ifmap.dtype)
    for r, s, c, image, p, q in np.ndindex(act.shape):
        y = p * conv.strides[0] + r * conv.dilations[0] - conv.pads[0]
        x = q * conv.strides[1] + s * conv.dilations[1] - conv.pads[1]
        if 0 <= y < conv.H and 0 <= x < conv.W:
            act[r, s, c, image, p, q] = ifmap[image, c, y, x]
    return act.reshape(conv.R * conv.S * conv.C, -1)


@given(conv=convs(), seed=st.integers(0, 2**32 - 1))
def test_unrolled_by_taps_and_by_offsets_it_is_the_same_matrix(conv, seed):
    ifmap = np.random.default_rng(seed).integers(-128, 128, conv.shape, dtype=np.int8)
    expected = explicit(conv, ifmap)
    assert (conv.unroll(ifmap) == expected).all()
    taps = [tap.swapaxes(0, 1).reshape(conv.C, -1) for tap in conv.taps(ifmap)]
    assert (np.concatenate(taps) == expected).all()
    k, n = conv.offsets()
    flat = conv.padded(ifmap).reshape(-1)
    assert (flat[k[:, None] + n[None, :]] == expected).all()


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_lowering_of_a_network_layer(seed):
    rng = np.random.default_rng(seed)
    layer = LayerConfig(
        name="conv", type="conv", M=4, R=int(rng.integers(1, 4)),
        stride=tuple(rng.integers(1, 3, 2).tolist()),
        padding=tuple(rng.integers(0, 3, 4).tolist()),
        dilation=tuple(rng.integers(1, 3, 2).tolist()),
    )  # fmt: skip
    ifmap = TensorShape(channels=3, height=9, width=8)
    shape = LayerShape(layer, ifmap, ofmap_of(layer, [ifmap]))
    conv = conv_of(shape, 2)
    assert conv is not None, f"seed {seed}"
    act = rng.integers(-128, 128, (2, 3, 9, 8), dtype=np.int8)
    (expected,) = lower_act(shape, act)
    assert (conv.unroll(act) == expected).all(), f"seed {seed}"
