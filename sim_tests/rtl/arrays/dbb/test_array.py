# amaranth: UnusedElaboratable=no
"""Density-bound-block arrays in the Amaranth simulator against the cycle-by-cycle model."""

import numpy as np
import pytest
from harness.array_bench import assert_equal, chain, pause_factors
from harness.dbb_cases import KINDS, NUMBERS, SHAPES, arch_of, gemm_of
from harness.dense_cases import product

from hwsim.arrays.dbb import array as dbb
from hwsim.workload.gemm import GEMM


def check(drive, arch, gemms, pauses, **options):
    jobs = [dbb.compile(arch, gemm) for gemm in gemms]
    runs = drive(arch, jobs, pauses, **options)
    for run, job, gemm in zip(runs, jobs, gemms, strict=True):
        assert_equal(run, dbb.simulate(arch, job, pauses))
        assert (run.ofmap == product(arch, gemm)).all()
    return runs


@pytest.mark.parametrize("factor", ["none", "source", "sink", "both"])
@pytest.mark.parametrize("kind", [(1, 2), (2, 4), (1, 4), (3, 4), (2, 8)], ids=str)
def test_equals_the_model(drive, kind, factor):
    arch = arch_of(3, 2, *kind)
    rng = np.random.default_rng(5)
    densities = (0.0, 0.2, 0.5, 0.8, 1.0)
    gemms = [gemm_of(rng, arch, *case) for case in zip(SHAPES, densities, strict=True)]
    runs = check(drive, arch, gemms, pause_factors(6)[factor])
    if factor == "none":
        assert [run.counts for run in runs] == [dbb.count(arch, gemm) for gemm in gemms]


@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
@pytest.mark.parametrize("mac_latency", [2, 3, 4])
def test_every_code(drive, mac_latency, numbers):
    arch = arch_of(2, 3, 2, 4, mac_latency, **numbers)
    rng = np.random.default_rng(7)
    check(drive, arch, [gemm_of(rng, arch, shape) for shape in SHAPES], pause_factors(8)["both"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind[1] > 4], ids=str)
def test_large_blocks(drive, kind):
    arch = arch_of(2, 2, *kind)
    rng = np.random.default_rng(9)
    gemms = [gemm_of(rng, arch, shape) for shape in [(3, 37, 5), (1, 3, 2)]]
    check(drive, arch, gemms, pause_factors(10)["both"])


def test_commands_follow_each_other(drive):
    """The encoder takes the next command's blocks while the last ones of this are multiplied."""
    arch = arch_of(2, 2, 2, 4)
    rng = np.random.default_rng(11)
    gemms = [gemm_of(rng, arch, shape) for shape in SHAPES]
    chained = chain([dbb.compile(arch, gemm) for gemm in gemms])
    expected = np.concatenate([product(arch, gemm).ravel() for gemm in gemms])
    for factor in ("none", "both"):
        pauses = pause_factors(12)[factor]
        for run in drive(arch, [chained, chained], pauses):
            assert_equal(run, dbb.simulate(arch, chained, pauses))
            assert (run.ofmap.ravel() == expected).all()


def test_narrowest_psum_wraps(drive):
    arch = arch_of(2, 2, 3, 4, psum_width=16)
    gemm = GEMM.of(np.full((2, 5), -128), np.full((5, 2), -128))
    (run,) = drive(arch, [dbb.compile(arch, gemm)])
    assert (run.ofmap == 5 * 16384 - 65536).all()


@pytest.mark.parametrize("reset_at", [1, 2, 6, 14])
def test_reset_leaves_the_array_clean(drive, reset_at):
    arch = arch_of(3, 3, 2, 8, 2)
    rng = np.random.default_rng(13)
    gemms = [gemm_of(rng, arch, shape, 1.0) for shape in [(7, 30, 7), (2, 17, 3)]]
    check(drive, arch, gemms, {}, reset_at=reset_at)
