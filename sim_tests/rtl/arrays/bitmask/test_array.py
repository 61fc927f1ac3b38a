# amaranth: UnusedElaboratable=no
"""Bitmask array in the Amaranth simulator: values, cycles and events equal the model's."""

import numpy as np
import pytest
from harness.array_bench import assert_equal, chain, pause_factors

from hwsim.arrays.bitmask import array as bitmask
from hwsim.config import ArchConfig
from hwsim.formats.codes import levels
from hwsim.rtl.arrays.bitmask.array import Array
from hwsim.rtl.arrays.bitmask.layout import act_layout, command_layout, weight_layout
from hwsim.workload.gemm import GEMM

BASE = {
    "family": "bitmask",
    "pes": 4,
    "clusters": 2,
    "chunk": 8,
    "window": 4,
    "buffer_depth": 2,
    "load_pes": 2,
    "mask_depth": 16,
    "entry_depth": 64,
    "acc_depth": 4,
}
#: Designs that differ from BASE where the hardware does.
DESIGNS = {
    "base": {},
    "one_pe": {
        "pes": 1, "clusters": 1, "load_pes": 1, "buffer_depth": 1, "window": 1, "acc_depth": 1,
    },
    "one_cluster": {"pes": 3, "clusters": 1, "load_pes": 1, "buffer_depth": 3, "window": 8},
    "wide_chunk": {"chunk": 64, "window": 8, "mask_depth": 4, "load_pes": 1},
    "greedy": {"clusters": 1, "balance": "greedy", "buffer_depth": 4, "window": 2, "acc_banks": 8},
    "one_filter": {"acc_depth": 1, "acc_banks": 4, "pes": 6, "clusters": 3, "load_pes": 1},
    "one_psum_per_beat": {"drain_pes": 1, "chunk": 16, "mask_depth": 8},
    "narrow_ports": {"drain_pes": 2, "chunk": 32, "window": 1, "mask_depth": 4, "buffer_depth": 3},
    "smallest": {
        "pes": 1, "clusters": 1, "load_pes": 1, "buffer_depth": 1, "window": 8, "acc_depth": 1,
        "mask_depth": 1, "entry_depth": 8,
    },
}  # fmt: skip
FACTORS = pause_factors(seed=11)


def design(name="base", numbers=None, **changes):
    array = BASE | DESIGNS[name] | changes
    return ArchConfig.model_validate(
        {"name": "bitmask_test", "array": array, "numbers": numbers or {}}
    )


def draw_job(arch, seed, shape, weight_density, act_density):
    rng = np.random.default_rng(seed)
    m, k, n = shape
    k = min(k, arch.array.mask_depth * arch.array.chunk)
    half = 1 << (arch.numbers.act_width - 1)
    weight = rng.choice(levels(arch.numbers), (m, k)) * (rng.random((m, k)) < weight_density)
    act = rng.integers(-half, half, (k, n)) * (rng.random((k, n)) < act_density)
    return bitmask.compile(arch, GEMM.of(weight, act))


def draw_jobs(arch):
    """Several M tiles, one row, full and empty chunks, no weights, no activations."""
    cases = [
        ((19, 11, 5), 0.4, 0.5),
        ((1, 1, 1), 1.0, 1.0),
        ((5, 16, 2), 1.0, 1.0),
        ((6, 29, 7), 0.1, 0.2),
        ((4, 5, 3), 0.0, 0.5),
        ((3, 17, 7), 0.5, 0.0),
    ]
    return [draw_job(arch, seed, *case) for seed, case in enumerate(cases)]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("name", DESIGNS)
def test_equals_model(drive, name, factor):
    arch, pauses = design(name), FACTORS[factor]
    jobs = draw_jobs(arch)
    for run, job in zip(drive(arch, jobs, pauses), jobs, strict=True):
        assert_equal(run, bitmask.simulate(arch, job, pauses))


