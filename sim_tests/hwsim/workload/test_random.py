"""Synthetic operands: levels of the code, densities, the same from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.config import NetworkConfig, NumberConfig
from hwsim.formats.codes import levels
from hwsim.workload.random import act_levels, random_layer, random_weights, sparse


def layer(name="conv2"):
    return next(s for s in NetworkConfig.read("lenet5").shapes() if s.layer.name == name)


@pytest.mark.parametrize(
    ("code", "width"),
    [("int", 8), ("int", 3), ("levels", 1), ("levels", 4), ("levels", 8), ("ternary", 2),
     ("pow2", 4)],
)  # fmt: skip
def test_weights_are_all_levels_of_their_code_but_zero(code, width):
    numbers = NumberConfig(weight_width=width, weight_code=code)
    (weight,) = random_weights(layer(), numbers)
    assert weight.shape == (50, 500)
    assert set(np.unique(weight)) == set(levels(numbers).tolist()) - {0}


@pytest.mark.parametrize("code", ["int", "levels", "pow2"])
def test_density_is_the_layers(code):
    shape = layer("fc1")
    sparse_layer = shape.layer.model_copy(update={"weight_density": 0.1})
    numbers = NumberConfig(weight_width=4, weight_code=code)
    shape = type(shape)(**(vars(shape) | {"layer": sparse_layer}))
    (weight,) = random_weights(shape, numbers)
    assert abs(np.count_nonzero(weight) / weight.size - 0.1) < 0.01


def test_same_seed_same_operands():
    numbers = NumberConfig(weight_width=4, weight_code="levels")
    first, again, other = (random_layer(layer(), numbers, 1, seed).gemms()[0] for seed in (0, 0, 1))
    assert (first.weight == again.weight).all()
    assert (first.act == again.act).all()
    assert (first.weight != other.weight).any()


def test_binary_activations_have_no_zero():
    assert act_levels(NumberConfig(act_width=1, weight_width=1, weight_code="levels")).tolist() == [
        -1,
        1,
    ]
    act = sparse(np.random.default_rng(0), (40, 50), 0.5, 1)
    assert act.dtype == np.int8
    assert set(np.unique(act)) == {-1, 1}


def test_activations_reach_both_ends():
    assert act_levels(NumberConfig(act_width=4)).tolist() == list(range(-8, 8))
    act = sparse(np.random.default_rng(0), (40, 50), 1, 4)
    assert set(np.unique(act)) == set(range(-8, 8)) - {0}
