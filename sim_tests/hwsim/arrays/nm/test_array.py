"""N:M family: the clock-by-clock model against the product, the closed form against both."""

from dataclasses import replace

import numpy as np
import pytest
from harness.array_bench import pause_factors
from harness.dense_cases import arch_of as dense_arch_of
from harness.dense_cases import product
from harness.nm_cases import KINDS, arch_of, designs, gemm_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.base import array_model
from hwsim.arrays.counts import Counts
from hwsim.arrays.dense import array as dense
from hwsim.arrays.nm import array as nm
from hwsim.arrays.systolic import compile as systolic
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer

DATAFLOWS = ["ws", "os"]


@st.composite
def runs(draw):
    """Design, random operands on it, and the seed of both."""
    arch, seed = draw(designs())
    shape = tuple(draw(st.integers(1, top)) for top in (12, 60, 12))
    density = draw(st.sampled_from([0.2, 0.7, 1.0]))
    return arch, gemm_of(np.random.default_rng(seed), arch, shape, density), seed


@given(runs())
@settings(deadline=None, max_examples=150)
def test_closed_form_equals_clocks(case):
    arch, gemm, _ = case
    run = nm.simulate(arch, nm.compile(arch, gemm), {})
    assert run.counts == nm.count(arch, gemm)
    assert (run.ofmap == product(arch, gemm)).all()


@given(runs())
@settings(deadline=None, max_examples=40)
def test_pauses_change_cycles_alone(case):
    arch, gemm, seed = case
    job = nm.compile(arch, gemm)
    for pauses in pause_factors(seed).values():
        run = nm.simulate(arch, job, pauses)
        assert (run.ofmap == product(arch, gemm)).all()
        assert sum(run.counts.causes["array"].values()) == run.counts.cycles
        assert run.counts.cycles >= nm.count(arch, gemm).cycles


