"""An import is held to ONNX's reference evaluator before anyone sees it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, refused

from hwsim.errors import InputError
from hwsim.models.importers import onnx_layers
from hwsim.models.importers.float_model import LayerFloats
from hwsim.models.importers.onnx_layers import load


@pytest.fixture
def chain(tmp_path):
    """Three convolutions, the tensors ``out0`` to ``out3``."""
    model = Model()
    x = model.conv("x", 4, 3, name="a")
    x = model.conv(model.node("Relu", x), 4, 4, name="b")
    return model.save(tmp_path, model.conv(x, 2, 4, name="c"))


def test_a_layer_that_computes_something_else_is_named(chain, monkeypatch):
    """A handler that is wrong by one weight in the second of three layers."""
    load(chain)
    right = onnx_layers._HANDLERS["Conv"]

    def wrong(builder, node):
        value = right(builder, node)
        if node.name == "b":
            floats = builder.drafts[value.layer].floats
            weight = floats.weight.copy()
            weight[0, 0, 0, 0] += 0.1
            builder.drafts[value.layer].floats = LayerFloats(weight, floats.bias)
        return value

    monkeypatch.setitem(onnx_layers._HANDLERS, "Conv", wrong)
    line = (
        r"net\.onnx: tensor out2 \(layer b\): differs from ONNX's reference evaluator by 0\.\d+, of"
    )
    with pytest.raises(InputError, match=line):
        load(chain)


def test_a_relu_that_is_forgotten_is_found(chain, monkeypatch):
    monkeypatch.setitem(onnx_layers._HANDLERS, "Relu", onnx_layers._HANDLERS["Identity"])
    with pytest.raises(InputError, match=r"tensor out0 \(layer a\)|tensor out2 \(layer b\)"):
        load(chain)


def test_another_epsilon_is_found(tmp_path, monkeypatch):
    """1e-3 in place of 1e-5 changes each value by 5e-4 of it."""
    model = Model()
    gamma, zero, one = (model.store(np.full(3, value)) for value in (1.0, 0.0, 1.0))
    x = model.node("BatchNormalization", "x", gamma, zero, zero, one, epsilon=1e-5)
    path = model.save(tmp_path, model.conv(x, 4, 3))
    load(path)
    right = onnx_layers._HANDLERS["BatchNormalization"]

    def wrong(builder, node):
        node.attributes["epsilon"] = 1e-3
        return right(builder, node)

    monkeypatch.setitem(onnx_layers._HANDLERS, "BatchNormalization", wrong)
    with pytest.raises(InputError, match="differs from ONNX's reference evaluator"):
        load(path)


def test_what_overflows_is_refused(tmp_path):
    model = Model()
    x = model.conv(model.node("Mul", "x", model.store(3e38)), 4, 3)
    refused(model, x, tmp_path, "conv1: must give activations within single precision")


def test_a_sum_does_not_lose_a_constant(tmp_path):
    """Two convolutions and a constant: y = x + 2 x + 10, which is 13 at 1."""
    model = Model((1, 1, 1))
    ones = [model.store(np.full((1, 1, 1, 1), value)) for value in (1.0, 2.0, 10.0)]
    x = model.node(
        "Sum", model.node("Conv", "x", ones[0]), model.node("Conv", "x", ones[1]), ones[2]
    )
    found = load(model.save(tmp_path, x)).logits(np.ones((1, 1, 1, 1), np.float32))
    assert found.tolist() == [[13.0]]


def test_a_bias_that_is_the_sum_of_two_constants(tmp_path):
    model = Model((1, 1, 1))
    bias = model.node("Add", model.store([1.0]), model.store([1.0]))
    x = model.node("Conv", "x", model.store(np.ones((1, 1, 1, 1))), bias)
    found = load(model.save(tmp_path, x)).logits(np.full((1, 1, 1, 1), 3, np.float32))
    assert found.tolist() == [[5.0]]
