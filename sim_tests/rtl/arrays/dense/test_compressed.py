# amaranth: UnusedElaboratable=no
"""Dense array behind its decompressor in the Amaranth simulator, against the model."""

import numpy as np
import pytest
from amaranth.hdl import Fragment
from harness.array_bench import assert_equal, chain, pause_factors
from harness.dense_cases import SHAPES, bitmask_arch_of, product, pruned

from hwsim.arrays.dense import array as dense
from hwsim.rtl.arrays import build
from hwsim.rtl.arrays.dense.compressed import CompressedArray

#: Dataflow, rows, columns, weights of a word.
DESIGNS = [("ws", 1, 1, 1), ("ws", 4, 1, 4), ("ws", 3, 4, 4), ("os", 1, 3, 2), ("os", 4, 2, 8)]


def jobs_of(arch, seed, shapes=SHAPES):
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    jobs = [dense.compile(arch, pruned(rng, arch, shape)) for shape in shapes]
    return [job for job in jobs if job.transfers]


def check(drive, arch, jobs, pauses, **options):
    runs = drive(arch, jobs, pauses, **options)
    for run, job in zip(runs, jobs, strict=True):
        assert_equal(run, dense.simulate(arch, job, pauses))


def test_a_design_with_bitmask_weights_has_the_decompressor():
    component = build(bitmask_arch_of("ws", 2, 2))
    assert isinstance(component, CompressedArray)
    Fragment.get(component, None)  # what is built must be used


@pytest.mark.parametrize("factor", ["none", "source", "sink", "both"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_equals_the_model(drive, design, factor):
    dataflow, rows, cols, port = design
    arch = bitmask_arch_of(dataflow, rows, cols, 4, port=port)
    check(drive, arch, jobs_of(arch, 5), pause_factors(6)[factor])


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_commands_follow_each_other(drive, dataflow, factor):
    """Words of the next job are taken before its command."""
    arch = bitmask_arch_of(dataflow, 3, 2, 2)
    chained = chain(jobs_of(arch, 7))
    check(drive, arch, [chained, chained], pause_factors(8)[factor])


@pytest.mark.parametrize("factor", ["none", "both"])
@pytest.mark.parametrize("design", [(1, 1, 1, 1), (2, 2, 4, 2), (3, 4, 8, 4)], ids=str)
def test_sums_stay_from_one_command_to_the_next(drive, design, factor):
    *sizes, port = design
    arch = bitmask_arch_of("ws", *sizes, port=port, carries=True)
    jobs = jobs_of(arch, 17, [*SHAPES, (1, 19, 1), (1, 14, 1), (1, 7, 1)])
    assert any(len(job.inputs["command"]["keep"]) == 2 for job in jobs)
    check(drive, arch, [*jobs, chain(jobs)], pause_factors(18)[factor])


@pytest.mark.parametrize("seed", range(8))
def test_random_operands_numbers_and_pauses(drive, seed):
    rng = np.random.default_rng([9, seed])
    rows, cols = rng.integers(1, 6, 2).tolist()
    numbers = [
        {},
        {"weight_width": 2, "weight_code": "ternary"},
        {"weight_width": 3, "act_width": 1},
        {"weight_width": 4, "weight_code": "pow2"},
    ][seed % 4]
    port = 1 << int(rng.integers(0, 5))
    arch = bitmask_arch_of(["ws", "os"][seed // 4], rows, cols, 4, port=port, **numbers)
    shapes = [tuple(rng.integers(1, 14, 3).tolist()) for _ in range(4)]
    pauses = pause_factors(seed, int(rng.integers(2, 60)), 0.6)["both"]
    for pattern in pauses.values():
        pattern[0] = False
    check(drive, arch, jobs_of(arch, seed, shapes), pauses)


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_equals_the_product_and_the_fast_form(drive, dataflow):
    arch = bitmask_arch_of(dataflow, 3, 4, 4)
    gemm = pruned(np.random.default_rng(10), arch, (9, 11, 10))
    (run,) = drive(arch, [dense.compile(arch, gemm)])
    assert (run.ofmap == product(arch, gemm)).all()
    assert run.counts == dense.count(arch, gemm)


@pytest.mark.parametrize("reset_at", [0, 1, 2, 5, 9, 14, 22, 40])
@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_reset_leaves_the_array_clean(drive, dataflow, reset_at):
    arch = bitmask_arch_of(dataflow, 3, 3, 4)
    check(drive, arch, jobs_of(arch, 12, [(7, 7, 9), (2, 5, 3)]), {}, reset_at=reset_at)


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_starved_and_blocked_in_turn(drive, dataflow):
    """Words in one cycle of seven, a sink that opens in one of five."""
    arch = bitmask_arch_of(dataflow, 2, 2, 2)
    job = dense.compile(arch, pruned(np.random.default_rng(13), arch, (3, 5, 7)))
    pauses = {"weight": np.arange(7) != 6, "ofmap": np.arange(5) != 4}
    check(drive, arch, [job] * 2, pauses)
