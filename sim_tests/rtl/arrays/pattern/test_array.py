# amaranth: UnusedElaboratable=no
"""Pattern arrays in the Amaranth simulator against the cycle-by-cycle model, values and causes."""

import numpy as np
import pytest
from harness.array_bench import assert_equal, chain, pause_factors
from harness.pattern_cases import CONVS, arch_of, conv_gemm, gemm_of, product

from hwsim.arrays.pattern import array as pattern
from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM

DESIGNS = [(1, 3, 8, 4), (2, 3, 8, 8)]
#: Matrix products among the 3x3 layers: smallest, K short of a block, several folds and tiles.
PRODUCTS = [(1, 1, 1), (5, 7, 3), (4, 35, 9)]
NUMBERS = {
    "narrow": {"act_width": 2, "weight_width": 2, "psum_width": 16},
    "wide": {"act_width": 16, "weight_width": 8, "psum_width": 48},
    "levels": {"weight_width": 4, "weight_code": "levels"},
    "binary": {"weight_width": 1, "weight_code": "levels"},
    "ternary": {"weight_width": 2, "weight_code": "ternary"},
    "pow2": {"weight_width": 2, "weight_code": "pow2"},
}


def check(drive, arch, jobs, pauses, **options):
    runs = drive(arch, jobs, pauses, **options)
    assert len(runs) == len(jobs)
    for run, job in zip(runs, jobs, strict=True):
        assert_equal(run, pattern.simulate(arch, job, pauses))


def jobs_of(arch, seed, convs=CONVS, products=PRODUCTS):
    rng = np.random.default_rng(seed)
    gemms = [conv_gemm(rng, arch, shape) for shape in convs]
    gemms += [gemm_of(rng, arch, shape) for shape in products]
    order = rng.permutation(len(gemms))
    return [job for job in (pattern.compile(arch, gemms[i]) for i in order) if job.transfers]


@pytest.mark.parametrize("factor", ["none", "source", "sink", "both"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_equals_the_model(drive, design, factor):
    arch = arch_of(*design)
    check(drive, arch, jobs_of(arch, 5), pause_factors(6)[factor])


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("design", [(1, 3, 8, 8), (2, 4, 8, 8)], ids=str)
def test_sums_stay_from_one_command_to_the_next(drive, design, factor):
    arch = arch_of(*design, carries=True)
    jobs = jobs_of(arch, 17)
    assert any(job.inputs["command"]["keep"].any() for job in jobs)
    check(drive, arch, [*jobs, chain(jobs)], pause_factors(18)[factor])


@pytest.mark.parametrize("design", [(1, 1, 8, 8), (3, 1, 16, 8), (4, 3, 16, 16)], ids=str)
def test_other_sizes(drive, design):
    arch = arch_of(*design)
    jobs = jobs_of(arch, 7, CONVS[:5], PRODUCTS)
    check(drive, arch, jobs, pause_factors(8)["both"])


@pytest.mark.parametrize("numbers", NUMBERS)
def test_codes_and_widths(drive, numbers):
    arch = arch_of(2, 2, patterns=3, **NUMBERS[numbers])
    rng = np.random.default_rng(9)
    gemms = [conv_gemm(rng, arch, shape, 0.6) for shape in CONVS[2:4]]
    gemms.append(gemm_of(rng, arch, (3, 16, 4)))
    if arch.numbers.weight_code != "levels":
        gemms = [GEMM.of(np.sign(g.weight), g.act, g.name, g.conv) for g in gemms]
    jobs = [pattern.compile(arch, gemm) for gemm in gemms]
    runs = drive(arch, jobs, pause_factors(10)["both"])
    for run, gemm in zip(runs, gemms, strict=True):
        assert (run.ofmap == product(arch, gemm)).all()
    check(drive, arch, jobs, {})


@pytest.mark.parametrize("seed", range(4))
def test_random_designs_and_shapes(drive, seed):
    rng = np.random.default_rng([11, seed])
    rows, cols = rng.integers(1, 5, 2).tolist()
    depth, patterns = 1 << int(rng.integers(0, 5)), int(rng.integers(1, 17))
    arch = arch_of(rows, cols, depth, 4, patterns, 1 + seed % 4)
    shape = (*rng.integers(1, [9, 3, 9]).tolist(), *rng.integers(3, 7, 2).tolist(), seed % 2 + 1, 1)
    jobs = [pattern.compile(arch, conv_gemm(rng, arch, shape, 1.0))]
    jobs += [pattern.compile(arch, gemm_of(rng, arch, tuple(rng.integers(1, 14, 3)), 1.0))]
    pauses = pause_factors(seed, int(rng.integers(2, 60)), 0.6)["both"]
    for stream in pauses:
        pauses[stream][0] = False
    check(drive, arch, jobs, pauses)


@pytest.mark.parametrize("factor", ["none", "both"])
def test_commands_follow_each_other(drive, factor):
    """Libraries are written and weights loaded while the last job's partial sums drain."""
    arch = arch_of(3, 2)
    check(drive, arch, [chain(jobs_of(arch, 12))], pause_factors(13)[factor])


@pytest.mark.parametrize("reset_at", [0, 1, 2, 5, 9, 14, 22, 40])
def test_reset_leaves_the_array_clean(drive, reset_at):
    arch = arch_of(3, 3)
    jobs = jobs_of(arch, 14, CONVS[2:3], PRODUCTS[1:2])
    check(drive, arch, jobs, {}, reset_at=reset_at)


def test_narrowest_psum_wraps(drive):
    arch = arch_of(2, 2, psum_width=16)
    gemm = GEMM.of(np.full((2, 9), -128), np.full((9, 2), -128))
    (run,) = drive(arch, [pattern.compile(arch, gemm)])
    assert (run.ofmap == product(arch, gemm)).all()


def test_all_zero_weights_take_no_cycle(drive):
    arch = arch_of(2, 2)
    rng = np.random.default_rng(15)
    nothing = conv_gemm(rng, arch, CONVS[2], 0.0)
    jobs = [pattern.compile(arch, gemm) for gemm in (nothing, conv_gemm(rng, arch, CONVS[1], 1.0))]
    check(drive, arch, jobs, {})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("line_depth", 12, "line_depth must be a power of two, not 12"),
        ("patterns", 17, "patterns = 17"),
        ("acc_depth", None, "acc_depth must be given"),
        ("dataflow", "os", "dataflow"),
    ],
)
def test_refuses_wrong_keys(key, value, message):
    array = {"family": "pattern", "rows": 1, "cols": 1, "acc_depth": 4, "line_depth": 4}
    array = {k: v for k, v in (array | {key: value}).items() if v is not None}
    with pytest.raises(InputError, match=message):
        parse(ArchConfig, {"name": "dut", "array": array}, "test")


def test_binary_activations_are_for_others():
    with pytest.raises(InputError, match="act_width must be at least 2 for family pattern"):
        arch_of(1, 1, act_width=1)
