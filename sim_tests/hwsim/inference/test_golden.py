"""Integer inference against plain integer loops, and its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights, Rescale
from hwsim.config import NetworkConfig, NumberConfig
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.workload.lowering import lower_act, lower_weight, weight_shape

SMALL = {
    "name": "small",
    "input": {"channels": 1, "height": 6, "width": 6},
    "layers": [
        {"name": "conv1", "type": "conv", "M": 3, "R": 3, "padding": 1},
        {"name": "pool1", "type": "maxpool", "R": 2, "stride": 2},
        {"name": "fc1", "type": "fc", "M": 4, "relu": True},
        {"name": "fc2", "type": "fc", "M": 2},
    ],
}


def network(**changes) -> NetworkConfig:
    return NetworkConfig.model_validate(SMALL | changes)


def checkpoint(config: NetworkConfig, seed: int = 0) -> Checkpoint:
    """Random weights, with scales that use the range of the activations."""
    rng = np.random.default_rng(seed)
    layers = {
        shape.layer.name: LayerWeights(
            weight=rng.integers(-127, 128, weight_shape(shape), dtype=np.int8),
            bias=rng.integers(-5000, 5000, shape.ofmap.channels, dtype=np.int32),
            weight_bits=8,
            multiplier=20000,
            shift=23,
            weight_scale=0.01,
        )
        for shape in config.shapes()
        if shape.has_weights
    }
    return Checkpoint(config.name, layers, {})


def scalar_wrap(value: int, width: int) -> int:
    value %= 1 << width
    return value - (1 << width) if value >> (width - 1) else value


def scalar_requantize(
    psum: int, layer: LayerWeights, channel: int, relu: bool, numbers: NumberConfig
) -> int:
    psum = scalar_wrap(psum, numbers.psum_width)
    multiplier, shift = int(layer.multipliers[channel]), int(layer.shifts[channel])
    scaled = (2 * psum * multiplier + (1 << shift)) >> (shift + 1)
    half = 1 << (numbers.act_width - 1)
    scaled = max(-half, min(half - 1, scaled))
    return max(0, scaled) if relu else scaled


def by_hand(
    weights: Checkpoint, image: np.ndarray, numbers: NumberConfig = golden.NUMBERS
) -> list[int]:
    """Logits of SMALL for one image, in Python's own integers."""
    conv, fc1, fc2 = (weights.layers[name] for name in ("conv1", "fc1", "fc2"))
    padded = np.pad(image[0].astype(int), 1).tolist()
    pooled = []
    for m in range(3):
        rows = [
            [
                scalar_requantize(
                    sum(
                        padded[p + r][q + s] * int(conv.weight[m, 0, r, s])
                        for r in range(3)
                        for s in range(3)
                    )
                    + int(conv.bias[m]),
                    conv,
                    m,
                    relu=False,
                    numbers=numbers,
                )
                for q in range(6)
            ]
            for p in range(6)
        ]
        pooled += [
            max(rows[2 * p + i][2 * q + j] for i in (0, 1) for j in (0, 1))
            for p in range(3)
            for q in range(3)
        ]
    hidden = [
        scalar_requantize(
            sum(int(w) * a for w, a in zip(row, pooled, strict=True)) + int(b),
            fc1,
            m,
            relu=True,
            numbers=numbers,
        )
        for m, (row, b) in enumerate(zip(fc1.weight, fc1.bias, strict=True))
    ]
    return [
        scalar_wrap(
            sum(int(w) * a for w, a in zip(row, hidden, strict=True)) + int(b),
            numbers.psum_width,
        )
        for row, b in zip(fc2.weight, fc2.bias, strict=True)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_logits_equal_plain_integer_loops(seed):
    config = network()
    weights = checkpoint(config, seed)
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 6, 6), dtype=np.uint8)
    images = golden.input_act(pixels)
    found = golden.run(config, weights, images).logits
    assert found.dtype == np.int32
    assert found.tolist() == [by_hand(weights, image) for image in images]