@given(st.sampled_from(DATAFLOWS), st.sampled_from(KINDS), st.tuples(*[st.integers(1, 200)] * 3))
@settings(deadline=None, max_examples=100)
def test_counts_are_those_of_dense_on_blocks(dataflow, kind, shape):
    arch, same = arch_of(dataflow, 4, 3, *kind), dense_arch_of(dataflow, 4, 3, 4)
    m, k, n = shape
    blocks = -(-k // arch.array.m)
    counts, expected = nm.count_shape(arch, *shape), systolic.count_shape(same, m, blocks, n)
    assert (counts.cycles, counts.causes) == (expected.cycles, expected.causes)
    # a beat is a block: n multiplications in each PE
    assert counts.events == expected.events | {"macs": arch.array.n * expected.events["macs"]}
    assert nm.count(arch, GEMM(*shape)) == nm.count_shape(arch, *shape)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_one_of_one_is_dense(dataflow):
    """The degenerate case: same cycles under the same pauses, same words but for an axis."""
    arch, same = arch_of(dataflow, 3, 2, 1, 1), dense_arch_of(dataflow, 3, 2, 4)
    gemm = gemm_of(np.random.default_rng(1), arch, (7, 11, 5))
    job, other = nm.compile(arch, gemm), dense.compile(same, gemm)
    for stream, words in job.inputs.items():
        assert list(words) == list(other.inputs[stream])
        for field, values in words.items():
            assert (values.ravel() == other.inputs[stream][field].ravel()).all()
    for pauses in pause_factors(2).values():
        assert nm.simulate(arch, job, pauses).counts == dense.simulate(same, other, pauses).counts


def test_cycles_fall_by_m_over_n_where_folds_are_whole():
    """2 of 4 with the multipliers of a dense array: half the folds, all else the same."""
    arch, same = arch_of("ws", 4, 8, 2, 4, 256), dense_arch_of("ws", 8, 8, 256)
    shape = (64, 256, 256)
    sparse, full = (count(a, *shape).causes["array"] for count, a in (
        (nm.count_shape, arch), (systolic.count_shape, same),
    ))  # fmt: skip
    assert 2 * sparse["compute"] == full["compute"]
    assert sparse["preload"] + sparse["drain"] == 4 + 1 + 4 + 8 + 1


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_removed_filters_and_blocks_cost_nothing(dataflow):
    arch = arch_of(dataflow, 2, 2, 2, 4)
    gemm = gemm_of(np.random.default_rng(3), arch, (6, 22, 5))
    gemm.weight[[0, 3]] = 0
    gemm.weight[:, 4:12] = 0
    assert nm.count(arch, gemm) == nm.count_shape(arch, 4, 14, 5)
    run = nm.simulate(arch, nm.compile(arch, gemm), {})
    assert run.counts == nm.count(arch, gemm)
    assert (run.ofmap == product(arch, gemm)).all()


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("k", [5, 8, 9])
def test_binary_operands_beyond_k_are_gated(dataflow, k):
    """Neither operand has a zero, and the last block is removed, whole or in part beyond K."""
    numbers = {"weight_code": "levels", "weight_width": 1, "act_width": 1}
    arch = arch_of(dataflow, 3, 2, 2, 4, **numbers)
    gemm = gemm_of(np.random.default_rng(k), arch, (3, k, 4))
    for weight in (gemm.weight, np.where(np.arange(k) < 8, gemm.weight, 0)):
        case = replace(gemm, weight=weight)
        run = nm.simulate(arch, nm.compile(arch, case), {})
        assert (run.ofmap == product(arch, case)).all()


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_all_zero_weights_are_no_work(dataflow):
    arch = arch_of(dataflow, 3, 2, 2, 4)
    gemm = GEMM.of(np.zeros((5, 9), np.int8), np.ones((9, 3), np.int8))
    job = nm.compile(arch, gemm)
    assert job.transfers == 0
    assert all(len(v) == 0 for words in job.inputs.values() for v in words.values())
    assert nm.count(arch, gemm).cycles == 0
    assert (nm.simulate(arch, job, {}).ofmap == np.zeros((5, 3))).all()


def test_streams_of_ws():
    arch = arch_of("ws", 2, 2, 1, 2, 2)
    weight, act = np.array([[1, 0, 0, -2, 3]]), np.arange(1, 16).reshape(5, 3)
    job = nm.compile(arch, GEMM.of(weight, act))
    assert {k: v.tolist() for k, v in job.inputs["command"].items()} == {
        "k_folds": [2], "m_folds": [1], "n_tiles": [2], "k_edge": [1], "n_edge": [1],
    }  # fmt: skip
    # the bottom row of a fold first; columns without a filter hold zeros
    assert job.inputs["weight"]["weight"].tolist() == [
        [[0xFE], [0]], [[1], [0]], [[3], [0]],
    ] * 2  # fmt: skip
    assert job.inputs["weight"]["position"].tolist() == [
        [[1], [0]], [[0], [0]], [[0], [0]],
    ] * 2  # fmt: skip
    assert job.inputs["act"]["act"].tolist() == [
        [[1, 4], [7, 10]], [[2, 5], [8, 11]], [[13, 0], [0, 0]], [[14, 0], [0, 0]],
        [[3, 6], [9, 12]], [[15, 0], [0, 0]],
    ]  # fmt: skip
    assert job.ofmap_index.tolist() == [[0, -1], [1, -1], [2, -1]]


def test_binary_commands_say_where_k_ends():
    numbers = {"weight_code": "levels", "weight_width": 1, "act_width": 1}
    arch = arch_of("os", 2, 2, 2, 4, **numbers)
    gemm = gemm_of(np.random.default_rng(4), arch, (2, 7, 2))
    command = nm.compile(arch, gemm).inputs["command"]
    assert list(command)[-1] == "block_edge"
    assert command["block_edge"].tolist() == [3]


def test_is_found_by_its_name():
    assert array_model(ArchConfig.read("nm_2x4_4x8_ws")) is nm
    assert ArchConfig.read("nm_2x4_4x8_ws").array.multipliers == 64


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_refuses_a_block_with_too_many(dataflow):
    arch = arch_of(dataflow, 2, 2, 4, 8)
    weight = np.zeros((3, 20), np.int64)
    weight[2, 9:14] = 1
    gemm = GEMM.of(weight, np.ones((20, 2), np.int64), "fc1")
    message = r"fc1: non-zeros of weight\[2, 8:16\] = 5: must be at most 4 of 8"
    for refused in (nm.compile, nm.count):
        with pytest.raises(InputError, match=message):
            refused(arch, gemm)


@pytest.mark.parametrize("value", [0, 2, -3])
def test_refuses_activations_that_are_not_binary(value):
    arch = arch_of("os", 2, 2, 2, 4, act_width=1)
    act = np.ones((4, 2), np.int64)
    act[3, 1] = value
    gemm = GEMM.of(np.eye(4, dtype=np.int64), act, "fc1")
    with pytest.raises(InputError, match=rf"fc1: act\[3, 1\] = {value}: must be \+1 or -1"):
        nm.compile(arch, gemm)


def test_refuses_more_folds_than_a_command_can_say(monkeypatch):
    arch = arch_of("os", 1, 1, 1, 2)
    monkeypatch.setattr(type(arch.array), "COUNT_WIDTH", 2)
    gemm = GEMM.of(np.ones((4, 1), np.int8), np.ones((1, 1), np.int8), "fc1")
    with pytest.raises(InputError, match="fc1: m_folds = 4: must be below 4"):
        nm.compile(arch, gemm)


def test_refuses_to_compile_a_shape():
    with pytest.raises(InputError, match="conv1: must have weights and activations"):
        nm.compile(arch_of("os", 2, 2, 2, 4), GEMM(1, 1, 1, name="conv1"))


def test_refuses_another_family():
    with pytest.raises(TypeError, match="dense_8x8_ws must be of family nm, not dense"):
        nm.count_shape(ArchConfig.read("dense_8x8_ws"), 1, 1, 1)


def test_no_work_is_no_cycles():
    assert nm.count_shape(arch_of("os", 2, 2, 2, 4), 0, 4, 4) == systolic.count_shape(
        dense_arch_of("os", 2, 2), 0, 0, 0
    )
    assert isinstance(nm.count_shape(arch_of("os", 2, 2, 2, 4), 1, 1, 1), Counts)


@given(runs(), st.sampled_from([1, 2, 3]), st.integers(1, 2))
@settings(deadline=None, max_examples=60)
def test_a_denser_layer_takes_passes_that_each_obey(case, taps, groups):
    arch, drawn, seed = case
    if not arch.numbers.has_zero or arch.numbers.act_width == 1:
        return
    rng, k = np.random.default_rng(seed), taps * drawn.K
    levels = np.unique(drawn.weight)
    weights = tuple(rng.choice(levels, (drawn.M, k)).astype(np.int64) for _ in range(groups))
    acts = tuple(np.tile(drawn.act, (taps, 1)) for _ in range(groups))
    layer = Layer("l", drawn.M, k, drawn.N, groups, weights, matrices=acts, taps=taps)
    found, words = nm.arranged(arch, layer)
    for gemm, own in zip(found.gemms(), layer.gemms(), strict=True):
        run = nm.simulate(arch, nm.compile(arch, gemm), {})
        assert run.counts == nm.count(arch, gemm)
        assert (run.ofmap == product(arch, own)).all()
    counts = [int(np.count_nonzero(weight)) for weight in (*weights, *found.weights)]
    assert sum(counts[:groups]) == sum(counts[groups:])
    assert words or found is layer
    if "passes" in words:
        passes = int(words.split()[0])
        assert passes * -(-k // arch.array.m) * arch.array.m == found.K
