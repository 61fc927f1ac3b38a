"""Weights round to their code's levels at the best scale, and are trained with them."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.config import NumberConfig
from hwsim.config.jobs.compress import TrainConfig
from hwsim.formats import codes as formats

#: With and without zero, from binary to 8 bits.
CODES = [
    ("int", 2), ("int", 4), ("int", 8), ("levels", 1), ("levels", 2), ("levels", 3), ("levels", 5),
    ("ternary", 2), ("pow2", 3), ("pow2", 4),
]  # fmt: skip


def codes_of(code: str, bits: int):
    from hwsim.models.quantization.codes import Codes

    return Codes(NumberConfig(weight_width=bits, weight_code=code))


def levels_of(codes):
    found = formats.levels(codes.numbers)
    return found[1:] if codes.numbers.weight_code == "int" else found


def error(codes, weight) -> float:
    """Squared distance of the projection, in double precision."""
    scale = codes.fit(weight)
    integers = codes.nearest(weight, scale)
    assert set(integers.flatten().int().tolist()) <= set(levels_of(codes).tolist())
    return float((weight.double() - scale * integers.double()).square().sum())


@cache
def every_choice(code: str, bits: int):
    """Every choice of levels, for the largest number of weights with at most 66,000 choices."""
    levels = levels_of(codes_of(code, bits))
    return np.array([*product(levels, repeat=int(np.log(66_000) / np.log(len(levels))))], float)


@pytest.mark.parametrize(("code", "bits"), CODES)
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_scale_and_levels_are_nearer(torch, code, bits, data):
    """Compare with every choice of levels at its best scale; small integers cause ties."""
    choices = every_choice(code, bits)
    value = st.integers(-3, 3) | st.floats(-4, 4, width=32, allow_subnormal=False)
    count = choices.shape[1]
    weight = torch.tensor(data.draw(st.lists(value, min_size=count, max_size=count)))
    flat = weight.double().numpy()
    products, powers = np.maximum(choices @ flat, 0), np.square(choices).sum(axis=1)
    explained = np.divide(products**2, powers, out=np.zeros_like(products), where=powers > 0)
    energy = float(np.square(flat).sum())
    best = energy - float(explained.max())
    if energy:
        assert error(codes_of(code, bits), weight) <= best * (1 + 1e-6) + 1e-12 * energy


@pytest.mark.parametrize(("code", "bits"), CODES)
def test_no_scale_of_a_fine_grid_is_nearer(torch, code, bits):
    """Compare forty weights of many magnitudes with 20,000 scales and every level."""
    codes = codes_of(code, bits)
    weight = torch.randn(40) ** 3
    flat = weight.double().numpy()
    scales = np.linspace(1e-3, 1, 20_000)[:, None] * np.abs(flat).max()
    levels = levels_of(codes)
    middles = (levels[1:] + levels[:-1]) / 2
    nearest = scales * levels[np.searchsorted(middles, flat / scales)]
    best = np.square(flat - nearest).sum(axis=1).min()
    assert error(codes, weight) <= best * (1 + 1e-6)


def test_a_projection_applied_twice_is_applied_once(torch):
    for code, bits in CODES:
        codes = codes_of(code, bits)
        once = codes.project(torch.randn(50))
        assert torch.allclose(codes.project(once), once, rtol=1e-5), (code, bits)


@pytest.mark.parametrize(("code", "bits"), CODES)
def test_a_layer_too_large_to_scan_is_hardly_worse(torch, monkeypatch, code, bits):
    """Both searches find the same scale; the tails of the weights decide where 8 bits clip."""
    from hwsim.models.quantization import codes as module

    weight = torch.randn(3000) ** 3
    exact = error(codes_of(code, bits), weight)
    monkeypatch.setattr(module, "_MOVES", 0)
    assert exact <= error(codes_of(code, bits), weight) * (1 + 1e-9)
    assert error(codes_of(code, bits), weight) < 1.002 * exact


@pytest.mark.parametrize(("code", "bits"), CODES)
def test_the_nearest_level_is_chosen(torch, code, bits):
    codes = codes_of(code, bits)
    weight = torch.linspace(-1.5, 1.5, 301) * codes.largest
    found = codes.nearest(weight * 0.25, 0.25)
    expected = (weight[:, None] - codes.levels).abs().min(dim=1).values
    assert torch.allclose((weight - found).abs(), expected, atol=1e-5)


def test_the_scale_of_binary_weights_is_their_mean_magnitude(torch):
    weight = torch.randn(1000)
    assert codes_of("levels", 1).fit(weight) == pytest.approx(float(weight.abs().mean()), rel=1e-5)


def test_nothing_to_fit_has_scale_one(torch):
    codes = codes_of("ternary", 2)
    assert codes.fit(torch.zeros(5)) == 1.0
    assert codes.fit(torch.zeros(0)) == 1.0
    assert codes.project(torch.zeros(2, 2)).tolist() == [[0, 0], [0, 0]]


@pytest.fixture
def codes(network):
    """Another code for each layer of the tiny network."""
    each = (("int", 4), ("levels", 2), ("ternary", 2), ("pow2", 4))
    return {n: codes_of(*code) for n, code in zip(network.weights(), each, strict=True)}


def test_a_substitution_gives_the_float_weights_back(torch, network, codes):
    """Within the context each layer has its own levels and scale; masked weights stay 0."""
    from hwsim.models.quantization.codes import Aware

    before = {name: weight.clone() for name, weight in network.weights().items()}
    masks = {"conv2": torch.rand(6, 4, 2, 2) < 0.5, "fc1": torch.rand(8, 24) < 0.5}
    aware = Aware(codes, masks)
    with aware.substituted(network):
        for name, weight in network.weights().items():
            integers = (weight / aware.scales[name]).round()
            assert torch.allclose(weight, integers * aware.scales[name])
            inside = integers[masks[name]] if name in masks else integers
            assert set(inside.flatten().int().tolist()) <= set(levels_of(codes[name]).tolist())
            if name in masks:
                assert not weight[~masks[name]].any()
    for name, weight in network.weights().items():
        assert weight.equal(before[name])


def test_an_error_in_between_gives_the_float_weights_back(torch, network, codes):
    from hwsim.models.quantization.codes import Aware

    before = {name: weight.clone() for name, weight in network.weights().items()}
    with pytest.raises(ZeroDivisionError), Aware(codes, {}).substituted(network):
        raise ZeroDivisionError
    for name, weight in network.weights().items():
        assert weight.equal(before[name])


def test_training_sees_quantized_weights_and_moves_the_float_ones(torch, network, codes):
    """A step uses the gradient of the quantized network and updates the float weights."""
    from hwsim.models.quantization.codes import Aware
    from hwsim.models.training.train import Dataset, train_epoch

    data = Dataset(torch.rand(12, 1, 8, 8), torch.arange(12) % 3)
    aware = Aware(codes, {})
    before = {name: weight.clone() for name, weight in network.weights().items()}
    with aware.substituted(network):
        torch.nn.functional.cross_entropy(network(data.images), data.labels).backward()
    expected = {shape.layer.name: stage.weight.grad.clone() for shape, stage in network.weighted()}
    schedule = TrainConfig(
        epochs=1, learning_rate=1e-3, batch=12, weight_decay=0.0, shift=0, precision="float32"
    )
    train_epoch(
        network, (data, data), schedule, (0, 1), None, torch.Generator(), masks={}, aware=aware
    )
    for name, weight in network.weights().items():
        moved = weight - before[name]
        # the first step of Adam: the rate, against the gradient's sign
        large = expected[name].abs() > 1e-5
        assert large.any()
        assert torch.allclose(moved[large], -1e-3 * expected[name][large].sign(), atol=1e-5)


def test_the_scale_follows_the_weights(torch, network, codes):
    """Each step chooses levels with the scale of the previous step, then refits the scale."""
    from hwsim.models.quantization.codes import Aware

    aware = Aware(codes, {})
    with aware.substituted(network):
        first = dict(aware.scales)
    for weight in network.weights().values():
        weight.mul_(1.2)
    with aware.substituted(network):
        pass
    for name, weight in network.weights().items():
        assert first[name] == pytest.approx(codes[name].fit(weight / 1.2), rel=1e-5)
        integers = codes[name].nearest(weight, first[name])
        best = float((weight * integers).sum() / integers.square().sum())
        assert aware.scales[name] == pytest.approx(best, rel=1e-5)
        assert best > first[name]


def test_settling_is_what_the_last_forward_pass_saw(torch, network, codes):
    from hwsim.models.quantization.codes import Aware
    from hwsim.models.quantization.quantize import quantize

    aware = Aware(codes, {})
    aware.settle(network)
    settled = {name: weight.clone() for name, weight in network.weights().items()}
    layers, _ = quantize(network, torch.rand(4, 1, 8, 8), codes, scales=aware.scales)
    for name, layer in layers.items():
        restored = torch.from_numpy(layer.weight * layer.weight_scale).float()
        assert torch.allclose(restored, settled[name], rtol=1e-5)
        assert np.isin(layer.weight, formats.levels(codes[name].numbers)).all()