@pytest.mark.parametrize("factor", FACTORS)
def test_commands_that_wait_while_the_array_works(drive, factor):
    arch, pauses = design(), FACTORS[factor]
    job = chain(draw_jobs(arch))
    (run,) = drive(arch, [job], pauses)
    assert_equal(run, bitmask.simulate(arch, job, pauses))


@pytest.mark.parametrize(
    "numbers",
    [
        {"act_width": 2, "weight_width": 2, "psum_width": 4},
        {"act_width": 16, "weight_width": 3, "psum_width": 48},
        {"act_width": 8, "weight_width": 8, "psum_width": 16},
        {"act_width": 8, "weight_width": 16, "psum_width": 32},
        {"weight_code": "levels", "weight_width": 1},
        {"weight_code": "levels", "weight_width": 4},
        {"weight_code": "ternary", "weight_width": 2},
        {"weight_code": "pow2", "weight_width": 4},
    ],
)
def test_numbers(drive, numbers):
    arch = design(numbers=numbers)
    jobs = [draw_job(arch, 7, (9, 12, 4), 0.8, 0.9)]
    assert_equal(drive(arch, jobs)[0], bitmask.simulate(arch, jobs[0], {}))


@pytest.mark.parametrize("reset_at", [1, 9, 40, 60, 95])
def test_reset_in_mid_run_leaves_the_array_clean(drive, reset_at):
    arch = design()
    jobs = [draw_job(arch, 3, (8, 30, 6), 0.7, 0.8), draw_job(arch, 4, (5, 9, 3), 0.5, 0.5)]
    for run, job in zip(drive(arch, jobs, reset_at=reset_at), jobs, strict=True):
        assert_equal(run, bitmask.simulate(arch, job, {}))


@pytest.mark.parametrize("acc_banks", [2, 4])
def test_pixels_wait_for_their_bank(drive, acc_banks):
    """One pair per pixel and filter, and an ofmap stream that is seldom taken."""
    arch = design(acc_banks=acc_banks)
    job = bitmask.compile(arch, GEMM.of(np.arange(1, 7)[:, None], np.arange(1, 41)[None]))
    pauses = {"ofmap": np.arange(7) > 0}
    (run,) = drive(arch, [job], pauses)
    assert_equal(run, bitmask.simulate(arch, job, pauses))
    assert run.counts.causes["pe"]["drain"] > run.counts.causes["pe"]["mac"]
    assert (run.ofmap == np.outer(np.arange(1, 7), np.arange(1, 41))).all()


def test_layouts_name_the_fields_of_a_job():
    arch = design()
    inputs = draw_job(arch, 0, (3, 3, 3), 1.0, 1.0).inputs
    for stream, layout in (
        ("command", command_layout), ("weight", weight_layout), ("act", act_layout),
    ):  # fmt: skip
        assert list(inputs[stream]) == [name for name, _ in layout(arch)]


def test_another_family_is_refused():
    array = {"family": "dense", "dataflow": "os", "rows": 2, "cols": 2}
    arch = ArchConfig.model_validate({"name": "other", "array": array})
    with pytest.raises(TypeError, match="must be of family bitmask, not dense"):
        Array(arch)


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("changes", [{}, {"acc_banks": 4, "clusters": 1, "acc_depth": 1}], ids=str)
def test_sums_stay_from_one_command_to_the_next(drive, changes, factor):
    arch = design(mask_depth=4, entry_depth=16, carries=True, **changes)
    rng = np.random.default_rng(17)
    jobs = []
    for shape in ((6, 80, 7), (9, 33, 18), (3, 5, 3), (1, 57, 1)):
        m, k, n = shape
        weight = rng.integers(-128, 128, (m, k)) * (rng.random((m, k)) < 0.5)
        act = rng.integers(-128, 128, (k, n)) * (rng.random((k, n)) < 0.5)
        jobs.append(bitmask.compile(arch, GEMM.of(weight, act)))
    assert sum(int(job.inputs["command"]["keep"].sum()) for job in jobs) > 6
    job = chain(jobs)
    (run,) = drive(arch, [job], FACTORS[factor])
    assert_equal(run, bitmask.simulate(arch, job, FACTORS[factor]))
