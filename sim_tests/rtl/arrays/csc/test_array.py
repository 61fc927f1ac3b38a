# amaranth: UnusedElaboratable=no
"""Index-decoding array in the Amaranth simulator: values and cycles by cause equal the model's."""

import numpy as np
import pytest
from harness.array_bench import assert_equal, chain, pause_factors

from hwsim.arrays.csc import array as csc
from hwsim.config import ArchConfig
from hwsim.formats import project
from hwsim.formats.codes import levels
from hwsim.rtl.arrays.csc.array import Array
from hwsim.rtl.arrays.csc.layout import command_layout, entry_layout, weight_layout
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import act_levels

BASE = {
    "family": "csc",
    "pes": 4,
    "lanes": 2,
    "index_bits": 2,
    "fifo_depth": 2,
    "window": 4,
    "load_pes": 2,
    "col_depth": 32,
    "entry_depth": 64,
    "acc_depth": 4,
}
#: Designs that differ from BASE where the hardware does.
DESIGNS = {
    "base": {},
    "one_pe_one_lane": {
        "pes": 1, "lanes": 1, "load_pes": 1, "fifo_depth": 1, "window": 1, "acc_depth": 1,
        "col_depth": 16, "entry_depth": 16,
    },
    "odd_sizes": {"pes": 2, "lanes": 3, "load_pes": 1, "fifo_depth": 3, "window": 3},
    "wide_drain": {"pes": 2, "lanes": 6, "load_pes": 2, "drain_lanes": 3, "window": 2},
    "whole_drain": {"pes": 2, "lanes": 4, "load_pes": 1, "drain_lanes": 4, "acc_depth": 2},
    "narrow_drain": {"lanes": 4, "drain_lanes": 2, "drain_pes": 2},
    "deep_queue": {
        "pes": 8, "lanes": 1, "load_pes": 8, "fifo_depth": 8, "window": 8, "acc_depth": 2,
    },
    "smallest": {
        "pes": 1, "lanes": 1, "load_pes": 1, "fifo_depth": 1, "window": 1, "acc_depth": 1,
        "col_depth": 1, "entry_depth": 1, "index_bits": 1,
    },
}  # fmt: skip
FACTORS = pause_factors(seed=11)


def design(name="base", numbers=None, **changes):
    array = BASE | DESIGNS[name] | changes
    return ArchConfig.model_validate({"name": "csc_test", "array": array, "numbers": numbers or {}})


def draw_job(arch, seed, shape, weight_density, act_density):
    rng = np.random.default_rng(seed)
    numbers = arch.numbers
    m, k, n = shape
    k = min(k, arch.array.col_depth)

    def sparse(size, values, density):
        return rng.choice(values, size) * (rng.random(size) < density)

    weight = project(arch, sparse((m, k), levels(numbers), weight_density))
    return csc.compile(arch, GEMM.of(weight, sparse((k, n), act_levels(numbers), act_density)))


def draw_jobs(arch):
    """Several M tiles, one row, one pixel, a full matrix, no weights, no activations."""
    cases = [
        ((19, 11, 5), 0.4, 0.5),
        ((1, 1, 1), 1.0, 1.0),
        ((5, 13, 1), 1.0, 1.0),
        ((6, 9, 7), 0.1, 0.2),
        ((4, 5, 3), 0.0, 0.5),
        ((3, 7, 7), 0.5, 0.0),
    ]
    return [draw_job(arch, seed, *case) for seed, case in enumerate(cases)]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("name", DESIGNS)
def test_equals_model(drive, name, factor):
    arch, pauses = design(name), FACTORS[factor]
    jobs = draw_jobs(arch)
    for run, job in zip(drive(arch, jobs, pauses), jobs, strict=True):
        assert_equal(run, csc.simulate(arch, job, pauses))


@pytest.mark.parametrize("factor", FACTORS)
def test_commands_that_wait_while_the_array_works(drive, factor):
    arch, pauses = design(), FACTORS[factor]
    job = chain(draw_jobs(arch))
    (run,) = drive(arch, [job], pauses)
    assert_equal(run, csc.simulate(arch, job, pauses))


@pytest.mark.parametrize(
    "numbers",
    [
        {"act_width": 2, "weight_width": 2, "psum_width": 4},
        {"act_width": 16, "weight_width": 3, "psum_width": 48},
        {"act_width": 8, "weight_width": 8, "psum_width": 16},
    ],
)
def test_widths(drive, numbers):
    arch = design(numbers=numbers)
    jobs = [draw_job(arch, 7, (9, 12, 4), 0.8, 0.9)]
    assert_equal(drive(arch, jobs)[0], csc.simulate(arch, jobs[0], {}))


#: Weight codes, some with a table of shared weights.
CODES = {
    "levels": ({"weight_code": "levels", "weight_width": 4}, {}),
    "binary": ({"weight_code": "levels", "weight_width": 1}, {"index_bits": 1}),
    "ternary": ({"weight_code": "ternary", "weight_width": 2}, {}),
    "pow2": ({"weight_code": "pow2", "weight_width": 4}, {}),
    "codebook": ({"weight_width": 8}, {"codebook_bits": 3}),
    "wide_codebook": ({"weight_width": 16}, {"codebook_bits": 5, "col_depth": 16, "load_pes": 4}),
    "codebook_of_levels": ({"weight_code": "levels", "weight_width": 5}, {"codebook_bits": 2}),
    "codebook_of_pow2": ({"weight_code": "pow2", "weight_width": 4}, {"codebook_bits": 1}),
}


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("code", CODES)
def test_codes(drive, code, factor):
    numbers, array = CODES[code]
    arch, pauses = design(numbers=numbers, **array), FACTORS[factor]
    jobs = draw_jobs(arch)
    for run, job in zip(drive(arch, jobs, pauses), jobs, strict=True):
        assert_equal(run, csc.simulate(arch, job, pauses))


