from __future__ import annotations

import re

import numpy as np
import pytest

from hwsim.arrays.base import array_model
from hwsim.arrays.counts import Counts
from hwsim.checkpoints import find as shipped
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.engine import network as engine
from hwsim.errors import InputError
from hwsim.inference.operands import checkpoint_operands, shipped_images
from hwsim.workload import random as workload
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer

DEPTHWISE = {
    "name": "small",
    "input": {"channels": 8, "height": 6, "width": 6},
    "layers": [
        {"name": "dw", "type": "conv", "M": 8, "R": 3, "G": 8, "padding": 1},
        {"name": "pw", "type": "conv", "M": 12, "R": 1},
        {"name": "pool", "type": "globalavgpool"},
        {"name": "fc", "type": "fc", "M": 5},
    ],
}


@pytest.fixture(scope="module")
def lenet5():
    return NetworkConfig.read("lenet5")


def test_layers_are_counted_as_the_family_counts_them(lenet5):
    arch = ArchConfig.read("dense_8x8_ws")
    result = engine.simulate(arch, lenet5, images=3)
    for shape, layer in zip(
        [s for s in lenet5.shapes() if s.has_weights], result.layers, strict=True
    ):
        gemm = GEMM(shape.M, shape.K, shape.pixels * 3)
        assert layer.counts == array_model(arch).count(arch, gemm)
        assert layer.macs == layer.useful_macs == gemm.macs
    assert result.cycles == sum(layer.cycles for layer in result.layers)
    assert sum(result.counts.causes["array"].values()) == result.cycles
    assert result.macs == 3 * sum(s.macs for s in lenet5.shapes())


def test_groups_run_one_after_the_other():
    network = NetworkConfig.model_validate(DEPTHWISE)
    arch = ArchConfig.read("dense_8x8_ws")
    layer = engine.simulate(arch, network).layers[0]
    one = array_model(arch).count(arch, GEMM(1, 9, 36))
    assert layer.groups == 8
    assert layer.counts == one.scaled(8)
    assert layer.bits.total == 8 * 9 * 8


