"""Index-decoding array: counts of shapes alone, and of ifmaps that are not unrolled."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from harness.csc_cases import cases, design, draw_gemm
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.csc import array as csc
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM


@st.composite
def shapes(draw):
    """Designs with weights and activations without a zero, of every codebook that M x K fills."""
    pes = draw(st.sampled_from([1, 2, 4, 8]))
    lanes = draw(st.sampled_from([1, 2, 3, 4, 6]))
    arch = design(
        pes=pes,
        lanes=lanes,
        drain_lanes=draw(st.sampled_from([d for d in (1, 2, 3) if lanes % d == 0])),
        drain_pes=draw(st.sampled_from([None, *(d for d in (1, 2, 4, 8) if d <= pes)])),
        load_pes=draw(st.sampled_from([n for n in (1, 2, 4, 8) if n <= pes])),
        fifo_depth=draw(st.integers(1, 9)),
        window=draw(st.integers(1, 8)),
        acc_depth=draw(st.sampled_from([1, 2, 4, 8])),
        entry_depth=draw(st.sampled_from([16, 64, 256])),
        codebook_bits=draw(st.sampled_from([None, 1, 3])),
    )
    m, k = draw(st.tuples(st.integers(1, 60), st.integers(1, 32)))
    n = draw(st.sampled_from([1, 2, 7, 40, 200]))
    bits = arch.array.codebook_bits
    size = min((1 << bits) - 1, m * k) if bits else 100
    weight = (np.arange(m * k) % size + 1).astype(np.int8).reshape(m, k)
    return arch, GEMM.of(weight, np.ones((k, n), np.int8))


def count_or_refusal(arch, gemm):
    try:
        return csc.count(arch, gemm)
    except InputError as error:
        return str(error)


@given(shapes())
@settings(deadline=None, max_examples=120)
def test_shapes_alone_count_as_operands_without_a_zero(case):
    arch, gemm = case
    m, k, n = gemm.M, gemm.K, gemm.N
    expected = count_or_refusal(arch, gemm)
    assert count_or_refusal(arch, GEMM(m, k, n)) == expected
    assert count_or_refusal(arch, GEMM(m, k, n, weight=gemm.weight)) == expected
    assert count_or_refusal(arch, GEMM(m, k, n, matrix=gemm.act)) == expected


@given(cases())
@settings(deadline=None, max_examples=60)
def test_activations_alone_may_be_absent(case):
    arch, gemm = case
    many = 300  # groups enough for the state to come again
    full = GEMM.of(gemm.weight, np.ones((gemm.K, many), np.int8))
    assert csc.count(arch, GEMM(gemm.M, gemm.K, many, gemm.weight)) == csc.count(arch, full)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(InputError, match="fc1: K = 33: must be at most col_depth of csc_test, 32"):
        csc.count(design(), GEMM(4, 33, 4, name="fc1"))
    with pytest.raises(InputError, match="fc1: entries = 20: one row must fit entry_depth of"):
        csc.count(design(entry_depth=16), GEMM(4, 20, 4, name="fc1"))


def test_large_shapes_cost_nothing():
    arch = ArchConfig.read("csc_16x16_deep")
    counts = csc.count(arch, GEMM(4096, 25088, 10**8))
    # a tile of one local row, K + 1 pointers and K entries in both banks, for each 16 rows
    assert counts.causes["control"]["load"] == 256 * 2 * (25088 + 1 + 25088)
    assert counts.events["macs"] == 4096 * 25088 * 10**8


@given(
    st.sampled_from([(1, 3, 1), (2, 3, 2), (1, 2, 3)]),
    st.sampled_from([(3, 1, 1, 1), (3, 2, 1, 1), (2, 1, 0, 2), (1, 2, 0, 1), (1, 1, 0, 1)]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=80)
def test_ifmap_counts_as_its_unrolling(size, kernel, density, lanes, seed):
    (images, channels, seen), (taps, stride, padding, dilation) = size, kernel
    rng = np.random.default_rng(seed)
    conv = Conv(images, channels, 7, 9, taps, taps, stride, padding, dilation)
    every = rng.integers(1, 100, (images, channels + seen, 7, 9), dtype=np.int8)
    ifmap = (every * (rng.random(every.shape) < density))[:, seen:]  # of one group
    act = conv.unroll(ifmap)
    arch = design(lanes=lanes, acc_depth=8)
    weight = draw_gemm(rng, (9, len(act), 1), 0.4, 1.0).weight
    view = GEMM(9, *act.shape, weight, conv=conv, ifmap=ifmap)
    assert csc.count(arch, view) == csc.count(arch, GEMM.of(weight, act))


def test_ifmap_is_not_unrolled():
    conv = Conv(1, 64, 120, 120, 3, 3, 1, 1)
    ifmap = np.ones(conv.shape, np.int8)
    gemm = GEMM(16, 576, 120 * 120, np.ones((16, 576), np.int8), conv=conv, ifmap=ifmap)
    arch = ArchConfig.read("csc_16x4")
    csc.count(arch, gemm)  # compiled
    tracemalloc.start()
    csc.count(arch, gemm)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * ifmap.nbytes
