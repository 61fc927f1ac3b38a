"""Dense array behind its decompressor: products, exact counts, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from harness.array_bench import pause_factors
from harness.dense_cases import SHAPES, arch_of, bitmask_arch_of, product, pruned
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.dense import array as dense
from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.workload.gemm import GEMM

DATAFLOWS = ["ws", "os"]


@st.composite
def cases(draw):
    """Draw a design with a port of any width, and pruned operands."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dataflow = draw(st.sampled_from(DATAFLOWS))
    arch = bitmask_arch_of(
        dataflow,
        draw(st.integers(1, 6)),
        draw(st.integers(1, 6)),
        1 << draw(st.integers(0, 4)),
        port=1 << draw(st.integers(0, 5)),
        weight_width=draw(st.sampled_from([2, 3, 8])),
        carries=dataflow == "ws" and draw(st.booleans()),
    )
    m, k, n = (draw(st.integers(1, 20)) for _ in range(3))
    if arch.array.carries:  # K is cut over two commands
        m, n = min(m, arch.array.cols), min(n, arch.array.acc_depth)
    shape = m, k, n
    return arch, pruned(rng, arch, shape), rng


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
    for pauses in pause_factors(int(rng.integers(1 << 20))).values():
        run = dense.simulate(arch, dense.compile(arch, gemm), pauses)
        assert (run.ofmap == product(arch, gemm)).all()
        assert run.counts.cycles >= dense.count(arch, gemm).cycles


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_shape_is_a_matrix_without_a_zero(dataflow, shape):
    arch, (m, k, n) = bitmask_arch_of(dataflow, 4, 3, 4), shape
    gemm = GEMM.of(np.ones((m, k), np.int64), np.ones((k, n), np.int64))
    assert dense.count(arch, GEMM(m, k, n)) == dense.count(arch, gemm)
    assert measure(arch, None, (m, k)) == measure(arch, gemm.weight, (m, k))


def test_pruned_weights_cost_what_dense_ones_do():
    """Half of the weights zero: one cycle more than the plain stream, until the first row comes."""
    arch = bitmask_arch_of("ws", 8, 8, 16)
    rng = np.random.default_rng(1)
    weight = np.where(rng.random((24, 40)) < 0.5, rng.integers(1, 128, (24, 40)), 0)
    gemm = GEMM.of(weight, rng.integers(-128, 128, (40, 20)))
    plain = dense.count(arch_of("ws", 8, 8, 16), gemm)
    counts = dense.count(arch, gemm)
    assert counts.causes["array"] == plain.causes["array"] | {"weight": 1}
    assert counts.events["weight_beats"] < 0.7 * plain.events["weight_beats"]
    assert counts.events | {"weight_beats": 0} == plain.events | {"weight_beats": 0}


def test_rows_without_a_zero_starve_the_array():
    """A mask per row: 9 words for 8 rows, which no pixels hide."""
    arch = bitmask_arch_of("ws", 8, 8, 16)
    gemm = GEMM(8, 64 * 8, 1)
    plain, counts = (dense.count(a, gemm).causes["array"] for a in (arch_of("ws", 8, 8, 16), arch))
    # the first row needs two words; 512 x 9 slots are 64 words more than 512 x 8
    assert counts == plain | {"weight": 2 + 64 - 1, "preload": plain["preload"]}
    wide = bitmask_arch_of("ws", 8, 8, 16, port=16)
    assert dense.count(wide, gemm).causes["array"] == plain | {"weight": 1}


def test_words_of_a_tile_are_sent_again():
    arch = bitmask_arch_of("ws", 2, 2, 4)
    gemm = pruned(np.random.default_rng(3), arch, (5, 7, 4))
    once = dense.compile(arch, gemm).inputs["weight"]["slots"]
    again = GEMM.of(gemm.weight, np.tile(gemm.act, (1, 3)))
    assert (dense.compile(arch, again).inputs["weight"]["slots"] == np.tile(once, (3, 1))).all()


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_bits_are_those_of_the_words_and_the_lists(dataflow):
    arch = bitmask_arch_of(dataflow, 4, 4, 8)
    rng = np.random.default_rng(4)
    weight = np.where(rng.random((10, 30)) < 0.3, rng.integers(1, 128, (10, 30)), 0)
    weight[:, 7] = 0
    gemm = GEMM.of(weight, np.ones((30, 8), np.int64))
    bits, counts = measure(arch, weight, (10, 30)), dense.count(arch, gemm)
    assert bits.values == 8 * np.count_nonzero(weight)
    lists = measure(arch_of(dataflow, 4, 4), weight, (10, 30)).indices
    kept = weight[weight.any(axis=1)][:, weight.any(axis=0)]
    assert bits.indices == kept.size + lists
    passes = 1 if dataflow == "ws" else 2
    traffic = arch.array.traffic(arch.numbers, counts.events)["weight"]
    assert traffic == passes * (bits.total - lists)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_all_zero_weights_take_no_cycle(dataflow):
    arch = bitmask_arch_of(dataflow, 2, 2, 4)
    gemm = GEMM.of(np.zeros((3, 3), np.int8), np.ones((3, 2), np.int8))
    job = dense.compile(arch, gemm)
    assert all(len(words) == 0 for stream in job.inputs.values() for words in stream.values())
    assert dense.count(arch, gemm).cycles == 0
    assert dense.simulate(arch, job, {}).counts == dense.count(arch, gemm)
    assert measure(arch, gemm.weight, (3, 3)).total == 0


def test_refuses_more_rows_than_a_command_can_say(monkeypatch):
    arch = bitmask_arch_of("ws", 1, 1)
    monkeypatch.setattr(type(arch.array), "ROWS_WIDTH", 2)
    gemm = GEMM.of(np.ones((4, 1), np.int8), np.ones((1, 1), np.int8), "fc1")
    with pytest.raises(InputError, match="fc1: weight_rows = 4: must be below 4"):
        dense.compile(arch, gemm)


@pytest.mark.parametrize(
    ("array", "numbers", "rule"),
    [
        ({"weight_port": 3}, {}, "weight_port must be a power of two, not 3"),
        ({"weight_port": 4, "weight_stream": "plain"}, {}, "must be absent where weight_stream is"),
        ({"gather_depth": 4}, {}, "weight_stream must be plain with gather_depth"),
        ({}, {"weight_code": "levels"}, "weight_stream must be plain for weight_code levels"),
    ],
)
def test_designs_that_cannot_decompress_are_refused(array, numbers, rule):
    raw = {"family": "dense", "dataflow": "ws", "rows": 2, "cols": 2, "acc_depth": 4}
    raw |= {"weight_stream": "bitmask"} | array
    with pytest.raises(InputError, match=rule):
        parse(ArchConfig, {"name": "dut", "numbers": numbers, "array": raw}, "test")
