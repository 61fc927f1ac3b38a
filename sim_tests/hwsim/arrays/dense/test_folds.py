"""Dense arrays with a gather list for each fold: the closed form against the cycle model."""

import numpy as np
import pytest
from harness.array_bench import pause_factors
from harness.component import seeded
from harness.dense_cases import arch_of, gather_arch_of, gemm_of, product, punched
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.dense import array as dense
from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.workload.gemm import GEMM


@st.composite
def runs(draw):
    arch = arch_of(
        "ws", draw(st.integers(1, 5)), draw(st.integers(1, 5)), 1 << draw(st.integers(0, 4)),
        draw(st.integers(1, 3)), carries=draw(st.booleans()), fold_lists=True,
    )  # fmt: skip
    seed = draw(st.integers(0, 1 << 20))
    shape = tuple(draw(st.integers(1, 24)) for _ in range(3))
    return arch, punched(np.random.default_rng(seed), arch, shape), seed


@given(runs())
@settings(deadline=None, max_examples=150)
def test_closed_form_equals_cycles(case):
    arch, gemm, seed = case
    job = dense.compile(arch, gemm)
    run = dense.simulate(arch, job, {})
    assert run.counts == dense.count(arch, gemm)
    assert (run.ofmap == product(arch, gemm)).all()
    slow = dense.simulate(arch, job, pause_factors(seed)["both"])
    assert (slow.ofmap == product(arch, gemm)).all()


def test_columns_of_a_fold_are_not_computed():
    """Two folds that share no column: half the beats of one list for both."""
    rng = seeded(3)
    plain, lists = (arch_of("ws", 4, 4, 64, fold_lists=own) for own in (False, True))
    gemm = gemm_of(rng, plain, (8, 32, 50))
    weight = np.where(gemm.weight == 0, 1, gemm.weight)
    weight[:4, ::2] = weight[4:, 1::2] = 0
    gemm = GEMM.of(weight, gemm.act)
    one, two = dense.count(plain, gemm), dense.count(lists, gemm)
    assert (one.events["act_beats"], two.events["act_beats"]) == (2 * 8 * 50, 2 * 4 * 50)
    assert two.cycles < 0.6 * one.cycles
    bits = [measure(arch, weight, weight.shape).values for arch in (plain, lists)]
    assert bits == [8 * 8 * 32, 8 * 8 * 16]


def test_a_layer_with_nothing_more_to_leave_out_is_one_command():
    rng = seeded(4)
    plain, lists = (arch_of("ws", 3, 2, 8, fold_lists=own) for own in (False, True))
    gemm = gemm_of(rng, plain, (9, 14, 5))
    gemm = GEMM.of(np.where(gemm.weight == 0, 1, gemm.weight), gemm.act)
    assert dense.count(lists, gemm) == dense.count(plain, gemm)
    assert len(dense.compile(lists, gemm).inputs["command"]["k_folds"]) == 1


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"dataflow": "os"}, "fold_lists must be off for dataflow os"),
        ({"weight_stream": "bitmask"}, "fold_lists must be off with weight_stream bitmask"),
        ({"gather_depth": 32}, "fold_lists must be off with weight_stream bitmask and gather"),
    ],
)
def test_refused(more, rule):
    array = {"family": "dense", "dataflow": "ws", "rows": 2, "cols": 2, "fold_lists": True} | more
    if array["dataflow"] == "ws":
        array["acc_depth"] = 4
    with pytest.raises(InputError, match=rule):
        parse(ArchConfig, {"name": "dut", "array": array}, "test")


def test_the_hardware_is_that_of_a_design_without_them():
    plain, lists = (arch_of("ws", 4, 4, 64, fold_lists=own) for own in (False, True))
    assert plain.digest != lists.digest  # other results
    assert "fold_lists" not in plain.hardware()["array"]
    from hwsim.config.parts import clock_probe, keys_of

    assert clock_probe(plain).digest == clock_probe(lists).digest
    assert [key for _, key in keys_of(plain)] == [key for _, key in keys_of(lists)]
    assert gather_arch_of(2, 2, 4).array.fold_lists is False
