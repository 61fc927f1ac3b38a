"""Dense family: the cycle-by-cycle model against the product, the closed form against both."""

import numpy as np
import pytest
from harness.array_bench import chain, pause_factors
from harness.dense_cases import SHAPES, arch_of, gemm_of, product
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.base import array_model
from hwsim.arrays.counts import Counts
from hwsim.arrays.dense import array as dense
from hwsim.arrays.systolic import compile as systolic
from hwsim.config import ArchConfig
from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES
from hwsim.contract.causes import cause_names
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM

DATAFLOWS = ["ws", "os"]


def causes(**cycles):
    return {cause: cycles.get(cause, 0) for cause in cause_names(SYSTOLIC_CAUSES)["array"]}


@st.composite
def runs(draw):
    """Design, random operands on it, and the seed of both."""
    arch = arch_of(
        draw(st.sampled_from(DATAFLOWS)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 6)),
        1 << draw(st.integers(0, 4)),
        draw(st.integers(1, 3)),
        carries=draw(st.booleans()),
        psum_width=draw(st.sampled_from([16, 20, 32])),
    )
    shape = tuple(draw(st.integers(1, 20)) for _ in range(3))
    seed = draw(st.integers(0, 1 << 20))
    keep = draw(st.sampled_from([0.3, 0.7, 1.0]))
    return arch, gemm_of(np.random.default_rng(seed), arch, shape, keep), seed


@given(runs())
@settings(deadline=None, max_examples=150)
def test_closed_form_equals_cycles(case):
    arch, gemm, _ = case
    run = dense.simulate(arch, dense.compile(arch, gemm), {})
    assert run.counts == dense.count(arch, gemm)
    assert (run.ofmap == product(arch, gemm)).all()


