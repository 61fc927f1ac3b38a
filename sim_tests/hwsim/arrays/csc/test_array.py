"""Index-decoding array: values of the cycle-by-cycle model, and the fast form against it."""

from __future__ import annotations

import numpy as np
import pytest
from harness.csc_cases import cases, design, draw_gemm, product
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.base import array_model
from hwsim.arrays.counts import Counts
from hwsim.arrays.csc import array as csc
from hwsim.arrays.csc.compile import tiles
from hwsim.arrays.csc.recurrence import Feed, Positions, recur
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.formats import project
from hwsim.formats.codes import levels
from hwsim.formats.csc import encode, zero_run
from hwsim.formats.csc_entries import count_entries, row_entries
from hwsim.workload.gemm import GEMM


@given(cases())
@settings(deadline=None, max_examples=150)
def test_fast_form_equals_cycle_by_cycle(case):
    arch, gemm = case
    run = csc.simulate(arch, csc.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()
    assert csc.count(arch, gemm) == run.counts


@given(cases(), st.integers(0, 2**32 - 1), st.floats(0, 0.9))
@settings(deadline=None, max_examples=40)
def test_pauses_change_no_value_and_no_event_and_every_cycle_has_a_cause(case, seed, probability):
    arch, gemm = case
    rng = np.random.default_rng(seed)
    streams = ("command", "weight", "act", "ofmap")
    pauses = {stream: np.append(rng.random(60) < probability, False) for stream in streams}
    run = csc.simulate(arch, csc.compile(arch, gemm), pauses)
    assert (run.ofmap == product(arch, gemm)).all()
    control, pe = run.counts.causes["control"], run.counts.causes["pe"]
    assert sum(control.values()) == run.counts.cycles
    assert sum(pe.values()) == arch.array.pes * run.counts.cycles
    unpaused = csc.count(arch, gemm)
    assert run.counts.events == unpaused.events
    for cause in ("load", "broadcast", "scan"):
        assert control[cause] == unpaused.causes["control"][cause]
    for cause in ("mac", "padding", "column"):
        assert pe[cause] == unpaused.causes["pe"][cause]


@given(
    st.integers(1, 600),
    st.integers(1, 5),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=120)
def test_entries_are_counted_without_encoding(rows, pes, index_bits, has_zero, seed):
    gemm = draw_gemm(np.random.default_rng(seed), (rows, 5, 1), 0.03, 1.0)
    matrix = encode(gemm.weight, pes, index_bits, has_zero)
    run = zero_run(index_bits, has_zero)
    entries, padding = count_entries(gemm.weight, pes, run)
    added = row_entries(gemm.weight, pes, run)
    assert (added.sum(axis=0) == matrix.entries).all()
    assert (entries == np.diff(matrix.pointers, axis=1)).all()
    assert padding.sum() == matrix.padding


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_operands_of_any_type_and_order(dtype, order):
    arch = design()
    gemm = draw_gemm(np.random.default_rng(3), (9, 13, 5), 0.4, 0.5)
    other = GEMM.of(
        gemm.weight.astype(dtype, order=order), gemm.act.astype(dtype, order=order), "other"
    )
    assert csc.count(arch, other) == csc.count(arch, gemm)


#: Codes of entries beside plain integers, and the values that their weights are drawn from.
CODES = {
    "levels": ({"weight_code": "levels", "weight_width": 4}, {}),
    "binary": ({"weight_code": "levels", "weight_width": 1}, {}),
    "ternary": ({"weight_code": "ternary", "weight_width": 2}, {}),
    "pow2": ({"weight_code": "pow2", "weight_width": 4}, {}),
    "codebook": ({"weight_width": 8}, {"codebook_bits": 3}),
    "codebook_of_levels": ({"weight_code": "levels", "weight_width": 5}, {"codebook_bits": 2}),
}


@pytest.mark.parametrize("code", CODES)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.tuples(st.integers(1, 60), st.integers(1, 32), st.integers(1, 9)),
    st.sampled_from([0.0, 0.05, 0.3, 1.0]),
)
@settings(deadline=None, max_examples=40)
def test_codes_give_the_product_and_the_cycles(code, seed, index_bits, shape, density):
    numbers, array = CODES[code]
    arch = design(numbers, index_bits=index_bits, acc_depth=8, **array)
    rng = np.random.default_rng(seed)
    m, k, n = shape
    weight = rng.choice(levels(arch.numbers), (m, k)) * (rng.random((m, k)) < density)
    act = rng.integers(-128, 128, (k, n)) * (rng.random((k, n)) < 0.5)
    gemm = GEMM.of(project(arch, weight), act)
    run = csc.simulate(arch, csc.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()
    assert csc.count(arch, gemm) == run.counts


def test_codebook_is_loaded_once_and_with_every_layer():
    arch = design(codebook_bits=2, acc_depth=1)
    plain = design(acc_depth=1)
    weight = np.tile(np.array([[3, -5, 0], [3, 3, 90]], np.int8), (4, 1))  # two tiles
    gemm = GEMM.of(weight, np.ones((3, 2), np.int8))
    beats = [csc.count(a, gemm).causes["control"]["load"] for a in (arch, plain)]
    assert beats[0] == beats[1] + 3
    words = csc.compile(arch, gemm).inputs["weight"]
    table = words["kind"] == 2
    assert words["addr"][table].tolist() == [1, 2, 3]
    assert words["data"][table].tolist() == [[251, 251], [3, 3], [90, 90]]
    other = GEMM.of(np.where(weight == 90, -128, weight), gemm.act)
    assert csc.compile(arch, other).inputs["weight"]["data"][0].tolist() == [128, 128]


def test_partial_sums_wrap():
    numbers = {"act_width": 8, "weight_width": 8, "psum_width": 16}
    arch = design(numbers)
    gemm = GEMM.of(np.full((3, 9), -128, np.int8), np.full((9, 2), -128, np.int8))
    run = csc.simulate(arch, csc.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()


def test_moving_the_origin_of_time_changes_nothing():
    rng = np.random.default_rng(5)
    gemm = draw_gemm(rng, (30, 24, 40), 0.5, 0.6)
    entries, padding = count_entries(gemm.weight, 4, 4)
    operands = (
        Positions(gemm.act),
        np.vstack([np.maximum(entries, 1).T, np.ones((1, len(entries)), entries.dtype)]),
        entries.sum(axis=0, dtype=np.int64),
        padding,
        np.count_nonzero(entries == 0, axis=0),
        np.arange(24) // 4,
        40,
    )
    near, far = (recur(*operands, 2, 1, 8, 8, far, Feed()) for far in (50, 1 << 29))
    assert (near == far).all()


def test_tiles_fill_accumulators_or_entry_memories():
    weight = np.ones((40, 8), dtype=np.int8)
    by_rows = list(tiles(design(acc_depth=4, entry_depth=64), weight, "layer"))
    assert [(tile.start, tile.stop) for tile in by_rows] == [(0, 16), (16, 32), (32, 40)]
    by_entries = list(tiles(design(acc_depth=4, entry_depth=16), weight, "layer"))
    assert [(tile.start, tile.stop) for tile in by_entries] == [
        (start, start + 8) for start in range(0, 40, 8)
    ]


def test_tiles_add_up():
    arch = design(acc_depth=1)
    gemm = draw_gemm(np.random.default_rng(9), (12, 10, 6), 0.5, 0.5)
    parts = [GEMM.of(gemm.weight[m : m + 4], gemm.act) for m in range(0, 12, 4)]
    total = sum((csc.count(arch, part) for part in parts), Counts(0))
    assert csc.count(arch, gemm) == total


def test_all_zero_activations_still_drain():
    arch = design(lanes=1)
    gemm = GEMM.of(np.ones((8, 6), np.int8), np.zeros((6, 3), np.int8))
    counts = csc.count(arch, gemm)
    # two words per group: one goes by, the last sends a null token
    assert counts.causes["control"]["scan"] == 3 * 2
    assert counts.causes["control"]["broadcast"] == 0
    assert counts.causes["pe"]["column"] == 3 * 4
    assert (csc.simulate(arch, csc.compile(arch, gemm), {}).ofmap == 0).all()


def test_load_is_apart():
    arch = design()
    gemm = GEMM.of(np.ones((8, 6), np.int8), np.ones((6, 2), np.int8))
    counts = csc.count(arch, gemm)
    # 2 banks, each 7 pointers and 12 entries per PE
    assert counts.causes["control"]["load"] == 2 * (7 + 12)
    assert counts.causes["pe"]["mac"] == 8 * 6


def test_deeper_queues_are_never_slower():
    gemm = draw_gemm(np.random.default_rng(2), (64, 32, 8), 0.3, 0.4)
    cycles = [
        csc.count(
            design(pes=8, lanes=1, acc_depth=8, entry_depth=512, fifo_depth=depth), gemm
        ).cycles
        for depth in (1, 2, 4, 8, 16, 32)
    ]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > cycles[-1]


def test_family_is_looked_up_by_name():
    assert array_model(design()) is csc


@pytest.mark.parametrize(
    ("gemm", "message"),
    [
        (
            GEMM.of(np.ones((4, 33), np.int8), np.ones((33, 1), np.int8), "fc1"),
            "fc1: K = 33: must be at most col_depth of csc_test, 32",
        ),
        (
            GEMM.of(np.full((4, 4), 128), np.ones((4, 1), np.int8), "fc1"),
            r"fc1: weight\[0, 0\] = 128: must be within -128..127",
        ),
        (
            GEMM.of(np.ones((4, 4), np.int8), np.full((4, 1), -129), "fc1"),
            r"fc1: act\[0, 0\] = -129: must be within -128..127",
        ),
        (
            GEMM.of(np.ones((4, 20), np.int8), np.ones((20, 1), np.int8), "fc1"),
            "fc1: entries = 20: one row must fit entry_depth of csc_test, 16",
        ),
        (
            GEMM(4, 4, 0, np.ones((4, 4), np.int8), np.ones((4, 0), np.int8), "fc1"),
            "must be at least 1",
        ),
        (
            GEMM.of(np.arange(8).reshape(4, 2), np.ones((2, 1), np.int8), "fc1"),
            "^fc1: distinct non-zero values of weight = 7: must be at most 3 for a codebook of 2",
        ),
    ],
)
@pytest.mark.parametrize("function", [csc.compile, csc.count])
def test_bad_input_is_named(function, gemm, message):
    with pytest.raises(InputError, match=message):
        function(design(entry_depth=16, codebook_bits=2), gemm)


@pytest.mark.parametrize("function", [csc.compile, csc.count])
def test_weight_without_a_code_is_named(function):
    gemm = GEMM.of(np.array([[1, 0], [3, 0]]), np.ones((2, 1), np.int8), "fc1")
    with pytest.raises(InputError, match=r"^fc1: weight\[1, 0\] = 3: must be zero or a level of"):
        function(design({"weight_code": "pow2", "weight_width": 4}), gemm)


@pytest.mark.parametrize(
    "gemm", [GEMM(4, 4, 4, name="fc1"), GEMM(4, 4, 4, np.ones((4, 4), np.int8), name="fc1")]
)
def test_compiling_needs_both_operands(gemm):
    with pytest.raises(InputError, match="fc1: compiling needs weights and activations"):
        csc.compile(design(), gemm)


def test_designs_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"codebook_bits must be less than weight_width \(8\)"):
        design(codebook_bits=8)
    with pytest.raises(ValueError, match="act_width must be at least 2 for family csc"):
        design({"act_width": 1, "weight_code": "levels", "weight_width": 1})


def test_pinned_layer():
    """Renew the numbers where the hardware changes on purpose."""
    arch = ArchConfig.read("csc_16x4")
    gemm = draw_gemm(np.random.default_rng(0), (50, 500, 64), 0.1, 0.4)
    control = {"idle": 1, "load": 2701, "broadcast": 6939, "full": 559, "act": 1, "drain": 33}
    pe = {
        "idle": 43264, "mac": 35017, "column": 79718, "pointer": 5280, "empty": 32, "done": 433
    }  # fmt: skip
    zeros = {"control": {"weight": 0, "scan": 0}, "pe": {"padding": 0, "drain": 0}}
    events = {
        "queue_writes": 16 * 6939, "queue_reads": 16 * 6939,
        "pointer_writes": 16 * 501, "pointer_reads": 2 * 16 * 6939,
        "entry_writes": 2788, "entry_reads": 35017, "macs": 4 * 35017,
        "psum_reads": 35017 + 16 * 4 * 16, "psum_writes": 35017 + 16 * 4 * 16,
        "command_beats": 1, "weight_beats": 2701, "act_beats": 16 * 63, "ofmap_beats": 16 * 4 * 4,
    }  # fmt: skip
    assert csc.count(arch, gemm) == Counts(
        10234, {"control": control | zeros["control"], "pe": pe | zeros["pe"]}, events
    )