@pytest.mark.parametrize("seed", range(4))
def test_each_channel_may_have_a_scale_of_its_own(seed):
    config = network()
    rng = np.random.default_rng(seed)
    weights = checkpoint(config, seed)
    layers = {
        name: replace(
            layer,
            multiplier=rng.integers(1, 65536, len(layer.weight)),
            shift=rng.integers(20, 26, len(layer.weight)),
        )
        for name, layer in weights.layers.items()
    }
    # no shift at all
    layers["fc1"].multiplier[0], layers["fc1"].shift[0] = 1, 0
    weights = replace(weights, layers=layers)
    images = golden.input_act(rng.integers(0, 256, (3, 6, 6), dtype=np.uint8))
    found = golden.run(config, weights, images).logits
    assert found.tolist() == [by_hand(weights, image) for image in images]


@pytest.mark.parametrize(
    ("widths", "bias_factor", "shift"),
    [
        ({"act_width": 6}, 1, 23),
        ({"act_width": 11, "psum_width": 40}, 1, 21),
        # so that sums wrap, but not all activations saturate
        ({"psum_width": 16}, 1, 23),
        ({"psum_width": 20}, 150, 27),
    ],
    ids=str,
)
def test_widths_are_those_of_the_numbers(widths, bias_factor, shift):
    config, numbers = network(), NumberConfig(**widths)
    weights = checkpoint(config, seed=3)
    layers = {
        name: replace(layer, bias=layer.bias * bias_factor, shift=shift)
        for name, layer in weights.layers.items()
    }
    weights = replace(weights, layers=layers)
    pixels = np.random.default_rng(1).integers(0, 256, (3, 6, 6), dtype=np.uint8)
    images = golden.input_act(pixels, act_width=numbers.act_width)
    half = 1 << (numbers.act_width - 1)
    reals = np.rint(pixels / 255.0 * 127)
    assert images[:, 0].tolist() == np.minimum(reals, half - 1).tolist()
    trace = golden.run(config, weights, images, numbers)
    expected = [by_hand(weights, image, numbers) for image in images]
    assert trace.logits.tolist() == expected
    assert expected != [by_hand(weights, image) for image in images], "the widths must matter"
    assert golden.logits(config, weights, images, 2, numbers).tolist() == expected
    labels = np.argmax(expected, axis=1).astype(np.uint8)
    assert golden.accuracy(config, weights, pixels, labels, numbers) == 1
    assert trace.ifmap["fc1"].dtype == (np.int16 if numbers.act_width > 8 else np.int8)
    assert trace.psum["fc1"][0].dtype == (np.int64 if numbers.psum_width > 32 else np.int32)


def test_sums_saturate_at_the_width_of_the_activations():
    shape = NetworkConfig.model_validate(JOINED).shapes()[2]
    act = np.full((1, 2, 4, 5), 25, dtype=np.int8)
    assert (golden.rescaled(shape, Rescale((1, 1), 0), [act, act], act_width=6) == 31).all()
    assert (golden.rescaled(shape, Rescale((9, 9), 0), [act, act], act_width=10) == 450).all()


def test_activations_that_the_widths_cannot_hold_are_refused():
    config = network()
    images = np.full((1, 1, 6, 6), 32, dtype=np.int8)
    with pytest.raises(InputError, match=r"images: act\[0, 0, 0, 0\] = 32: must be within -32..31"):
        golden.run(config, checkpoint(config), images, NumberConfig(act_width=6))
    binary = NumberConfig(act_width=1, weight_width=1, weight_code="levels")
    with pytest.raises(InputError, match="act_width = 1: must be at least 2: binary"):
        golden.run(config, checkpoint(config), images, binary)


