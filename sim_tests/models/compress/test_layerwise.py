"""Pruning without training keeps its rule, and least squares loses less than magnitude."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.config import ArchConfig, NetworkConfig
from hwsim.engine.network import simulate
from hwsim.errors import InputError
from hwsim.inference import images as inputs
from hwsim.inference.operands import operands_of
from hwsim.models.compress.layerwise import Rule, chosen, described, prune
from hwsim.models.importers.calibrate import quantize
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.workload.lowering import lower_weight, weight_shape

NET = {
    "name": "net",
    "input": {"channels": 3, "height": 14, "width": 14},
    "layers": [
        {"name": "stem", "type": "conv", "M": 12, "R": 3, "padding": 1, "relu": True},
        {"name": "deep", "type": "conv", "M": 12, "R": 3, "G": 12, "padding": 1, "relu": True},
        {"name": "a", "type": "conv", "M": 16, "R": 3, "padding": 1, "relu": True},
        {"name": "b", "type": "conv", "M": 16, "R": 1},
        {"name": "add", "type": "add", "inputs": ["b", "a"], "relu": True},
        {"name": "c", "type": "conv", "M": 18, "R": 3, "G": 2, "relu": True},
        {"name": "pool", "type": "globalavgpool"},
        {"name": "fc", "type": "fc", "M": 10},
    ],
}
WHOLE = ["stem", "deep"]


def drawn(seed: int) -> FloatModel:
    """Random weights, correlated along K as those of trained networks are."""
    config = NetworkConfig.model_validate(NET)
    rng = np.random.default_rng(seed)
    layers = {}
    for shape in config.shapes():
        if shape.has_weights:
            size = weight_shape(shape)
            weight = rng.normal(0, (2 / shape.K) ** 0.5, size).astype(np.float32)
            layers[shape.layer.name] = LayerFloats(weight, rng.normal(0, 0.1, size[0]))
    return FloatModel(config, layers, "drawn")


def rows(model: FloatModel, name: str) -> list[np.ndarray]:
    (shape,) = (s for s in model.config.shapes() if s.layer.name == name)
    return lower_weight(shape, model.layers[name].weight)


def fullest(matrix: np.ndarray, m: int) -> int:
    padded = np.pad(matrix != 0, ((0, 0), (0, -matrix.shape[1] % m)))
    return int(padded.reshape(len(matrix), -1, m).sum(axis=2).max())


@pytest.mark.parametrize("nm", [(2, 4), (1, 4), (4, 8), (3, 7)])
@pytest.mark.parametrize("calibrated", [False, True])
def test_every_block_keeps_n_of_m(nm, calibrated):
    model = drawn(0)
    images = inputs.random(model.config, 3) if calibrated else None
    found = prune(model, Rule(nm), images)
    for name in ("a", "b", "c", "fc"):
        for matrix in rows(found, name):
            assert fullest(matrix, nm[1]) == nm[0]
    for name in WHOLE:
        np.testing.assert_array_equal(found.layers[name].weight, model.layers[name].weight)
    # the argument is left alone
    assert all(np.count_nonzero(own.weight) == own.weight.size for own in model.layers.values())


@pytest.mark.parametrize("calibrated", [False, True])
def test_layers_may_have_an_n_of_their_own(calibrated):
    model = drawn(0)
    images = inputs.random(model.config, 3) if calibrated else None
    found = prune(model, Rule((2, 4), layers={"a": 1, "fc": 4}), images)
    for name, n in {"a": 1, "b": 2, "c": 2, "fc": 4}.items():
        assert max(fullest(matrix, 4) for matrix in rows(found, name)) == n
    info = described(model, Rule((2, 4), layers={"a": 1, "fc": 4}), images)["pruned"]
    assert info["nm"] == {"a": [1, 4], "b": [2, 4], "c": [2, 4], "fc": [4, 4]}


@pytest.mark.parametrize("keep", [0.4, 0.3, 0.25])
def test_each_layers_n_follows_from_what_it_loses(keep):
    model = drawn(3)
    # most of the energy of b is in one weight of each block: it loses next to nothing
    model.layers["b"].weight[:, np.arange(16) % 4 > 0] *= 0.01
    rule = Rule((2, 4), keep, {"c": 1})
    found = prune(model, rule)
    kept = {name: fullest(rows(found, name)[0], 4) for name in ("a", "b", "c", "fc")}
    sizes = {name: model.layers[name].weight.size for name in kept}
    assert kept["c"] == 1
    share = sum(sizes[name] * n for name, n in kept.items()) / 4 / sum(sizes.values())
    assert share <= keep
    assert kept["b"] == 1
    # the other layers only where it takes more than b
    assert (kept["a"], kept["fc"]) == ((1, 1) if keep == 0.25 else (kept["a"], kept["fc"]))
    assert keep < 0.4 or kept["a"] == 2


def test_more_stays_than_one_of_every_m():
    with pytest.raises(InputError, match=r"keep = 0.2: must be at least 0.25: with n = 1"):
        prune(drawn(0), Rule((2, 4), 0.2))


@pytest.mark.parametrize("keep", [0.5, 0.2])
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_fraction_of_all_weights_stays(keep, calibrated):
    model = drawn(1)
    images = inputs.random(model.config, 3) if calibrated else None
    found = prune(model, Rule(keep=keep), images)
    names = [shape.layer.name for shape in chosen(model)]
    sizes = sum(model.layers[name].weight.size for name in names)
    kept = sum(int(np.count_nonzero(found.layers[name].weight)) for name in names)
    assert kept / sizes == pytest.approx(keep, abs=0.02)
    assert all(found.layers[name].weight.any() for name in names)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rule", [Rule((2, 4)), Rule(keep=0.4)], ids=str)
def test_least_squares_loses_less_than_magnitude(seed, rule):
    """On images that were not seen: the error of the logits."""
    print("seed", seed)
    model = drawn(seed)
    fresh = inputs.random(model.config, 16, seed=100 + seed)
    right = model.logits(fresh)
    errors = [
        float(np.square(prune(model, rule, images).logits(fresh) - right).mean())
        for images in (None, inputs.random(model.config, 24, seed=seed))
    ]
    print(errors)
    assert errors[1] < 0.7 * errors[0]


def test_one_layer_is_the_least_squares_solution_under_its_mask():
    """Of independent inputs nothing can be made up for; of equal ones everything."""
    config = NetworkConfig.model_validate(
        NET | {"input": {"channels": 2}, "layers": [
            {"name": "first", "type": "conv", "M": 8, "R": 1},
            {"name": "second", "type": "conv", "M": 6, "R": 1},
        ]}
    )  # fmt: skip
    rng = np.random.default_rng(5)
    # channels in pairs that are alike: what one loses the other takes over
    first = np.repeat(rng.normal(size=(4, 2, 1, 1)), 2, axis=0).astype(np.float32)
    second = rng.normal(size=(6, 8, 1, 1)).astype(np.float32)
    zeros = np.zeros(8, np.float32)
    layers = {"first": LayerFloats(first, zeros), "second": LayerFloats(second, zeros[:6])}
    model = FloatModel(config, layers, "drawn")
    images = rng.normal(size=(64, 2, 1, 1)).astype(np.float32)
    found = prune(model, Rule((1, 2)), images)
    right, pruned = model.logits(images), found.logits(images)
    # the damping leaves some hundredths
    assert np.abs(pruned - right).max() < 0.06 * np.abs(right).max()
    plain = prune(model, Rule((1, 2)))
    assert np.abs(plain.logits(images) - right).max() > 0.3 * np.abs(right).max()


def test_an_array_runs_layers_of_several_n():
    model = drawn(4)
    pruned = prune(model, Rule((2, 4), layers={"a": 1, "fc": 4}))
    images = inputs.random(model.config, 2)
    checkpoint = quantize(pruned, images, {})
    layers = operands_of(pruned.config, checkpoint, 1)[0]
    result = simulate(ArchConfig.read("nm_2x4_4x8_ws"), pruned.config, layers)
    notes = {layer.name: layer.note for layer in result.layers}
    assert notes["a"] == notes["b"] == notes["c"] == ""
    assert notes["fc"] == "2 passes"
    # a block of 1:4 stores two values, as one of 2:4
    nonzeros = {layer.name: layer.nonzeros for layer in result.layers}
    assert nonzeros["a"] == model.layers["a"].weight.size // 4


def test_layers_that_stay_whole_are_recorded():
    model = drawn(2)
    assert [shape.layer.name for shape in chosen(model, ["b"])] == ["a", "c", "fc"]
    assert described(model, Rule((2, 4)), None, ["b"])["pruned"] == {
        "rule": "nm_2x4", "method": "magnitude", "whole": ["stem", "deep", "b"],
    }  # fmt: skip
    with pytest.raises(InputError, match="dense = 'x': must be a layer with weights: stem, deep"):
        chosen(model, ["x"])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({}, "nm, keep: must give one of both"),
        ({"keep": 0.5, "layers": {"a": 1}}, "layer_nm = {'a': 1}: must be absent without nm"),
        ({"nm": (2, 4), "layers": {"a": 5}}, r"layer_nm.a = 5: must be 1..4, n of every 4"),
        ({"nm": (5, 4)}, r"nm = \(5, 4\): must be n:m with 1 <= n <= m <= 64"),
        ({"keep": 0.0}, "keep = 0.0: must be above 0"),
    ],
)
def test_rules_that_are_none_are_refused(arguments, line):
    with pytest.raises(InputError, match=line):
        Rule(**arguments)
