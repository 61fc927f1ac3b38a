"""Density-bound-block family: the cycle model against the product, the fast form against both."""

from dataclasses import replace

import numpy as np
import pytest
from harness.array_bench import pause_factors
from harness.component import seeded
from harness.dbb_cases import arch_of, designs, gemm_of
from harness.dense_cases import arch_of as dense_arch_of
from harness.dense_cases import product
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.base import array_model
from hwsim.arrays.dbb import array as dbb
from hwsim.arrays.dbb.density import sub_beats
from hwsim.arrays.systolic import compile as systolic
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM


@st.composite
def runs(draw):
    """Design, random operands on it, and the seed of both."""
    arch, seed = draw(designs())
    shape = tuple(draw(st.integers(1, top)) for top in (12, 60, 12))
    density = draw(st.sampled_from([0.0, 0.1, 0.4, 0.8, 1.0]))
    return arch, gemm_of(np.random.default_rng(seed), arch, shape, density), seed


@given(runs())
@settings(deadline=None, max_examples=150)
def test_fast_form_equals_cycles(case):
    arch, gemm, _ = case
    run = dbb.simulate(arch, dbb.compile(arch, gemm), {})
    assert run.counts == dbb.count(arch, gemm)
    assert (run.ofmap == product(arch, gemm)).all()


@given(runs())
@settings(deadline=None, max_examples=40)
def test_pauses_change_cycles_alone(case):
    arch, gemm, seed = case
    job, counts = dbb.compile(arch, gemm), dbb.count(arch, gemm)
    for pauses in pause_factors(seed).values():
        run = dbb.simulate(arch, job, pauses)
        assert (run.ofmap == product(arch, gemm)).all()
        assert sum(run.counts.causes["array"].values()) == run.counts.cycles >= counts.cycles
        assert run.counts.events == counts.events


@st.composite
def convolutions(draw):
    """Design, a convolution on it, and some K indices that are kept."""
    arch, seed = draw(designs())
    rng = np.random.default_rng(seed)
    r, s, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    conv = Conv(
        draw(st.integers(1, 2)), draw(st.sampled_from([1, 2, 3, 8, 11])),
        dilation * (r - 1) + draw(st.integers(1, 4)), dilation * (s - 1) + draw(st.integers(1, 4)),
        r, s, draw(st.integers(1, 2)), draw(st.integers(0, 1)), dilation,
    )  # fmt: skip
    ifmap = rng.integers(-1, 2, conv.shape)
    k = r * s * conv.C
    weight = np.ones((2, k), dtype=np.int64) * (rng.random(k) < draw(st.sampled_from([0.5, 1.0])))
    return arch, GEMM(2, k, conv.images * conv.P * conv.Q, weight, conv=conv, ifmap=ifmap)


@given(convolutions())
@settings(deadline=None, max_examples=150)
def test_convolutions_are_counted_without_unrolling(case):
    arch, gemm = case
    kept = np.flatnonzero(gemm.weight.any(axis=0))
    matrix = replace(gemm, ifmap=None, conv=None, matrix=gemm.act)
    counted, expected = (sub_beats(arch.array, each, kept) for each in (gemm, matrix))
    assert counted.tolist() == expected.tolist()
    assert dbb.count(arch, gemm) == dbb.count(arch, matrix)


def test_an_ifmap_is_not_unrolled(monkeypatch):
    rng = seeded(2)
    conv = Conv(1, 8, 6, 6, 3, 3)
    gemm = GEMM(4, 72, 16, conv=conv, ifmap=rng.integers(0, 2, conv.shape))
    monkeypatch.setattr(Conv, "unroll", None)
    assert dbb.count(arch_of(2, 2, 2, 8), gemm).cycles > 0


def test_sub_beats_are_those_of_the_column_with_most():
    act = np.zeros((8, 5), dtype=np.int64)
    act[[0, 1, 2], 1] = 1  # three in the first block of the first fold
    act[4:8, 4] = 1  # four in the second block of the last fold, which is one pixel
    gemm = GEMM.of(np.ones((1, 8), np.int64), act)
    array = arch_of(1, 2, 2, 4).array
    assert sub_beats(array, gemm, np.arange(8)).tolist() == [2 + 1, 1 + 1, 1 + 2]
    # of the K indices that are kept, others are neighbours
    assert sub_beats(array, gemm, np.array([0, 1, 4, 5, 6])).tolist() == [1 + 1, 1 + 1, 1 + 1]


@given(designs(), st.tuples(*[st.integers(1, 200)] * 3))
@settings(deadline=None, max_examples=50)
def test_a_shape_has_no_zero_activation(design, shape):
    arch, _ = design
    m, k, n = shape
    ones = GEMM.of(np.ones((m, k), np.int8), np.ones((k, n), np.int8))
    assert dbb.count(arch, GEMM(*shape)) == dbb.count(arch, ones)