def test_trace_holds_the_operands_and_results_of_every_gemm():
    config = network()
    weights = checkpoint(config)
    images = golden.input_act(np.full((2, 6, 6), 200, dtype=np.uint8))
    trace = golden.run(config, weights, images)
    assert list(trace.ifmap) == list(trace.psum) == ["conv1", "fc1", "fc2"]
    for shape in config.shapes():
        if shape.has_weights:
            name = shape.layer.name
            (weight,) = lower_weight(shape, weights.layers[name].weight)
            (act,) = lower_act(shape, trace.ifmap[name])
            (psum,) = trace.psum[name]
            assert psum.dtype == np.int32
            assert trace.ifmap[name].dtype == np.int8
            np.testing.assert_array_equal(psum, weight.astype(int) @ act.astype(int))
    assert trace.ifmap["fc2"].min() >= 0


def test_batches_do_not_change_the_logits():
    config = network()
    weights = checkpoint(config)
    pixels = np.random.default_rng(5).integers(0, 256, (7, 6, 6), dtype=np.uint8)
    images = golden.input_act(pixels)
    whole = golden.run(config, weights, images).logits
    np.testing.assert_array_equal(golden.logits(config, weights, images, batch=3), whole)
    assert golden.logits(config, weights, images[:0]).shape == (0, 2)
    labels = whole.argmax(axis=1).astype(np.uint8)
    labels[0] ^= 1
    assert golden.accuracy(config, weights, pixels, labels) == 6 / 7


def test_input_act_uses_the_whole_positive_range():
    pixels = np.array([[[0, 1, 2, 3, 127, 128, 254, 255]]], dtype=np.uint8)
    expected = [(p * 127 + 127) // 255 for p in (0, 1, 2, 3, 127, 128, 254, 255)]
    assert golden.input_act(pixels).tolist() == [[[expected]]]
    assert (expected[0], expected[-1]) == (0, 127)


@settings(deadline=None, max_examples=40)
@given(
    m=st.integers(1, 4),
    k=st.integers(1, 2000),
    n=st.integers(1, 3),
    extreme=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_gemm_is_exact_at_any_depth(m, k, n, extreme, seed):
    rng = np.random.default_rng(seed)
    # 2000 * 128 * 128 is beyond the 24 bits of single precision
    weight = np.full((m, k), -128) if extreme else rng.integers(-128, 128, (m, k))
    act = np.full((k, n), -128) if extreme else rng.integers(-128, 128, (k, n))
    expected = weight @ act
    np.testing.assert_array_equal(
        golden.gemm(weight.astype(np.int8), act.astype(np.int8)), expected
    )


def test_gemm_is_exact_beyond_single_precision():
    weight, act = np.full((1, 2001), 127, dtype=np.int8), np.full((2001, 1), 127, dtype=np.int8)
    assert golden.gemm(weight, act).item() == 2001 * 127 * 127  # odd, and above 2**24


def test_gemm_wraps_at_the_partial_sum_width():
    weight, act = np.full((1, 5), 127, dtype=np.int8), np.full((5, 1), 127, dtype=np.int8)
    total = 5 * 127 * 127
    assert golden.gemm(weight, act, psum_width=17).item() == (total + 65536) % 131072 - 65536
    assert golden.gemm(weight, act).item() == total


def test_gemm_refuses_what_double_precision_cannot_hold():
    with pytest.raises(ValueError, match="beyond exact double precision"):
        golden.gemm(np.array([[1 << 40]]), np.array([[1 << 20]]))


def test_max_pool_padding_never_wins():
    config = network(
        layers=[
            {"name": "pool1", "type": "maxpool", "R": 3, "stride": 2, "padding": 1},
            {"name": "fc1", "type": "fc", "M": 2},
        ]
    )
    ifmap = np.full((1, 1, 6, 6), -100, dtype=np.int8)
    assert (golden.max_pool(config.shapes()[0], ifmap) == -100).all()


def test_another_image_size_is_refused():
    config = network()
    with pytest.raises(InputError, match=r"images: shape = .* must have shape \(1, 6, 6\)"):
        golden.run(config, checkpoint(config), np.zeros((1, 1, 5, 6), dtype=np.int8))


JOINED = {
    "name": "joined",
    "input": {"channels": 2, "height": 4, "width": 5},
    "layers": [
        {"name": "pool", "type": "avgpool", "R": 3, "S": 2, "stride": 2, "padding": 1},
        {"name": "global", "type": "globalavgpool", "inputs": ["input"]},
        {"name": "add", "type": "add", "inputs": ["input", "input"], "relu": True},
        {"name": "concat", "type": "concat", "inputs": ["add", "input", "input"]},
    ],
}


def scalar_rescale(total: int, shift: int, relu: bool = False) -> int:
    found = max(-128, min(127, (total + ((1 << shift) >> 1)) >> shift))
    return max(0, found) if relu else found


@pytest.mark.parametrize("seed", range(5))
def test_sums_and_joins_equal_plain_integer_loops(seed):
    rng = np.random.default_rng(seed)
    shapes = {shape.layer.name: shape for shape in NetworkConfig.model_validate(JOINED).shapes()}
    x = rng.choice([-128, -1, 0, 1, 127, *rng.integers(-128, 128, 9)], (2, 2, 4, 5)).astype(np.int8)
    y = rng.integers(-128, 128, x.shape, dtype=np.int8)
    m1, m2, m3, shift = (int(v) for v in [*rng.integers(0, 1 << 15, 3), rng.integers(0, 18)])

    found = golden.rescaled(shapes["add"], Rescale((m1, m2), shift), [x, y])
    expected = [
        scalar_rescale(m1 * a + m2 * b, shift, relu=True)
        for a, b in zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)
    ]
    assert found.dtype == np.int8
    assert found.ravel().tolist() == expected

    found = golden.rescaled(shapes["concat"], Rescale((m1, m2, m3), shift), [x, y, x])
    assert found.shape == (2, 6, 4, 5)
    for index, (source, multiplier) in enumerate([(x, m1), (y, m2), (x, m3)]):
        expected = [scalar_rescale(multiplier * a, shift) for a in source.ravel().tolist()]
        assert found[:, 2 * index : 2 * index + 2].ravel().tolist() == expected

    found = golden.rescaled(shapes["global"], Rescale((m1,), shift), [x])
    sums = [sum(plane) for plane in x.reshape(4, 20).tolist()]
    assert found.shape == (2, 2, 1, 1)
    assert found.ravel().tolist() == [scalar_rescale(m1 * total, shift) for total in sums]

    found = golden.rescaled(shapes["pool"], Rescale((m1,), shift), [x])
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)]).tolist()
    expected = [
        scalar_rescale(
            m1 * sum(plane[2 * p + r][2 * q + s] for r in range(3) for s in range(2)), shift
        )
        for image in padded
        for plane in image
        for p in range(2)
        for q in range(3)
    ]
    assert found.ravel().tolist() == expected


