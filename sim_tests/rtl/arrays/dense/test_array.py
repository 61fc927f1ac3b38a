# amaranth: UnusedElaboratable=no
"""Dense arrays in the Amaranth simulator against the cycle-by-cycle model, values and causes."""

import numpy as np
import pytest
from harness.array_bench import assert_equal, chain, pause_factors
from harness.dense_cases import SHAPES, arch_of, gemm_of, product, punched
from harness.nm_cases import NUMBERS

from hwsim.arrays.dense import array as dense
from hwsim.formats.codes import levels
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import act_levels

DESIGNS = [
    ("ws", 1, 1, 1),
    ("ws", 1, 4, 4),
    ("ws", 4, 1, 2),
    ("ws", 2, 3, 4),
    ("ws", 4, 3, 8),
    ("os", 1, 1),
    ("os", 1, 4),
    ("os", 4, 1),
    ("os", 2, 3),
    ("os", 4, 3),
    *(("ws", 3, 2, 4, latency) for latency in (2, 3)),
    *(("os", 3, 2, 1, latency) for latency in (2, 3)),
]


def check(drive, arch, jobs, pauses, **options):
    runs = drive(arch, jobs, pauses, **options)
    assert len(runs) == len(jobs)
    for run, job in zip(runs, jobs, strict=True):
        assert_equal(run, dense.simulate(arch, job, pauses))


