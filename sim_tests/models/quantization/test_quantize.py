"""Scales, fixed-point factors, and integers that compute what the float network does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NumberConfig
from hwsim.formats.codes import levels
from hwsim.inference import golden


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(factor=st.floats(2**-30, 2**13.99))
def test_fixed_point_is_within_half_a_unit_of_fifteen_bits(torch, factor):
    from hwsim.models.quantization.quantize import fixed_point

    multiplier, shift = fixed_point(factor)
    assert 1 <= multiplier < 2**15
    assert 0 <= shift <= 47
    assert math.isclose(multiplier / 2**shift, factor, rel_tol=2**-15)


@pytest.mark.parametrize("factor", [0.0, -1.0, 2.0**14])
def test_a_factor_out_of_range_is_refused(torch, factor):
    from hwsim.models.quantization.quantize import fixed_point

    with pytest.raises(ValueError, match="factor must be in"):
        fixed_point(factor)


def test_fixed_point_carries_into_the_next_power(torch):
    from hwsim.models.quantization.quantize import fixed_point

    assert fixed_point(1 - 2**-20) == (2**14, 14)
    assert fixed_point(1.0) == (2**14, 14)
    assert fixed_point(2**-60) == (1, 47)


def test_scale_covers_even_values_and_clips_outliers(torch):
    from hwsim.models.quantization.quantize import scale_of

    even = np.linspace(-1, 1, 1001)
    assert scale_of(even, 127) == pytest.approx(1 / 127, rel=0.02)
    with_outlier = np.append(np.linspace(-1, 1, 100_001), 1.4)
    assert scale_of(with_outlier, 7) < 1.4 / 7
    assert scale_of(np.zeros(5), 127) == 1.0


def codes_of(network, bits: int, code: str = "int"):
    """The same code for every layer."""
    from hwsim.models.quantization.codes import Codes

    return dict.fromkeys(
        network.weights(), Codes(NumberConfig(weight_width=bits, weight_code=code))
    )


def test_codes_are_symmetric_and_within_their_bits(torch, network):
    from hwsim.models.quantization.quantize import quantize

    images = torch.rand(20, 1, 8, 8)
    for bits in (2, 3, 4, 5, 8):
        layers, _ = quantize(network, images, codes_of(network, bits))
        for shape, stage in network.weighted():
            layer = layers[shape.layer.name]
            limit = 2 ** (bits - 1) - 1
            assert (layer.weight_bits, layer.weight_code) == (bits, "int")
            assert -limit <= layer.weight.min() <= layer.weight.max() <= limit
            error = layer.weight * layer.weight_scale - stage.weight.detach().numpy()
            inside = np.abs(layer.weight) < limit
            assert np.abs(error[inside]).max() <= layer.weight_scale * 0.5001


def test_zero_weights_stay_zero(torch, network):
    from hwsim.models.quantization.quantize import quantize

    with torch.no_grad():
        network.weights()["fc1"][:, 3:9] = 0
    layers, _ = quantize(network, torch.rand(4, 1, 8, 8), codes_of(network, 8))
    assert not layers["fc1"].weight[:, 3:9].any()


@pytest.mark.parametrize(
    ("code", "bits"), [("levels", 1), ("levels", 4), ("ternary", 2), ("pow2", 4)]
)
def test_weights_are_levels_and_absent_ones_zero(torch, network, code, bits):
    from hwsim.models.quantization.quantize import quantize

    codes = codes_of(network, bits, code)
    with torch.no_grad():
        network.weights()["fc2"][1] = 0
    masks = {"fc1": torch.rand(8, 24) < 0.4}
    layers, _ = quantize(network, torch.rand(4, 1, 8, 8), codes, masks)
    allowed = levels(codes["fc1"].numbers)
    for name, layer in layers.items():
        assert layer.numbers.weight_code == code
        kept = masks[name].numpy() if name in masks else np.ones(layer.weight.shape, dtype=bool)
        assert np.isin(layer.weight[kept], allowed).all()
        assert not layer.weight[~kept].any()


def test_integer_logits_follow_the_float_logits(torch, network, tiny):
    """With eight bits the logits agree within a few of the 127 levels of their range."""
    from hwsim.models.quantization.quantize import quantize

    pixels = np.random.default_rng(3).integers(0, 256, (50, 8, 8), dtype=np.uint8)
    images = torch.from_numpy(pixels.astype(np.float32) / 255)[:, None]
    layers, _ = quantize(network, images, codes_of(network, 8))
    expected = network(images).detach().numpy()
    logits = golden.logits(tiny, Checkpoint("tiny", layers, {}), golden.input_act(pixels))
    unit = np.linalg.lstsq(logits.reshape(-1, 1), expected.reshape(-1, 1))[0].item()
    assert np.abs(logits * unit - expected).max() < 0.05 * np.abs(expected).max()


def test_dequantize_restores_the_quantized_network(torch, network, tiny):
    from hwsim.models.networks.network import Network
    from hwsim.models.quantization.quantize import dequantize, quantize

    images = torch.rand(30, 1, 8, 8)
    layers, _ = quantize(network, images, codes_of(network, 8))
    restored = Network(tiny)
    dequantize(restored, Checkpoint("tiny", layers, {}))
    for (shape, stage), (_, original) in zip(restored.weighted(), network.weighted(), strict=True):
        layer = layers[shape.layer.name]
        codes = stage.weight.detach().double().numpy() / layer.weight_scale
        np.testing.assert_array_equal(np.rint(codes), layer.weight)
        assert torch.allclose(stage.bias, original.bias, atol=1e-3)


def test_integers_of_a_residual_network_follow_its_logits(torch, residual):
    """Each sum and average has a multiplier per input; a pool has its input's scale."""
    from hwsim.models.networks.network import Network
    from hwsim.models.quantization.quantize import calibrate, dequantize, quantize

    pixels = np.random.default_rng(3).integers(0, 256, (50, 8, 8), dtype=np.uint8)
    images = torch.from_numpy(pixels.astype(np.float32) / 255)[:, None]
    layers, rescales = quantize(residual, images, codes_of(residual, 8))
    assert {name: len(each.multipliers) for name, each in rescales.items()} == {
        "sum1": 2, "sum2": 2, "mean1": 1,
    }  # fmt: skip
    checkpoint = Checkpoint("residual", layers, {}, rescales=rescales)
    expected = residual(images).detach().numpy()
    logits = golden.logits(residual.config, checkpoint, golden.input_act(pixels))
    unit = np.linalg.lstsq(logits.reshape(-1, 1), expected.reshape(-1, 1))[0].item()
    assert np.abs(logits * unit - expected).max() < 0.05 * np.abs(expected).max()
    scales = calibrate(residual, images)
    assert scales["pool1"] == scales["sum2"]
    restored = Network(residual.config)
    dequantize(restored, checkpoint)
    difference = (restored(images) - residual(images)).abs().max()
    assert difference < 0.05 * residual(images).abs().max()


def test_dequantize_knows_scales_per_channel(torch, network, tiny):
    """A channel of twice the scale and half the factor: its weights count twice, no other."""
    from hwsim.models.networks.network import Network
    from hwsim.models.quantization.quantize import dequantize, quantize

    layers, _ = quantize(network, torch.rand(30, 1, 8, 8), codes_of(network, 8))
    spread = {
        name: replace(
            layer,
            multiplier=layer.multipliers,
            shift=layer.shifts,
            weight_scale=layer.weight_scales,
        )
        for name, layer in layers.items()
    }
    name = next(iter(spread))
    spread[name].weight_scale[0] *= 2
    spread[name].shift[0] -= 1
    expected, restored = Network(tiny), Network(tiny)
    dequantize(expected, Checkpoint("tiny", layers, {}))
    dequantize(restored, Checkpoint("tiny", spread, {}))
    _, first = next(iter(expected.weighted()))
    with torch.no_grad():
        first.weight[0] *= 2
        first.bias[0] *= 2
    for one, other in zip(expected.parameters(), restored.parameters(), strict=True):
        assert torch.equal(one, other)