@pytest.mark.parametrize("code", CODES)
def test_long_gaps(drive, code):
    """Runs of zeros that need one padding entry and more, on one PE."""
    numbers, array = CODES[code]
    one_pe = {"pes": 1, "load_pes": 1, "acc_depth": 16, "index_bits": 2}
    arch = design(numbers=numbers, **(array | one_pe))
    weight = np.zeros((16, 3), np.int64)
    value = int(levels(arch.numbers)[0])
    weight[[2, 15], 0] = weight[[3, 4], 1] = weight[[0, 7, 14], 2] = value
    gemm = GEMM.of(weight, np.arange(1, 7).reshape(3, 2))
    job = csc.compile(arch, gemm)
    (run,) = drive(arch, [job])
    assert_equal(run, csc.simulate(arch, job, {}))
    assert (run.ofmap == gemm.weight @ gemm.act).all()
    assert run.counts.causes["pe"]["padding"] > 0


def test_most_negative_operands_wrap(drive):
    arch = design(numbers={"act_width": 8, "weight_width": 8, "psum_width": 16})
    job = csc.compile(arch, GEMM.of(np.full((5, 9), -128), np.full((9, 2), -128)))
    (run,) = drive(arch, [job])
    assert_equal(run, csc.simulate(arch, job, {}))
    assert (run.ofmap == 9 * 2**14 - 2 * 2**16).all()


def test_same_row_in_neighbouring_cycles(drive):
    """Columns of one entry, all of row 0: each addition needs the sum of the cycle before."""
    arch = design()
    job = csc.compile(arch, GEMM.of(np.arange(1, 17)[None], np.arange(1, 17)[:, None]))
    (run,) = drive(arch, [job])
    assert run.ofmap.tolist() == [[sum(i * i for i in range(1, 17))]]


def test_groups_wait_for_their_bank(drive):
    """Eight rows of two lanes take longer to drain than one column to compute."""
    arch = design()
    job = csc.compile(arch, GEMM.of(np.ones((16, 1), np.int8), np.ones((1, 12), np.int8)))
    (run,) = drive(arch, [job])
    assert_equal(run, csc.simulate(arch, job, {}))
    assert run.counts.causes["pe"]["drain"] > 0
    # once full, the drain has no bubble: six groups of four rows and two lanes
    assert run.counts.causes["control"]["drain"] <= 6 * 4 * 2 + 8


@pytest.mark.parametrize("cycles", [-50, 1, 40, 84, 120, 150])
def test_reset_in_mid_run_leaves_a_clean_array(drive, cycles):
    """Reset that many cycles after the load: most times with sums in the accumulators."""
    arch = design()
    job = draw_job(arch, 21, (16, 12, 8), 0.7, 0.7)
    expected = csc.simulate(arch, job, {})
    load = expected.counts.causes["control"]["load"]
    assert 0 < load + cycles < expected.counts.cycles
    (run,) = drive(arch, [job], reset_at=load + cycles)
    assert_equal(run, expected)


def test_dense_family_is_refused():
    with pytest.raises(TypeError, match="dense_8x8_ws must be of family csc, not dense"):
        Array(ArchConfig.read("dense_8x8_ws"))


def test_layouts_of_a_shipped_design():
    arch = ArchConfig.read("csc_16x4")
    assert [name for name, _ in command_layout(arch)] == [
        "weight_beats", "words", "groups", "rows", "beats", "tail"
    ]  # fmt: skip
    # four words of 13 bits, the pointers to 4096 entries; an entry has 8 + 4
    assert weight_layout(arch)["data"].shape.as_shape().width == 4 * 13


def test_layouts_with_a_codebook():
    arch = ArchConfig.read("csc_codebook_16x4")
    layout = weight_layout(arch)
    # pointers, entries of 4 + 4 bits, and weights; the pointer of 13 bits stays the widest
    assert layout["kind"].shape.width == 2
    assert layout["data"].shape.as_shape().width == 4 * 13
    assert entry_layout(4, 4).size == 4 + 4
    wide = design(numbers={"weight_width": 16}, codebook_bits=6, entry_depth=4, col_depth=1)
    assert weight_layout(wide)["data"].shape.as_shape().width == 2 * 16
    assert weight_layout(wide)["addr"].shape.width == 6


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("changes", [{}, {"acc_depth": 1, "lanes": 1, "col_depth": 8}], ids=str)
def test_sums_stay_from_one_command_to_the_next(drive, changes, factor):
    arch = design(col_depth=16, entry_depth=16, carries=True).array.model_dump() | changes
    arch = ArchConfig.model_validate({"name": "csc_test", "array": arch, "numbers": {}})
    rng = np.random.default_rng(17)
    jobs = []
    for shape in ((6, 40, 7), (9, 33, 18), (3, 5, 3), (1, 17, 1)):
        m, k, n = shape
        weight = rng.integers(-128, 128, (m, k)) * (rng.random((m, k)) < 0.6)
        act = rng.integers(-128, 128, (k, n)) * (rng.random((k, n)) < 0.5)
        jobs.append(csc.compile(arch, GEMM.of(weight, act)))
    assert sum(int(job.inputs["command"]["keep"].sum()) for job in jobs) > 6
    job = chain(jobs)
    (run,) = drive(arch, [job], FACTORS[factor])
    assert_equal(run, csc.simulate(arch, job, FACTORS[factor]))
