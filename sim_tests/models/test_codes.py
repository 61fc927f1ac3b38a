"""Weights round to their code's levels at the best scale, and train so."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.config import NumberConfig
from hwsim.config.compress import TrainConfig
from hwsim.formats import codes as formats

CODES = [
    ("int", 2), ("int", 4), ("levels", 1), ("levels", 2), ("levels", 4), ("ternary", 2),
    ("pow2", 3), ("pow2", 4),
]  # fmt: skip


def codes_of(code: str, bits: int):
    from models.codes import Codes

    return Codes(NumberConfig(weight_width=bits, weight_code=code))


def distance(weight, levels, scale: float) -> float:
    """Squared distance of weights to their nearest multiples, by trying every level."""
    return float(np.square(np.abs(weight[:, None] - scale * levels[None]).min(axis=1)).sum())


@pytest.mark.parametrize(("code", "bits"), CODES)
def test_projection_is_the_nearest_over_all_scales(torch, code, bits):
    """Twelve weights against 20,000 scales and every level."""
    codes = codes_of(code, bits)
    weight = torch.randn(3, 4)
    flat = weight.double().numpy().ravel()
    levels = formats.levels(codes.numbers)
    levels = levels[1:] if code == "int" else levels
    largest = np.abs(flat).max()
    scales = np.linspace(1e-3, 1, 20_000) * largest
    best = min(distance(flat, levels, scale) for scale in scales)
    found = codes.project(weight)
    assert float((weight - found).square().sum()) <= best * 1.001 + 1e-9
    scale = codes.fit(weight)
    assert set(np.rint((found / scale).numpy()).astype(int).ravel()) <= set(levels.tolist())


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


def test_a_substitution_gives_the_float_weights_back(torch, network):
    from models.codes import Aware

    before = {name: weight.clone() for name, weight in network.weights().items()}
    masks = {"fc1": torch.rand(8, 24) < 0.5}
    aware = Aware(codes_of("levels", 2), masks)
    with aware.substituted(network):
        for name, weight in network.weights().items():
            integers = (weight / aware.scales[name]).round()
            assert set(integers.flatten().tolist()) <= {
                -2,
                -1,
                1,
                2,
                *([0] if name in masks else []),
            }
            assert torch.allclose(weight, integers * aware.scales[name])
        assert not network.weights()["fc1"][~masks["fc1"]].any()
    for name, weight in network.weights().items():
        assert weight.equal(before[name])


def test_training_sees_quantized_weights_and_moves_the_float_ones(torch, network):
    """One step: the gradient is the quantized network's, the update the float weights'."""
    from models.codes import Aware
    from models.training import Dataset, train

    data = Dataset(torch.rand(12, 1, 8, 8), torch.arange(12) % 3)
    aware = Aware(codes_of("ternary", 2), {})
    before = {name: weight.clone() for name, weight in network.weights().items()}
    with aware.substituted(network):
        torch.nn.functional.cross_entropy(network(data.images), data.labels).backward()
    expected = {shape.layer.name: stage.weight.grad.clone() for shape, stage in network.weighted()}
    schedule = TrainConfig(epochs=1, learning_rate=1e-3, batch=12, weight_decay=0.0, shift=0)
    generator = torch.Generator().manual_seed(0)
    train(network, data, schedule, generator, "quantize", substituted=aware.substituted)
    for name, weight in network.weights().items():
        moved = weight - before[name]
        # the first step of Adam: the rate, against the gradient's sign
        large = expected[name].abs() > 1e-5
        assert large.any()
        assert torch.allclose(moved[large], -1e-3 * expected[name][large].sign(), atol=1e-5)


def test_settling_is_what_the_last_forward_pass_saw(torch, network):
    from models.codes import Aware
    from models.quantize import quantize

    aware = Aware(codes_of("pow2", 4), {})
    aware.settle(network)
    settled = {name: weight.clone() for name, weight in network.weights().items()}
    layers = quantize(network, torch.rand(4, 1, 8, 8), aware.codes, scales=aware.scales)
    for name, layer in layers.items():
        restored = torch.from_numpy(layer.weight * layer.weight_scale).float()
        assert torch.allclose(restored, settled[name], rtol=1e-5)
        assert np.isin(layer.weight, formats.levels(aware.codes.numbers)).all()