def test_cycles_of_dense_where_nothing_is_zero():
    """Folds of the same filters and pixels; n positions per cycle where dense takes one."""
    arch, same = arch_of(4, 4, 2, 8), dense_arch_of("os", 4, 4)
    shape = (16, 64, 16)
    ours = dbb.count(arch, GEMM(*shape)).causes["array"]
    dense = systolic.count_shape(same, *shape).causes["array"]
    assert ours == dense | {"act": 1, "compute": dense["compute"] // 2}


def test_removed_filters_and_columns_cost_nothing():
    arch = arch_of(2, 2, 2, 4)
    gemm = gemm_of(seeded(3), arch, (6, 22, 5))
    gemm.weight[[0, 3]] = 0
    gemm.weight[:, 4:12] = 0
    kept = GEMM.of(gemm.weight[[1, 2, 4, 5]], gemm.act)
    assert dbb.count(arch, gemm) == dbb.count(arch, kept)
    run = dbb.simulate(arch, dbb.compile(arch, gemm), {})
    assert run.counts == dbb.count(arch, gemm)
    assert (run.ofmap == product(arch, gemm)).all()


def test_all_zero_weights_are_no_work():
    arch = arch_of(3, 2, 2, 4)
    gemm = GEMM.of(np.zeros((5, 9), np.int8), np.ones((9, 3), np.int8))
    job = dbb.compile(arch, gemm)
    assert job.transfers == 0
    assert all(len(v) == 0 for words in job.inputs.values() for v in words.values())
    assert dbb.count(arch, gemm).cycles == 0
    assert (dbb.simulate(arch, job, {}).ofmap == np.zeros((5, 3))).all()


def test_streams():
    arch = arch_of(2, 2, 1, 2)
    weight, act = np.array([[1, 0, 0, -2, 3]]), np.arange(1, 16).reshape(5, 3)
    job = dbb.compile(arch, GEMM.of(weight, act))
    assert {k: v.tolist() for k, v in job.inputs["command"].items()} == {
        "k_size": [2], "m_folds": [1], "n_folds": [2], "m_edge": [1],
    }  # fmt: skip
    # columns 0, 3 and 4 are left, and cut into blocks; rows without a filter hold zeros
    assert job.inputs["weight"]["weight"].tolist() == [[[1, 0xFE], [0, 0]], [[3, 0], [0, 0]]] * 2
    assert job.inputs["act"]["act"].tolist() == [
        [[1, 10], [2, 11]], [[13, 0], [14, 0]], [[3, 12], [0, 0]], [[15, 0], [0, 0]],
    ]  # fmt: skip
    assert job.ofmap_index.tolist() == [[0, 1], [2, -1]]


def test_is_found_by_its_name():
    arch = ArchConfig.read("dbb_2x4_4x8")
    assert array_model(arch) is dbb
    assert arch.array.multipliers == 64


def test_weights_are_stored_as_dense_ones():
    weight = gemm_of(seeded(4), arch_of(2, 2, 2, 4), (6, 22, 5)).weight
    weight[[0, 3]] = 0
    weight[:, 4:12] = 0
    ours, dense = (
        measure(arch, weight, weight.shape)
        for arch in (arch_of(2, 2, 2, 4), dense_arch_of("os", 2, 2))
    )
    assert ours == dense


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 4}, r"n must be less than m \(4\), not 4"),
        ({"m": 6}, "m must be a power of two, not 6"),
        ({"dataflow": "ws"}, "dataflow"),
        ({"acc_depth": 8}, "acc_depth must be absent"),
    ],
)
def test_refuses_other_arrays(fields, message):
    array = {"family": "dbb", "rows": 2, "cols": 2, "n": 2, "m": 4} | fields
    with pytest.raises(ValueError, match=message):
        ArchConfig.model_validate({"name": "dut", "array": array})


def test_refuses_binary_activations():
    with pytest.raises(InputError, match="act_width must be at least 2 for family dbb"):
        arch_of(2, 2, 2, 4, act_width=1)


def test_refuses_more_folds_than_a_command_can_say(monkeypatch):
    arch = arch_of(1, 1, 1, 2)
    monkeypatch.setattr(type(arch.array), "COUNT_WIDTH", 2)
    gemm = GEMM.of(np.ones((4, 1), np.int8), np.ones((1, 1), np.int8), "fc1")
    with pytest.raises(InputError, match="fc1: m_folds = 4: must be below 4"):
        dbb.compile(arch, gemm)


def test_refuses_to_compile_a_shape():
    with pytest.raises(InputError, match="conv1: must have weights and activations"):
        dbb.compile(arch_of(2, 2, 2, 4), GEMM(1, 1, 1, name="conv1"))
