# amaranth: UnusedElaboratable=no
"""Dense array behind its banks in the Amaranth simulator, against the cycle-by-cycle model."""

import numpy as np
import pytest
from amaranth.hdl import Fragment
from harness.array_bench import assert_equal, chain, pause_factors
from harness.dense_cases import SHAPES, gather_arch_of, gemm_of, product

from hwsim.arrays.dense import array as dense
from hwsim.rtl.arrays import build
from hwsim.rtl.arrays.dense.gather import GatherArray
from hwsim.workload.gemm import GEMM

DESIGNS = [(1, 1, 1), (1, 3, 4), (4, 1, 2), (2, 3, 4), (4, 3, 8)]


def jobs_of(arch, seed, shapes=SHAPES, keep=1.0):
    rng = np.random.default_rng(seed)
    jobs = [dense.compile(arch, gemm_of(rng, arch, shape, keep)) for shape in shapes]
    return [job for job in jobs if job.transfers]


def check(drive, arch, jobs, pauses, **options):
    runs = drive(arch, jobs, pauses, **options)
    for run, job in zip(runs, jobs, strict=True):
        assert_equal(run, dense.simulate(arch, job, pauses))


def test_a_design_with_banks_has_the_scratchpad():
    component = build(gather_arch_of(2, 2, 4))
    assert isinstance(component, GatherArray)
    Fragment.get(component, None)  # what is built must be used


@pytest.mark.parametrize("factor", ["none", "source", "sink", "both"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_equals_the_model(drive, design, factor):
    arch = gather_arch_of(*design, gather_depth=16)
    check(drive, arch, jobs_of(arch, 5), pause_factors(6)[factor])


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("design", [(3, 2, 4), (1, 2, 1)], ids=str)
def test_commands_follow_each_other(drive, design, factor):
    arch = gather_arch_of(*design, gather_depth=16)
    chained = chain(jobs_of(arch, 7))
    check(drive, arch, [chained, chained], pause_factors(8)[factor])


@pytest.mark.parametrize("seed", range(6))
def test_random_operands_pruning_and_pauses(drive, seed):
    rng = np.random.default_rng([9, seed])
    rows, cols = rng.integers(1, 5, 2).tolist()
    depth = 1 << int(rng.integers(0, 4))
    arch = gather_arch_of(rows, cols, depth, gather_depth=16, mac_latency=1 + seed % 3)
    shapes = [tuple(rng.integers(1, 14, 3).tolist()) for _ in range(4)]
    pauses = pause_factors(seed, int(rng.integers(2, 60)), 0.6)["both"]
    for pattern in pauses.values():
        pattern[0] = False
    check(drive, arch, jobs_of(arch, seed, shapes, keep=0.6), pauses)


def test_gathers_the_columns_that_are_kept(drive):
    arch = gather_arch_of(2, 2, 4, gather_depth=8)
    gemm = gemm_of(np.random.default_rng(10), arch, (5, 12, 9))
    gemm.weight[:, [1, 2, 3, 5, 7, 9, 10]] = 0  # banks keep 0 4 6 8 and 11
    (run,) = drive(arch, [dense.compile(arch, gemm)])
    assert (run.ofmap == product(arch, gemm)).all()
    assert run.counts == dense.count(arch, gemm)
    assert run.counts.causes["array"]["compute"] == 4 * 3 * 9


def test_a_full_scratchpad(drive):
    arch = gather_arch_of(2, 2, 4, gather_depth=4)
    gemm = gemm_of(np.random.default_rng(11), arch, (3, 8, 9))
    (run,) = drive(arch, [dense.compile(arch, gemm)])
    assert (run.ofmap == product(arch, gemm)).all()


@pytest.mark.parametrize("reset_at", [0, 1, 5, 9, 14, 22, 40])
def test_reset_leaves_the_array_clean(drive, reset_at):
    arch = gather_arch_of(3, 3, 4, gather_depth=8)
    check(drive, arch, jobs_of(arch, 12, [(7, 7, 9), (2, 5, 3)]), {}, reset_at=reset_at)


def test_starved_and_blocked_in_turn(drive):
    """Activations in one cycle of seven, a sink that opens in one of five."""
    arch = gather_arch_of(2, 2, 2, gather_depth=8)
    gemm = GEMM.of(np.full((3, 5), 3), np.arange(35).reshape(5, 7))
    pauses = {"act": np.arange(7) != 6, "ofmap": np.arange(5) != 4}
    check(drive, arch, [dense.compile(arch, gemm)] * 2, pauses)
