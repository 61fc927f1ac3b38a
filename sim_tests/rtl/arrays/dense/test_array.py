# amaranth: UnusedElaboratable=no
"""Dense arrays in the Amaranth simulator against the clock-by-clock model, values and causes."""

import numpy as np
import pytest
from harness.array_bench import assert_equal, chain, pause_factors
from harness.dense_cases import SHAPES, arch_of, gemm_of, product
from harness.nm_cases import NUMBERS

from hwsim.arrays.dense import array as dense
from hwsim.config import ArchConfig, NumberConfig
from hwsim.formats.codes import levels
from hwsim.rtl.arrays.dense.cell import DenseCell
from hwsim.rtl.arrays.systolic.accumulator import Accumulator
from hwsim.rtl.arrays.systolic.os_pe import OSPE
from hwsim.rtl.arrays.systolic.ws_pe import WSPE
from hwsim.rtl.blocks.fold_counter import FoldCounter
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
@pytest.mark.parametrize("design", [("ws", 3, 2, 4), ("ws", 1, 2, 1), ("os", 3, 2)], ids=str)
def test_commands_follow_each_other(drive, design, factor):
    arch = arch_of(*design)
    rng = np.random.default_rng(7)
    chained = chain([dense.compile(arch, gemm_of(rng, arch, shape)) for shape in SHAPES])
    check(drive, arch, [chained, chained], pause_factors(8)[factor])


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
def test_all_zero_weights_take_no_clock(drive, dataflow):
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
    arch = arch_of(dataflow, 3, 3, 4)
    rng = np.random.default_rng(12)
    jobs = [dense.compile(arch, gemm_of(rng, arch, shape)) for shape in [(7, 7, 7), (2, 5, 3)]]
    check(drive, arch, jobs, {}, reset_at=reset_at)


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_takes_nothing_while_an_offer_waits(drive, dataflow):
    """A sink that opens one clock in 20: every clock it is shut with an offer is ``ofmap``."""
    arch = arch_of(dataflow, 2, 2, 4)
    job = dense.compile(arch, gemm_of(np.random.default_rng(13), arch, (4, 4, 4)))
    check(drive, arch, [job, job], {"ofmap": np.arange(20) != 19})


def test_ws_pe_swaps_and_loads_in_one_clock(simulate):
    """The next fold's load may come with the swap: the old shadow becomes active."""
    dut = WSPE(DenseCell(NumberConfig()), 32)

    async def testbench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.load_in, 1)
        await ctx.tick()
        ctx.set(dut.shadow_in, 3)
        ctx.set(dut.swap_in, 1)
        await ctx.tick()
        assert ctx.get(dut.shadow) == 3
        ctx.set(dut.shadow_in, 0xF9)  # -7
        ctx.set(dut.load_in, 0)
        ctx.set(dut.swap_in, 0)
        ctx.set(dut.act_in, 5)
        await ctx.tick()
        assert ctx.get(dut.shadow) == 0xF9
        ctx.set(dut.psum_in, 100)
        await ctx.tick()
        assert ctx.get(dut.psum) == 100 + 5 * 3

    simulate(dut, testbench)


def test_os_pe_drains_while_it_accumulates(simulate):
    dut = OSPE(DenseCell(NumberConfig()), 32)

    async def put(ctx, weight, act, **flags):
        ctx.set(dut.weight_in, weight & 0xFF)
        ctx.set(dut.act_in, act)
        ctx.set(dut.mac_in, 1)
        ctx.set(dut.first_in, flags.get("first", 0))
        ctx.set(dut.last_in, flags.get("last", 0))
        await ctx.tick()

    async def testbench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.drain_in, 99)
        await put(ctx, 2, 3, first=1)
        await put(ctx, -4, 5, last=1)
        await put(ctx, 7, 7, first=1)
        assert ctx.get(dut.drain) == 2 * 3 - 4 * 5
        await put(ctx, 1, 1, last=1)
        assert ctx.get(dut.drain) == 2 * 3 - 4 * 5
        ctx.set(dut.mac_in, 0)
        ctx.set(dut.last_in, 0)
        ctx.set(dut.shift_in, 1)
        await ctx.tick()
        assert ctx.get(dut.drain) == 7 * 7 + 1
        await ctx.tick()
        assert ctx.get(dut.drain) == 99

    simulate(dut, testbench)


def test_counter_walks_the_nest(simulate):
    dut = FoldCounter(3, 4)
    seen = []

    async def testbench(ctx):
        ctx.set(dut.bounds, [2, 1, 3])
        ctx.set(dut.step, 1)
        for _ in range(7):
            seen.append((ctx.get(dut.first), ctx.get(dut.last), ctx.get(dut.done)))
            await ctx.tick()

    simulate(dut, testbench)
    assert seen == [
        (0b111, 0b010, 0),
        (0b110, 0b011, 0),
        (0b011, 0b010, 0),
        (0b010, 0b011, 0),
        (0b011, 0b110, 0),
        (0b010, 0b111, 1),
        (0b111, 0b010, 0),
    ]


def test_refuses_wrong_parameters():
    with pytest.raises(ValueError, match="levels must be at least 1, not 0"):
        FoldCounter(0, 4)
    with pytest.raises(ValueError, match="delay must be at least 2, not 1"):
        Accumulator(arch_of("ws", 1, 1), delay=1)
    with pytest.raises(
        TypeError, match="csc_64x1 must be of family dense or nm or pattern"
    ):
        Accumulator(ArchConfig.read("csc_64x1"), delay=2)