@pytest.mark.parametrize("factor", ["none", "source", "sink", "both"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_equals_the_model(drive, design, factor):
    arch = arch_of(*design)
    rng = np.random.default_rng(5)
    jobs = [dense.compile(arch, gemm_of(rng, arch, shape)) for shape in SHAPES]
    check(drive, arch, jobs, pause_factors(6)[factor])


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize(
    "design", [("ws", 3, 2, 4), ("ws", 1, 2, 1), ("os", 3, 2), ("os", 3, 2, 1, 3)], ids=str
)
def test_commands_follow_each_other(drive, design, factor):
    arch = arch_of(*design)
    rng = np.random.default_rng(7)
    chained = chain([dense.compile(arch, gemm_of(rng, arch, shape)) for shape in SHAPES])
    check(drive, arch, [chained, chained], pause_factors(8)[factor])


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("design", [(1, 1, 1), (1, 3, 4), (2, 2, 4, 2), (4, 3, 8, 3)], ids=str)
@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_sums_stay_from_one_command_to_the_next(drive, dataflow, design, factor):
    arch = arch_of(dataflow, *design, carries=True)
    rng = np.random.default_rng(17)
    shapes = [*SHAPES, *((1, int(rng.integers(2, 20)), int(rng.integers(1, 5))) for _ in range(6))]
    jobs = [dense.compile(arch, gemm_of(rng, arch, shape)) for shape in shapes]
    assert any(len(job.inputs["command"]["keep"]) == 2 for job in jobs)
    check(drive, arch, [*jobs, chain(jobs)], pause_factors(18)[factor])


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("design", [(1, 2, 1), (2, 2, 4, 2), (4, 3, 8, 3)], ids=str)
@pytest.mark.parametrize("carries", [False, True])
def test_folds_with_lists_of_their_own(drive, design, carries, factor):
    arch = arch_of("ws", *design, carries=carries, fold_lists=True)
    rng = np.random.default_rng(21)
    shapes = [(int(rng.integers(7, 16)), int(rng.integers(4, 20)), int(rng.integers(1, 7)))
              for _ in range(6)]  # fmt: skip
    jobs = [dense.compile(arch, punched(rng, arch, shape)) for shape in shapes]
    assert any(len(job.inputs["command"]["k_folds"]) > 2 for job in jobs)
    check(drive, arch, [*jobs, chain(jobs)], pause_factors(22)[factor])


@pytest.mark.parametrize("dataflow", ["ws", "os"])
@pytest.mark.parametrize("seed", range(6))
def test_random_operands_and_pauses(drive, dataflow, seed):
    rng = np.random.default_rng([9, seed])
    rows, cols = rng.integers(1, 5, 2).tolist()
    arch = arch_of(
        dataflow,
        rows,
        cols,
        1 << int(rng.integers(0, 4)),
        1 + seed % 3,
        act_width=int(rng.integers(2, 17)),
        weight_width=int(rng.integers(2, 9)),
        psum_width=int(rng.integers(25, 49)),
    )
    gemms = [gemm_of(rng, arch, tuple(rng.integers(1, 14, 3).tolist()), 0.8) for _ in range(3)]
    jobs = [job for job in (dense.compile(arch, g) for g in gemms) if job.transfers]
    pauses = pause_factors(seed, int(rng.integers(2, 60)), 0.6)["both"]
    pauses["command"][0] = pauses["weight"][0] = pauses["act"][0] = pauses["ofmap"][0] = False
    check(drive, arch, jobs, pauses)


@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_every_code_and_binary_activations(drive, dataflow, numbers):
    """Rows beyond K hold whatever code 0 stands for: what they multiply must be 0."""
    arch = arch_of(dataflow, 3, 2, 4, **numbers, psum_width=18)
    rng = np.random.default_rng(15)
    values = levels(arch.numbers)
    gemms = [
        GEMM.of(
            rng.choice(values[values != 0], shape[:2]),
            rng.choice(act_levels(arch.numbers), shape[1:]),
        )
        for shape in SHAPES
    ]
    jobs = [dense.compile(arch, gemm) for gemm in gemms]
    for factor in ("none", "both"):
        check(drive, arch, jobs, pause_factors(16)[factor])
    for run, gemm in zip(drive(arch, jobs), gemms, strict=True):
        assert (run.ofmap == product(arch, gemm)).all()


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_removed_rows_and_columns(drive, dataflow):
    arch = arch_of(dataflow, 2, 2, 4)
    gemm = gemm_of(np.random.default_rng(10), arch, (7, 6, 5))
    gemm.weight[[0, 3, 6]] = 0
    gemm.weight[:, [1, 2]] = 0
    (run,) = drive(arch, [dense.compile(arch, gemm)])
    assert (run.ofmap == product(arch, gemm)).all()
    assert run.counts == dense.count(arch, gemm)


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_all_zero_weights_take_no_cycle(drive, dataflow):
    arch = arch_of(dataflow, 2, 2, 4)
    gemms = [
        GEMM.of(np.zeros((3, 3), np.int8), np.ones((3, 2), np.int8)),
        gemm_of(np.random.default_rng(11), arch, (3, 3, 2)),
    ]
    check(drive, arch, [dense.compile(arch, gemm) for gemm in gemms], {})


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_narrowest_psum_wraps(drive, dataflow):
    arch = arch_of(dataflow, 2, 2, 4, psum_width=16)
    gemm = GEMM.of(np.full((2, 5), -128), np.full((5, 2), -128))
    (run,) = drive(arch, [dense.compile(arch, gemm)])
    assert (run.ofmap == 5 * 16384 - 65536).all()


@pytest.mark.parametrize("reset_at", [0, 1, 3, 6, 9, 14, 22])
@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_reset_leaves_the_array_clean(drive, dataflow, reset_at):
    arch = arch_of(dataflow, 3, 3, 4, 1 + reset_at % 3)
    rng = np.random.default_rng(12)
    jobs = [dense.compile(arch, gemm_of(rng, arch, shape)) for shape in [(7, 7, 7), (2, 5, 3)]]
    check(drive, arch, jobs, {}, reset_at=reset_at)


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_takes_nothing_while_an_offer_waits(drive, dataflow):
    """A sink that opens one cycle in 20: a cycle in which it is shut with an offer is ``ofmap``."""
    arch = arch_of(dataflow, 2, 2, 4)
    job = dense.compile(arch, gemm_of(np.random.default_rng(13), arch, (4, 4, 4)))
    check(drive, arch, [job, job], {"ofmap": np.arange(20) != 19})
