# amaranth: UnusedElaboratable=no
"""N:M arrays in the Amaranth simulator against the cycle-by-cycle model, values and causes."""

import numpy as np
import pytest
from harness.array_bench import assert_equal, chain, pause_factors
from harness.dense_cases import product
from harness.nm_cases import KINDS, NUMBERS, SHAPES, arch_of, gemm_of

from hwsim.arrays.nm import array as nm
from hwsim.workload.gemm import GEMM

DATAFLOWS = ["ws", "os"]


def check(drive, arch, jobs, pauses, **options):
    runs = drive(arch, jobs, pauses, **options)
    assert len(runs) == len(jobs)
    for run, job in zip(runs, jobs, strict=True):
        assert_equal(run, nm.simulate(arch, job, pauses))
    return runs


@pytest.mark.parametrize("factor", ["none", "source", "sink", "both"])
@pytest.mark.parametrize("kind", [(1, 2), (2, 4), (1, 4), (1, 1), (4, 4), (3, 4)], ids=str)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_equals_the_model(drive, dataflow, kind, factor):
    arch = arch_of(dataflow, 3, 2, *kind, mac_latency=1 + kind[1] % 3)
    rng = np.random.default_rng(5)
    gemms = [gemm_of(rng, arch, shape, 0.7) for shape in SHAPES]
    gemms = [gemm for gemm in gemms if gemm.weight.any()]
    runs = check(drive, arch, [nm.compile(arch, gemm) for gemm in gemms], pause_factors(6)[factor])
    for run, gemm in zip(runs, gemms, strict=True):
        assert (run.ofmap == product(arch, gemm)).all()


@pytest.mark.parametrize("kind", [(2, 4), (3, 8)], ids=str)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_the_sum_of_the_products_waits_in_a_register(drive, dataflow, kind):
    arch = arch_of(dataflow, 3, 2, *kind, mac_latency=4)
    rng = np.random.default_rng(15)
    gemms = [gemm_of(rng, arch, shape, 0.7) for shape in SHAPES]
    jobs = [nm.compile(arch, gemm) for gemm in gemms]
    for run, gemm in zip(check(drive, arch, jobs, pause_factors(16)["both"]), gemms, strict=True):
        assert (run.ofmap == product(arch, gemm)).all()


@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_every_code_and_binary_activations(drive, dataflow, numbers):
    arch = arch_of(dataflow, 2, 3, 2, 4, **numbers, psum_width=18)
    rng = np.random.default_rng(7)
    gemms = [gemm_of(rng, arch, shape) for shape in SHAPES]
    jobs = [nm.compile(arch, gemm) for gemm in gemms]
    runs = check(drive, arch, jobs, pause_factors(8)["both"])
    for run, gemm in zip(runs, gemms, strict=True):
        assert (run.ofmap == product(arch, gemm)).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind[1] > 4], ids=str)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_large_blocks(drive, dataflow, kind):
    arch = arch_of(dataflow, 2, 2, *kind)
    rng = np.random.default_rng(9)
    jobs = [nm.compile(arch, gemm_of(rng, arch, shape)) for shape in [(3, 37, 5), (1, 3, 2)]]
    check(drive, arch, jobs, pause_factors(10)["both"])


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_commands_follow_each_other(drive, dataflow):
    """Binary: where K ends belongs to the command of the fold being fed, not to the next."""
    numbers = {"weight_code": "levels", "weight_width": 1, "act_width": 1}
    arch = arch_of(dataflow, 2, 2, 2, 4, **numbers)
    rng = np.random.default_rng(11)
    gemms = [gemm_of(rng, arch, shape) for shape in SHAPES]
    chained = chain([nm.compile(arch, gemm) for gemm in gemms])
    expected = np.concatenate([product(arch, gemm).ravel() for gemm in gemms])
    for factor in ("none", "both"):
        for run in check(drive, arch, [chained, chained], pause_factors(12)[factor]):
            assert (run.ofmap.ravel() == expected).all()


@pytest.mark.parametrize("numbers", [{}, NUMBERS[3]], ids=str)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_sums_stay_from_one_command_to_the_next(drive, dataflow, numbers):
    """Binary: a block that K ends in is gated in the last command alone."""
    arch = arch_of(dataflow, 2, 3, 2, 4, mac_latency=2, carries=True, **numbers)
    rng = np.random.default_rng(19)
    shapes = [*SHAPES, *((1, int(rng.integers(9, 40)), int(rng.integers(1, 4))) for _ in range(4))]
    gemms = [gemm_of(rng, arch, shape) for shape in shapes]
    jobs = [nm.compile(arch, gemm) for gemm in gemms]
    assert sum(len(job.inputs["command"]["keep"]) == 2 for job in jobs) > 3
    for factor in ("none", "both"):
        runs = check(drive, arch, [*jobs, chain(jobs)], pause_factors(20)[factor])
        for run, gemm in zip(runs, gemms, strict=False):
            assert (run.ofmap == product(arch, gemm)).all()


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_narrowest_psum_wraps(drive, dataflow):
    arch = arch_of(dataflow, 2, 2, 4, 4, psum_width=16)
    gemm = GEMM.of(np.full((2, 5), -128), np.full((5, 2), -128))
    (run,) = drive(arch, [nm.compile(arch, gemm)])
    assert (run.ofmap == 5 * 16384 - 65536).all()


@pytest.mark.parametrize("reset_at", [1, 6, 14])
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_reset_leaves_the_array_clean(drive, dataflow, reset_at):
    arch = arch_of(dataflow, 3, 3, 2, 4)
    rng = np.random.default_rng(13)
    jobs = [nm.compile(arch, gemm_of(rng, arch, shape)) for shape in [(7, 30, 7), (2, 17, 3)]]
    check(drive, arch, jobs, {}, reset_at=reset_at)
