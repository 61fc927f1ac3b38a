"""Dense array behind its banks: products, exact counts, and what the scratchpad refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from harness.dense_cases import SHAPES, gather_arch_of, gemm_of, product
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.dense import array as dense
from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.errors import InputError
from hwsim.formats.gather import pack
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM


@st.composite
def cases(draw):
    """Draw a design and operands, half of the time pruned."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    arch = gather_arch_of(
        draw(st.integers(1, 5)),
        draw(st.integers(1, 4)),
        draw(st.sampled_from([1, 2, 4, 8])),
        mac_latency=draw(st.integers(1, 3)),
    )
    shape = tuple(draw(st.integers(1, 20)) for _ in range(3))
    return arch, gemm_of(rng, arch, shape, draw(st.sampled_from([0.4, 0.8, 1.0]))), rng


@given(cases())
@settings(deadline=None, max_examples=250)
def test_counts_and_products_are_exact(case):
    arch, gemm, _ = case
    run = dense.simulate(arch, dense.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()
    assert run.counts == dense.count(arch, gemm)


@given(cases())
@settings(deadline=None, max_examples=40)
def test_pauses_change_the_time_alone(case):
    arch, gemm, rng = case
    pauses = {}
    for stream in ("command", "weight", "act", "ofmap"):
        pauses[stream] = np.append(rng.random(22) < 0.5, False)
        pauses[stream][7] = False
    run = dense.simulate(arch, dense.compile(arch, gemm), pauses)
    assert (run.ofmap == product(arch, gemm)).all()
    assert run.counts.cycles >= dense.count(arch, gemm).cycles


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_activations_are_loaded_once_whatever_m(shape):
    arch = gather_arch_of(3, 2, 4)
    _, k, n = shape
    gemm = gemm_of(np.random.default_rng(1), arch, shape)
    job = dense.compile(arch, gemm)
    assert len(job.inputs["act"]["act"]) == -(-k // 3) * n


def test_columns_of_one_bank_take_a_fold_each():
    arch = gather_arch_of(4, 2, 8)
    weight = np.zeros((2, 16), dtype=np.int64)
    weight[:, [0, 4, 8]] = 5
    gemm = GEMM.of(weight, np.ones((16, 8), dtype=np.int64))
    assert dense.count(arch, gemm).causes["array"]["compute"] == 3 * 8
    spread = np.zeros((2, 16), dtype=np.int64)
    spread[:, [0, 5, 10]] = 5
    assert dense.count(arch, GEMM.of(spread, gemm.act)).causes["array"]["compute"] == 8


def test_second_tile_is_loaded_while_the_first_is_played():
    arch = gather_arch_of(2, 2, 4)
    weight, act = np.ones((8, 4), dtype=np.int64), np.ones((4, 8), dtype=np.int64)
    array = dense.count(arch, GEMM.of(weight, act)).causes["array"]
    # two tiles of 4 pixels, 2 blocks each: the first is loaded in 8 cycles, all others are hidden
    assert array["act"] == 8 + 2 - (2 + 2)
    assert array["compute"] == 2 * 4 * 2 * 4


def test_all_zero_weights_take_no_cycle():
    arch = gather_arch_of(2, 2, 4)
    gemm = GEMM.of(np.zeros((3, 3), np.int8), np.ones((3, 2), np.int8))
    job = dense.compile(arch, gemm)
    assert all(len(words) == 0 for stream in job.inputs.values() for words in stream.values())
    assert dense.count(arch, gemm).cycles == dense.simulate(arch, job, {}).counts.cycles == 0


def test_k_beyond_the_banks_is_refused():
    arch = gather_arch_of(2, 2, 4, gather_depth=4)
    gemm = gemm_of(np.random.default_rng(2), arch, (1, 9, 1))
    rule = r"K = 9: must be at most 8: rows \(2\) x gather_depth \(4\)"
    for use in (dense.compile, dense.count):
        with pytest.raises(InputError, match=rule):
            use(arch, gemm)


@pytest.mark.parametrize(
    ("array", "numbers", "rule"),
    [
        ({"dataflow": "os"}, {}, "must be absent for dataflow os"),
        ({"dataflow": "ws", "acc_depth": 4, "gather_depth": 3}, {}, "must be a power of two"),
        (
            {"dataflow": "ws", "acc_depth": 4},
            {"weight_code": "levels"},
            "must be absent where weights or activations have no zero",
        ),
        (
            {"dataflow": "ws", "acc_depth": 4},
            {"act_width": 1},
            "must be absent where weights or activations have no zero",
        ),
    ],
)
def test_designs_that_cannot_gather_are_refused(array, numbers, rule):
    raw = {"family": "dense", "rows": 2, "cols": 2, "gather_depth": 4} | array
    with pytest.raises(InputError, match=rule):
        parse(ArchConfig, {"name": "dut", "numbers": numbers, "array": raw}, "test")


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_banks_of_channels_hold_all_taps_of_a_channel(channels):
    rng = np.random.default_rng(channels)
    base = gather_arch_of(4, 3, 8, gather_depth=64)
    array = base.array.model_copy(update={"gather_banks": "channel"})
    arch = base.model_copy(update={"array": array})
    conv = Conv(images=1, C=channels, H=5, W=4, R=3, S=2)
    gemm = replace(gemm_of(rng, arch, (5, 6 * channels, conv.P * conv.Q), 0.7), conv=conv)
    run = dense.simulate(arch, dense.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()
    assert run.counts == dense.count(arch, gemm)
    kept = np.flatnonzero(gemm.weight.any(axis=0))
    beats = -(-channels // 4) * 6 * conv.P * conv.Q
    folds = np.bincount(kept % channels % 4, minlength=4).max()
    assert folds == pack(kept, gemm.K, 4, channels).folds
    job = dense.compile(arch, gemm)
    assert len(job.inputs["act"]["act"]) == beats
    assert job.inputs["command"]["k_folds"].tolist() == [folds]