def test_a_network_runs_through_its_joins():
    """Twice the input, halved, is the input; its own mean follows it."""
    layers = [
        {"name": "add", "type": "add", "inputs": ["input", "input"]},
        {"name": "concat", "type": "concat", "inputs": ["add", "input"]},
        {"name": "pool", "type": "globalavgpool"},
    ]
    config = network(layers=layers)
    rescales = {
        "add": Rescale((1, 1), 1),
        "concat": Rescale((2, 4), 1),
        "pool": Rescale(((1 << 20) // 36,), 20),
    }
    weights = Checkpoint(config.name, {}, {}, rescales=rescales)
    images = np.full((3, 1, 6, 6), 40, dtype=np.int8)
    assert golden.run(config, weights, images).logits.tolist() == [[40, 80]] * 3


def test_a_relu_after_a_max_pool_counts():
    config = network(
        layers=[{"name": "pool", "type": "maxpool", "R": 1, "relu": True}, *SMALL["layers"][2:]]
    )
    images = np.random.default_rng(0).integers(-128, 128, (1, 1, 6, 6), dtype=np.int8)
    trace = golden.run(config, checkpoint(config), images)
    np.testing.assert_array_equal(trace.ifmap["fc1"], np.maximum(images, 0))


def test_a_checkpoint_that_does_not_say_how_to_sum_is_refused():
    config = network(layers=[{"name": "pool1", "type": "avgpool", "R": 2}, *SMALL["layers"][2:]])
    images = np.zeros((1, 1, 6, 6), dtype=np.int8)
    with pytest.raises(InputError, match=r"rescales\.pool1: must be given: how avgpool layers"):
        golden.run(config, checkpoint(config), images)


def test_real_inputs_are_rounded_and_saturated_at_their_scale():
    real = np.array([[[[-9.0, -0.26, -0.24, 0.0, 0.25, 0.76, 63.4, 99.0]]]])
    assert golden.input_act(real, 0.5).ravel().tolist() == [-18, -1, 0, 0, 0, 2, 127, 127]
    pixels = np.array([[[0, 51, 255]]], dtype=np.uint8)
    assert golden.input_act(pixels, 0.02).ravel().tolist() == [0, 10, 50]


def gated(function="tanh") -> NetworkConfig:
    """A network of an activation layer alone."""
    return NetworkConfig.model_validate(
        {
            "name": "gated",
            "input": {"channels": 2, "height": 8, "width": 16},
            "layers": [{"name": "act", "type": "activation", "function": function}],
        }
    )


def test_an_activation_layer_looks_each_integer_up():
    table = np.random.default_rng(1).integers(-128, 128, 256).astype(np.int8)
    weights = Checkpoint("gated", {}, {}, tables={"act": table})
    images = np.arange(-128, 128).astype(np.int8).reshape(1, 2, 8, 16)
    assert golden.run(gated(), weights, images).logits.tolist() == [table.tolist()]
    # narrower activations saturate
    narrow = NumberConfig(act_width=4)
    few = np.clip(images, -8, 7)
    expected = np.clip(table[few.ravel().astype(int) + 128], -8, 7)
    assert golden.run(gated(), weights, few, narrow).logits.tolist() == [expected.tolist()]


def test_an_activation_layer_needs_its_table_and_8_bits():
    images = np.zeros((1, 2, 8, 16), np.int8)
    with pytest.raises(InputError, match=r"act\.table: must be given: the table of tanh"):
        golden.run(gated(), Checkpoint("gated", {}, {}), images)
    weights = Checkpoint("gated", {}, {}, tables={"act": np.zeros(256, np.int8)})
    with pytest.raises(InputError, match=r"numbers\.act_width = 12: must be at most 8: act looks"):
        golden.run(gated(), weights, images, NumberConfig(act_width=12))


@pytest.mark.parametrize("seed", range(4))
def test_an_average_of_the_pixels_inside_equals_plain_loops(seed):
    print("seed", seed)
    rng = np.random.default_rng(seed)
    pool = {
        "name": "pool", "type": "avgpool", "R": 3, "S": 2, "stride": [2, 1],
        "padding": [1, 0, 2, 1], "count_include_pad": False,
    }  # fmt: skip
    raw = {"name": "one", "input": {"channels": 2, "height": 5, "width": 4}, "layers": [pool]}
    config = NetworkConfig.model_validate(raw)
    multiplier, shift = int(rng.integers(1000, 9000)), 15
    weights = Checkpoint("one", {}, {}, rescales={"pool": Rescale((multiplier,), shift)})
    act = rng.integers(-128, 128, (2, 2, 5, 4)).astype(np.int8)
    found = golden.run(config, weights, act).logits.reshape(2, 2, 3, 4)
    for n, c, p, q in np.ndindex(found.shape):
        pixels = [
            int(act[n, c, y, x])
            for y in range(2 * p - 1, 2 * p + 2)
            for x in range(q, q + 2)
            if 0 <= y < 5 and 0 <= x < 4
        ]
        own = (2 * multiplier * 6 + len(pixels)) // (2 * len(pixels))
        rounded = (sum(pixels) * own + (1 << shift >> 1)) >> shift
        assert found[n, c, p, q] == min(max(rounded, -128), 127)
