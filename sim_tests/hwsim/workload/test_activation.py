"""Activation functions against PyTorch's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from hwsim.config import LayerConfig
from hwsim.config.activation import FUNCTIONS, PARAMETERS
from hwsim.workload.activation import activate

torch = pytest.importorskip("torch")
F = torch.nn.functional

#: PyTorch's function for each of ours, with the defaults of ours.
TORCH = {
    "abs": torch.abs, "celu": F.celu, "clip": lambda x: x, "elu": F.elu, "erf": torch.erf,
    "exp": torch.exp, "gelu": F.gelu, "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "leaky_relu": F.leaky_relu,
    "mish": F.mish, "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x), "selu": F.selu,
    "sigmoid": torch.sigmoid, "silu": F.silu, "softplus": F.softplus, "softsign": F.softsign,
    "tanh": torch.tanh,
}  # fmt: skip
#: And with parameters.
CHOSEN = {
    ("celu", 0.5, None): partial(F.celu, alpha=0.5),
    ("clip", -1.0, 2.5): partial(torch.clamp, min=-1, max=2.5),
    ("clip", None, 1.0): partial(torch.clamp, max=1),
    ("elu", 2.0, None): partial(F.elu, alpha=2),
    ("hardsigmoid", 0.2, 0.4): lambda x: torch.clamp(0.2 * x + 0.4, 0, 1),
    ("leaky_relu", 0.3, None): partial(F.leaky_relu, negative_slope=0.3),
}
VALUES = np.concatenate([np.linspace(-60, 60, 481), np.linspace(-4, 4, 321)])


def layer(function, **settings):
    return LayerConfig(name="a", type="activation", function=function, **settings)


def test_every_function_has_a_twin():
    assert set(TORCH) == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_pytorchs(function):
    expected = TORCH[function](torch.from_numpy(VALUES)).numpy()
    np.testing.assert_allclose(activate(layer(function), VALUES), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CHOSEN)
def test_parameters_count(case):
    function, alpha, beta = case
    found = activate(layer(function, alpha=alpha, beta=beta), VALUES)
    np.testing.assert_allclose(found, CHOSEN[case](torch.from_numpy(VALUES)).numpy(), rtol=1e-9)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_overflows_in_single_precision(function):
    values = np.array([-3e38, -1e4, 0, 1e4], np.float32)
    if function == "gelu_tanh":
        values = values[1:]
    found = activate(layer(function), values)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_a_relu_is_part_of_the_layer():
    found = activate(layer("tanh", relu=True, relu_max=0.5), np.array([-1.0, 0.25, 3.0]))
    np.testing.assert_allclose(found, [0, np.tanh(0.25), 0.5])


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("key", ["alpha", "beta"])
def test_a_parameter_that_a_function_has_not_is_refused(function, key):
    if key in PARAMETERS.get(function, {}):
        assert getattr(layer(function, **{key: 0.5}), key) == 0.5
    else:
        with pytest.raises(ValueError, match=f"{key} must be absent: it is no parameter of"):
            layer(function, **{key: 0.5})