@pytest.mark.parametrize("arch", ["dense_8x8_ws", "csc_16x4"])
def test_synthetic_groups_differ_and_repeat_with_the_seed(arch):
    raw = dict(DEPTHWISE)
    raw["layers"] = [
        {**layer, "weight_density": 0.5, "act_density": 0.5} for layer in DEPTHWISE["layers"][:2]
    ]
    network = NetworkConfig.model_validate(raw)
    design = ArchConfig.read(arch)
    first, again, other = (engine.simulate(design, network, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first.useful_macs != other.useful_macs
    assert 0 < first.useful_macs < first.macs


def test_useful_macs_are_those_with_two_non_zeros():
    rng = np.random.default_rng(3)
    weight, act = workload.sparse(rng, (7, 11), 0.4, 8), workload.sparse(rng, (11, 5), 0.6, 8)
    layer = engine.simulate_layer(
        ArchConfig.read("dense_8x8_os"), Layer.of_gemms("x", [GEMM.of(weight, act)])
    )
    naive = sum(
        bool(weight[m, k]) and bool(act[k, n])
        for m in range(7)
        for k in range(11)
        for n in range(5)
    )
    assert layer.useful_macs == naive
    assert layer.nonzeros == np.count_nonzero(weight)


def test_missing_operands_are_named(lenet5):
    with pytest.raises(InputError, match=r"lenet5: layers.conv1: has no operands"):
        engine.simulate(ArchConfig.read("dense_8x8_ws"), lenet5, operands={})


def test_real_operands_are_the_checkpoints(lenet5):
    operands = checkpoint_operands(lenet5, "lenet5_dense", 2)
    assert {name: (g.M, g.K, g.N) for name, g in operands.items()} == {
        "conv1": (20, 25, 1152),
        "conv2": (50, 500, 128),
        "fc1": (500, 800, 2),
        "fc2": (10, 500, 2),
    }


@pytest.mark.parametrize("width", [2, 4, 8, 16])
@pytest.mark.parametrize("density", [1.0, 0.3])
def test_sparse_uses_every_value_but_zero(width, density):
    rng = np.random.default_rng(5)
    values = workload.sparse(rng, (300, 300), density, width)
    half = 1 << (width - 1)
    assert values.min() >= -half
    assert values.max() <= half - 1
    if width <= 8:
        expected = set(range(-half, half)) - ({0} if density == 1 else set())
        assert set(np.unique(values).tolist()) == expected
    assert abs(np.count_nonzero(values) / values.size - density) < 0.02


def test_counts_add_and_scale():
    one = Counts(5, {"array": {"compute": 3, "drain": 2}})
    two = Counts(7, {"array": {"compute": 7, "drain": 0}})
    assert one + two == Counts(12, {"array": {"compute": 10, "drain": 2}})
    assert one.scaled(3) == one + one + one
    assert Counts(0) + one == one


@pytest.mark.parametrize("name", ["nowhere", "lenet5_dens"])
def test_unknown_checkpoint_lists_the_known(name):
    with pytest.raises(InputError, match=r"must be a file or one of: .*lenet5_dense"):
        shipped.find_checkpoint(name)


def test_more_images_than_ship_are_refused():
    with pytest.raises(InputError, match=r"count = 1001: must be at most 1000"):
        shipped_images(1001)


@pytest.mark.parametrize(
    ("design", "checkpoint", "message"),
    [
        (
            "nm_2x4_4x8_ws_w4",
            "nm_2x4",
            "weight{place} = {value}: must be zero or a level of 4-bit levels",
        ),
        (
            "csc_codebook_16x4",
            "nonstructured_12x",
            "distinct non-zero values of weight = {value}: "
            "must be at most 15 for a codebook of 4 bits",
        ),
        (
            "bitmask_64_w4",
            "dense",
            "weight{place} = {value}: must be zero or a level of 4-bit levels",
        ),
        (
            "dense_8x8_ws_binary",
            "dense_ternary",
            "weight{place} = 0: must not be zero in a row and a column that are kept: "
            "1-bit levels has no zero",
        ),
    ],
)
def test_weights_that_a_design_cannot_hold_are_refused_by_layer(
    lenet5, design, checkpoint, message
):
    operands = checkpoint_operands(lenet5, f"lenet5_{checkpoint}", 1)
    with pytest.raises(InputError) as error:
        engine.simulate(ArchConfig.read(design), lenet5, operands)
    # which weight comes first is the checkpoint's business
    rule = re.escape(message).replace(r"\{place\}", r"\[\d+, \d+\]").replace(r"\{value\}", r"-?\d+")
    assert re.fullmatch(f"conv1: {rule}", str(error.value))


def test_a_denser_layer_takes_more_cycles_and_says_why(lenet5):
    """Dense weights on 4 of 8 take two passes, but for the M and K edges twice the cycles."""
    design = ArchConfig.read("nm_4x8_2x8_ws")
    dense, sparse = (
        engine.simulate(design, lenet5, checkpoint_operands(lenet5, f"lenet5_{name}", 1))
        for name in ("dense", "nm_2x4")
    )
    assert {layer.note for layer in dense.layers} == {"2 passes"}
    assert not any(layer.note for layer in sparse.layers)
    for whole, half in zip(dense.layers, sparse.layers, strict=True):
        assert whole.macs == half.macs
        assert 1.7 < whole.cycles / half.cycles < 2.1


@pytest.mark.parametrize("family", ["dense", "nm", "pattern", "csc", "bitmask"])
def test_operands_wider_than_the_design_are_refused(lenet5, family):
    """A design of four bits gets no eight-bit checkpoint, whatever its fast form looks at."""
    name = {
        "dense": "dense_8x8_ws", "nm": "nm_2x4_4x8_ws", "pattern": "pattern_4x4",
        "csc": "csc_4x16", "bitmask": "bitmask_64_greedy",
    }[family]  # fmt: skip
    arch = ArchConfig.read(name)
    operands = checkpoint_operands(lenet5, "lenet5_dense", 1)
    narrow = {
        "act_width": r"ifmap\[.*\] = -?\d+: must be within -8..7 \(4 bits\)",
        "weight_width": r"weight\[.*\] = -?\d+: must be within -8..7 \(4 bits\)",
    }
    for key, line in narrow.items():
        numbers = arch.numbers.model_copy(update={key: 4})
        small = arch.model_copy(update={"numbers": numbers})
        with pytest.raises(InputError, match=f"{name}, conv1: {line}"):
            engine.simulate(small, lenet5, operands)
