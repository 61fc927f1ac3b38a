"""A layer travels with its tensors; its matrices are views."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.config import LayerConfig, LayerShape, TensorShape
from hwsim.config.network import ofmap_of
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer
from hwsim.workload.lowering import lower_act, lower_weight


def shape_of(groups=1, **keys):
    layer = LayerConfig(name="layer", **({"type": "conv", "M": 6, "R": 3, "G": groups} | keys))
    ifmap = TensorShape(channels=4, height=7, width=6)
    return LayerShape(layer, ifmap, ofmap_of(layer, [ifmap]))


def tensors(shape, images=2, seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-128, 128, (6, shape.C, shape.R, shape.S), dtype=np.int8)
    if shape.layer.type == "fc":
        weight = weight.reshape(6, -1)
    return weight, rng.integers(-128, 128, (images, 4, 7, 6), dtype=np.int8)


@pytest.mark.parametrize(
    "shape",
    [
        shape_of(),
        shape_of(groups=2, padding=1),
        shape_of(stride=2, padding=1),
        shape_of(dilation=2),
        shape_of(type="fc", R=None),
    ],
    ids=["conv", "groups", "stride", "dilation", "fc"],
)
def test_its_matrices_are_those_of_the_lowering(shape):
    weight, ifmap = tensors(shape)
    layer = Layer.of_tensors(shape, weight, ifmap)
    gemms = layer.gemms()
    assert len(gemms) == layer.groups == shape.layer.G
    lowered = zip(lower_weight(shape, weight), lower_act(shape, ifmap), strict=True)
    for gemm, (expected_weight, expected_act) in zip(gemms, lowered, strict=True):
        assert (*expected_weight.shape, expected_act.shape[1]) == (gemm.M, gemm.K, gemm.N)
        assert (gemm.weight == expected_weight).all()
        assert (gemm.act == expected_act).all()
        assert (gemm.nonzero_acts() == np.count_nonzero(expected_act, axis=1)).all()
    assert sum(gemm.macs for gemm in gemms) == layer.macs == 2 * shape.macs


def test_the_ifmap_is_shared_and_not_unrolled():
    shape = shape_of(groups=2, padding=1)
    weight, ifmap = tensors(shape)
    layer = Layer.of_tensors(shape, weight, ifmap)
    for gemm in layer.gemms():
        assert gemm.matrix is None
        assert np.shares_memory(gemm.ifmap, ifmap)
    # a 3x3 layer of stride 1 is a ninth of its matrix
    assert 9 * layer.ifmap.nbytes == sum(gemm.act.nbytes for gemm in layer.gemms())


def test_a_shape_has_no_tensors_and_its_groups_are_alike():
    layer = Layer.of_shape(shape_of(groups=2), 3)
    assert layer.is_shape
    first, second = layer.gemms()
    assert first == second
    assert not first.has_act
    assert (first.nonzero_acts() == first.N).all()


def test_a_tensor_of_another_layer_is_refused():
    shape = shape_of()
    weight, ifmap = tensors(shape)
    with pytest.raises(ValueError, match="ifmap has shape"):
        Layer.of_tensors(shape, weight, ifmap[:, :3])
    with pytest.raises(ValueError, match="weight has shape"):
        Layer.of_tensors(shape, weight[:5], ifmap)


def test_matrices_make_a_layer():
    rng = np.random.default_rng(1)
    gemms = [
        GEMM.of(rng.integers(-9, 9, (3, 4)), rng.integers(-9, 9, (4, 5)), "x") for _ in range(2)
    ]
    layer = Layer.of_gemms("x", gemms)
    assert (layer.groups, layer.M, layer.K, layer.N) == (2, 3, 4, 5)
    for gemm, given in zip(layer.gemms(), gemms, strict=True):
        assert (gemm.weight == given.weight).all()
        assert (gemm.act == given.act).all()


def test_gemm_of_matrices_that_disagree_is_refused():
    with pytest.raises(ValueError, match="weight has K = 3, act has K = 4"):
        GEMM.of(np.ones((2, 3), np.int8), np.ones((4, 5), np.int8))