@given(runs())
@settings(deadline=None, max_examples=50)
def test_pauses_change_cycles_alone(case):
    arch, gemm, seed = case
    job = dense.compile(arch, gemm)
    for pauses in pause_factors(seed).values():
        run = dense.simulate(arch, job, pauses)
        assert (run.ofmap == product(arch, gemm)).all()
        assert sum(run.counts.causes["array"].values()) == run.counts.cycles
        assert run.counts.cycles >= dense.count(arch, gemm).cycles
        assert (
            run.counts.causes["array"]["compute"]
            == (dense.count(arch, gemm).causes["array"]["compute"])
        )


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_corner_shapes(dataflow, shape):
    arch = arch_of(dataflow, 4, 3, 4)
    gemm = gemm_of(np.random.default_rng(1), arch, shape)
    run = dense.simulate(arch, dense.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()
    assert run.counts == systolic.count_shape(arch, *shape)


@pytest.mark.parametrize(
    ("arch", "shape", "expected"),
    [
        # 1 fold of 5 pixels: command; 4 loads, swap; 5 pixels; 4 + 3 + 1 behind the last
        (("ws", 4, 3, 8), (3, 4, 5), causes(idle=1, preload=5, compute=5, drain=8)),
        # 2 K folds of 5 pixels: the second one's weights load behind the first one's pixels
        (("ws", 4, 3, 8), (3, 8, 5), causes(idle=1, preload=5, compute=10, drain=8)),
        # 2 K folds of 1 pixel: 3 cycles short of the 4 that loading takes
        (("ws", 4, 3, 8), (3, 8, 1), causes(idle=1, preload=8, compute=2, drain=8)),
        # 2 tiles of 2 and 1 pixels, 2 M folds: three gaps, of 2, 2 and 3 cycles
        (("ws", 4, 3, 2), (4, 4, 3), causes(idle=1, preload=12, compute=6, drain=8)),
        # 1 fold of 5 k: command; 5 k; 2 * 4 + 3 - 1 behind the last
        (("os", 4, 3), (4, 5, 3), causes(idle=1, compute=5, drain=10)),
        # 4 folds of 3 k: each but the first waits a cycle for the 4 rows before it to drain
        (("os", 4, 3), (5, 3, 6), causes(idle=1, preload=3, compute=12, drain=10)),
        (("os", 1, 1), (1, 1, 1), causes(idle=1, compute=1, drain=2)),
        (("ws", 1, 1, 1), (1, 1, 1), causes(idle=1, preload=2, compute=1, drain=3)),
    ],
)
def test_counts_by_hand(arch, shape, expected):
    counts = systolic.count_shape(arch_of(*arch), *shape)
    assert counts.cycles == sum(expected.values())
    assert counts.causes == {"array": expected}


def test_events_by_hand():
    # 2 K folds of 4 rows for 3 columns, 5 pixels: a second fold adds to the sums of the first
    beats = {"command_beats": 1, "weight_beats": 8, "act_beats": 10, "ofmap_beats": 5}
    assert systolic.count_shape(arch_of("ws", 4, 3, 8), 3, 8, 5).events == beats | {
        "macs": 12 * 10,
        "weight_loads": 2 * 4,
        "psum_reads": 5,
        "psum_writes": 5,
    }
    # K = 6 ends in the middle of a fold: the array injects the two rows that no beat carries
    events = systolic.count_shape(arch_of("ws", 4, 3, 2), 3, 6, 5).events
    assert (events["weight_beats"], events["weight_loads"]) == (3 * 6, 3 * 8)
    # 2 M folds of 4 rows, 2 pixel folds of 3 columns, 3 K each; rows beyond M do not come out
    assert systolic.count_shape(arch_of("os", 4, 3), 5, 3, 6).events == {
        "command_beats": 1,
        "weight_beats": 4 * 3,
        "act_beats": 4 * 3,
        "ofmap_beats": 2 * 5,
        "macs": 12 * 4 * 3,
    }


def test_steady_state_has_no_preload_bubble():
    arch = arch_of("ws", 8, 8, 16)
    counts = systolic.count_shape(arch, 80, 80, 160)
    assert counts.causes["array"] == causes(
        idle=1, preload=8 + 1, compute=10 * 10 * 160, drain=8 + 8 + 1
    )


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_removed_rows_and_columns_cost_nothing(dataflow):
    arch = arch_of(dataflow, 2, 2, 4)
    gemm = gemm_of(np.random.default_rng(2), arch, (6, 6, 5))
    gemm.weight[gemm.weight == 0] = 1
    gemm.weight[[0, 3, 5]] = 0
    gemm.weight[:, [1, 2]] = 0
    assert dense.count(arch, gemm) == systolic.count_shape(arch, 3, 4, 5)
    run = dense.simulate(arch, dense.compile(arch, gemm), {})
    assert run.counts == dense.count(arch, gemm)
    assert (run.ofmap == product(arch, gemm)).all()


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_all_zero_weights_are_no_work(dataflow):
    arch = arch_of(dataflow, 3, 2, 4)
    gemm = GEMM.of(np.zeros((5, 4), np.int8), np.ones((4, 3), np.int8))
    job = dense.compile(arch, gemm)
    assert job.transfers == 0
    assert all(len(v) == 0 for words in job.inputs.values() for v in words.values())
    counts = dense.count(arch, gemm)
    assert (counts.cycles, counts.causes) == (0, {"array": causes()})
    assert not any(counts.events.values())
    run = dense.simulate(arch, job, {})
    assert run.counts == dense.count(arch, gemm)
    assert (run.ofmap == np.zeros((5, 3))).all()


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_narrowest_psum_wraps(dataflow):
    arch = arch_of(dataflow, 2, 2, 4, psum_width=16)
    gemm = GEMM.of(np.full((2, 3), -128), np.full((3, 2), -128))
    run = dense.simulate(arch, dense.compile(arch, gemm), {})
    assert (run.ofmap == 3 * 16384 - 65536).all()


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("stream", ["weight", "act", "ofmap"])
def test_names_the_stream_that_stalls(dataflow, stream):
    arch = arch_of(dataflow, 2, 3, 8)
    gemm = gemm_of(np.random.default_rng(3), arch, (6, 6, 8))
    pauses = {stream: np.array([True] * 7 + [False])}
    free = dense.count(arch, gemm).causes["array"]
    stalled = dense.simulate(arch, dense.compile(arch, gemm), pauses).counts.causes["array"]
    assert stalled[stream] > 0
    assert {c for c in stalled if stalled[c] > free[c]} <= {stream, "drain", "preload"}


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_commands_follow_each_other(dataflow):
    """The next command is taken during the drain, so a chain is shorter than its jobs in a row."""
    arch = arch_of(dataflow, 3, 2, 4)
    rng = np.random.default_rng(4)
    gemms = [gemm_of(rng, arch, shape) for shape in SHAPES]
    chained = dense.simulate(arch, chain([dense.compile(arch, g) for g in gemms]), {})
    expected = np.concatenate([product(arch, g).ravel() for g in gemms])
    assert (chained.ofmap.ravel() == expected).all()
    alone = sum((dense.count(arch, g) for g in gemms), Counts(0))
    assert chained.counts.cycles < alone.cycles
    assert chained.counts.causes["array"]["compute"] == alone.causes["array"]["compute"]


def test_streams_of_ws():
    arch = arch_of("ws", 2, 2, 2)
    weight, act = np.array([[1, 2, 3]]), np.arange(1, 10).reshape(3, 3)
    job = dense.compile(arch, GEMM.of(weight, act))
    assert {k: v.tolist() for k, v in job.inputs["command"].items()} == {
        "k_folds": [2], "m_folds": [1], "n_tiles": [2], "k_edge": [1], "n_edge": [1],
    }  # fmt: skip
    # the bottom row of a fold first, and only the rows that hold weights
    assert job.inputs["weight"]["weight"].tolist() == [[2, 0], [1, 0], [3, 0]] * 2
    assert job.inputs["act"]["act"].tolist() == [[1, 4], [2, 5], [7, 0], [8, 0], [3, 6], [9, 0]]
    assert job.ofmap_index.tolist() == [[0, -1], [1, -1], [2, -1]]


def test_streams_of_os():
    arch = arch_of("os", 2, 2)
    weight, act = np.array([[1, 2], [3, 4], [5, 6]]), np.array([[7, 8, 9], [1, 2, 3]])
    job = dense.compile(arch, GEMM.of(weight, act))
    assert {k: v.tolist() for k, v in job.inputs["command"].items()} == {
        "k_size": [2], "m_folds": [2], "n_folds": [2], "m_edge": [1],
    }  # fmt: skip
    assert job.inputs["weight"]["weight"].tolist() == [[1, 3], [2, 4], [5, 0], [6, 0]] * 2
    assert job.inputs["act"]["act"].tolist() == [[7, 8], [1, 2]] * 2 + [[9, 0], [3, 0]] * 2
    # the bottom row first; row 3 does not exist
    assert job.ofmap_index.tolist() == [[3, 4], [0, 1], [6, 7], [5, -1], [2, -1], [8, -1]]


def test_count_needs_no_operands():
    arch = ArchConfig.read("dense_8x8_ws")
    assert dense.count(arch, GEMM(20, 25, 576)) == systolic.count_shape(arch, 20, 25, 576)


def test_is_found_by_its_name():
    assert array_model(ArchConfig.read("dense_8x8_os")) is dense


@pytest.mark.parametrize(
    ("weight", "act", "message"),
    [
        ([[1, -129]], [[0], [0]], r"fc1: weight\[0, 1\] = -129: must be within -128..127"),
        ([[1, 1]], [[0], [128]], r"fc1: act\[1, 0\] = 128: must be within -128..127"),
    ],
)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_refuses_values_that_do_not_fit(dataflow, weight, act, message):
    gemm = GEMM.of(np.array(weight), np.array(act), "fc1")
    with pytest.raises(InputError, match=message):
        dense.compile(arch_of(dataflow, 2, 2), gemm)


def test_refuses_to_compile_a_shape():
    with pytest.raises(InputError, match="conv1: must have weights and activations"):
        dense.compile(arch_of("os", 2, 2), GEMM(1, 1, 1, name="conv1"))


def test_refuses_more_folds_than_a_command_can_say(monkeypatch):
    arch = arch_of("os", 1, 1)
    monkeypatch.setattr(type(arch.array), "COUNT_WIDTH", 2)
    gemm = GEMM.of(np.ones((4, 1), np.int8), np.ones((1, 1), np.int8), "fc1")
    with pytest.raises(InputError, match="fc1: m_folds = 4: must be below 4"):
        dense.compile(arch, gemm)


def test_refuses_a_stream_that_never_moves():
    arch = arch_of("ws", 2, 2)
    job = dense.compile(arch, GEMM.of(np.ones((1, 1), np.int8), np.ones((1, 1), np.int8)))
    for stream in ("act", "ofmap"):
        with pytest.raises(ValueError, match=f"pauses of {stream}"):
            dense.simulate(arch, job, {stream: np.array([True])})


def test_refuses_another_family():
    with pytest.raises(TypeError, match="csc_64x1 must be of family dense or nm or pattern"):
        systolic.count_shape(ArchConfig.read("csc_64x1"), 1, 1, 1)
