"""Bitmask array: cycle-by-cycle model, fast exact form, compiler."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.base import array_model
from hwsim.arrays.bitmask import array as bitmask
from hwsim.arrays.bitmask.compile import tiles
from hwsim.arrays.bitmask.masks import column_masks
from hwsim.arrays.bitmask.recurrence import Shape, recur, recur_alike
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import wrap
from hwsim.formats.codes import levels
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM

BASE = {
    "family": "bitmask",
    "pes": 4,
    "chunk": 8,
    "window": 4,
    "mask_depth": 16,
    "entry_depth": 256,
    "acc_depth": 8,
}


def design(numbers=None, **changes):
    return ArchConfig.model_validate(
        {"name": "bitmask_test", "array": BASE | changes, "numbers": numbers or {}}
    )


def draw_gemm(rng, arch, shape, weight_density, act_density):
    m, k, n = shape
    half = 1 << (arch.numbers.act_width - 1)
    weight = rng.choice(levels(arch.numbers), (m, k)) * (rng.random((m, k)) < weight_density)
    act = rng.integers(-half, half, (k, n)) * (rng.random((k, n)) < act_density)
    return GEMM.of(weight, act)


def product(arch, gemm):
    exact = gemm.weight.astype(np.int64) @ gemm.act.astype(np.int64)
    return wrap(exact, arch.numbers.psum_width)


@st.composite
def cases(draw):
    clusters = draw(st.sampled_from([1, 2, 4]))
    local = draw(st.sampled_from([1, 2, 3, 4]))
    chunk = draw(st.sampled_from([8, 16, 32, 64, 128]))
    arch = design(
        pes=clusters * local,
        clusters=clusters,
        load_pes=draw(st.sampled_from([1, local])),
        chunk=chunk,
        window=draw(st.sampled_from([1, 2, 8])),
        buffer_depth=draw(st.sampled_from([1, 2, 3, 8])),
        acc_depth=draw(st.sampled_from([1, 2, 8])),
        acc_banks=draw(st.sampled_from([2, 4])),
        drain_pes=draw(st.sampled_from([None, 1, local])),
        balance=draw(st.sampled_from(["none", "greedy"])),
        numbers={
            "weight_code": "levels",
            "weight_width": draw(st.sampled_from([1, 4])),
            "act_width": draw(st.sampled_from([2, 5, 8])),
        },
    )
    density = st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    most = min(3 * chunk, 150)
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, most), st.integers(1, 10)))
    return arch, draw_gemm(rng, arch, shape, draw(density), draw(density))


@given(cases())
@settings(deadline=None, max_examples=120)
def test_fast_form_equals_cycle_by_cycle(case):
    arch, gemm = case
    run = bitmask.simulate(arch, bitmask.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()
    assert bitmask.count(arch, gemm) == run.counts


@given(cases(), st.integers(0, 2**32 - 1), st.floats(0, 0.9))
@settings(deadline=None, max_examples=30)
def test_pauses_change_no_value_and_no_event_and_every_cycle_has_a_cause(case, seed, probability):
    arch, gemm = case
    rng = np.random.default_rng(seed)
    streams = ("command", "weight", "act", "ofmap")
    pauses = {stream: np.append(rng.random(60) < probability, False) for stream in streams}
    run = bitmask.simulate(arch, bitmask.compile(arch, gemm), pauses)
    assert (run.ofmap == product(arch, gemm)).all()
    control, pe = run.counts.causes["control"], run.counts.causes["pe"]
    assert sum(control.values()) == run.counts.cycles
    assert sum(pe.values()) == arch.array.pes * run.counts.cycles
    unpaused = bitmask.count(arch, gemm)
    assert run.counts.events == unpaused.events
    for cause in ("load", "broadcast"):
        assert control[cause] == unpaused.causes["control"][cause]
    for cause in ("mac", "empty"):
        assert pe[cause] == unpaused.causes["pe"][cause]


def test_every_pair_is_a_cycle_and_an_empty_chunk_is_one():
    arch = design(pes=1, acc_depth=1)
    weight = np.zeros((1, 32), np.int8)
    act = np.zeros((32, 1), np.int8)
    weight[0, [0, 1, 2, 9, 24, 31]] = 3
    act[[1, 2, 5, 10, 24, 31]] = 5
    counts = bitmask.count(arch, GEMM.of(weight, act))
    assert counts.causes["pe"]["mac"] == 4
    # chunk 1 has weights and activations but no common position, chunk 2 has neither
    assert counts.causes["pe"]["empty"] == 2


def test_pairs_of_a_dense_product_are_its_macs():
    arch = design(clusters=2)
    gemm = GEMM.of(np.ones((4, 20), np.int8), np.ones((20, 6), np.int8))
    counts = bitmask.count(arch, gemm)
    assert counts.causes["pe"]["mac"] == gemm.macs
    assert counts.causes["pe"]["empty"] == 0


def test_load_is_masks_and_the_longest_memory_of_each_bank():
    arch = design(load_pes=2)
    weight = np.zeros((8, 10), np.int8)
    weight[0, :5] = weight[1, :3] = weight[3] = 1
    counts = bitmask.count(arch, GEMM.of(weight, np.ones((10, 1), np.int8)))
    # 2 banks of 2 filters and 2 chunks, a byte each; 5 values and 10 values
    assert counts.causes["control"]["load"] == 2 * 2 * 2 + 5 + 10


def test_activations_come_packed():
    arch = design(clusters=2, window=2)
    act = np.zeros((16, 2), np.int64)
    act[[1, 3, 6], 0] = 1, 2, 3
    act[[7, 9], 1] = 4, 5
    beats = bitmask.compile(arch, GEMM.of(np.ones((1, 16), np.int8), act)).inputs["act"]
    assert beats["last"].tolist() == [0, 0, 1, 0, 1]
    assert beats["data"].tolist() == [
        [[0b1001010, 0], [0b10000000, 0]],  # masks of both pixels, then their values
        [[1, 2], [4, 0]],
        [[3, 0], [0, 0]],
        [[0, 0], [0b10, 0]],
        [[0, 0], [5, 0]],
    ]


def test_a_mask_takes_as_many_beats_as_it_fills():
    act = np.zeros((32, 1), np.int64)
    act[[0, 9, 31], 0] = -1, 1, 2
    arch = design(chunk=32, window=2, numbers={"act_width": 5})
    beats = bitmask.compile(arch, GEMM.of(np.ones((1, 32), np.int8), act)).inputs["act"]
    masks = [[1, 16], [0, 0], [0, 0], [2, 0]]  # words of 5 bits
    assert beats["data"][:, 0].tolist() == [*masks, [31, 1], [2, 0]]
    empty = bitmask.compile(arch, GEMM.of(np.ones((1, 32), np.int8), 0 * act)).inputs["act"]
    assert empty["last"].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("drain_pes", [1, 2, 4])
def test_partial_sums_leave_a_few_pes_at_a_time(drain_pes):
    arch = design(clusters=2, drain_pes=drain_pes)
    gemm = draw_gemm(np.random.default_rng(1), arch, (5, 20, 4), 0.5, 0.5)
    job = bitmask.compile(arch, gemm)
    # 2 groups of 2 pixels, 3 local filters; the last PE has no third one
    assert job.ofmap_index.shape == (2 * (-(-11 // drain_pes)), drain_pes)
    run = bitmask.simulate(arch, job, {})
    assert (run.ofmap == product(arch, gemm)).all()
    assert bitmask.count(arch, gemm) == run.counts


def test_greedy_balancing_evens_out_the_work():
    rng = np.random.default_rng(6)
    density = np.linspace(0.05, 0.9, 16)[rng.permutation(16)]
    weight = (rng.random((16, 64)) < density[:, None]).astype(np.int8)
    archs = [design(balance=balance, mask_depth=64) for balance in ("none", "greedy")]
    none, greedy = (next(tiles(arch, weight, "layer")) for arch in archs)
    assert sorted(greedy.filters.reshape(-1).tolist()) == list(range(16))
    assert greedy.sizes.sum() == none.sizes.sum()
    assert np.ptp(greedy.sizes) <= 10 < 30 < np.ptp(none.sizes)
    gemm = GEMM.of(weight, np.ones((64, 12), np.int8))
    cycles = [bitmask.count(arch, gemm).cycles for arch in archs]
    assert cycles[1] < cycles[0]


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({}, [4, 4, 2]),
        ({"acc_depth": 2}, [2, 2, 2, 2, 2]),
        ({"acc_depth": 16, "mask_depth": 4}, [2, 2, 2, 2, 2]),
        ({"acc_depth": 16, "entry_depth": 64}, [4, 4, 2]),
        ({"acc_depth": 16}, [8, 2]),
    ],
)
@pytest.mark.parametrize("balance", ["none", "greedy"])
def test_tiles_fill_accumulators_or_memories(changes, rows, balance):
    arch = design(**({"acc_depth": 4} | changes), balance=balance)
    parts = list(tiles(arch, np.ones((40, 16), np.int8), "layer"))
    assert [tile.rows for tile in parts] == rows
    dealt = np.concatenate([tile.filters.reshape(-1) for tile in parts])
    assert sorted(dealt[dealt >= 0].tolist()) == list(range(40))


def test_tiles_add_up():
    arch = design(acc_depth=1)
    gemm = draw_gemm(np.random.default_rng(9), arch, (12, 20, 6), 0.5, 0.5)
    parts = [GEMM.of(gemm.weight[m : m + 4], gemm.act) for m in range(0, 12, 4)]
    total = sum((bitmask.count(arch, part) for part in parts), Counts(0))
    assert bitmask.count(arch, gemm) == total


def test_moving_the_origin_of_time_changes_nothing():
    rng = np.random.default_rng(5)
    act = column_masks(rng.random((40, 60)) < 0.6, 8, 0)
    filters = column_masks(rng.random((40, 12)) < 0.5, 8, 0)
    weight = np.ascontiguousarray(filters.reshape(5, 1, 3, 4).transpose(0, 2, 1, 3))
    near, far = (
        recur(act, weight, 2 * len(weight[0]), Shape(2, 2, 1, 2, 4, far)) for far in (50, 1 << 29)
    )
    assert (near == far).all()
    near, far = (
        recur_alike(act[:, :, :4], 1000, weight, 2 * len(weight[0]), Shape(2, 2, 1, 2, 4, far))
        for far in (50, 1 << 29)
    )
    assert (near == far).all()


@st.composite
def shapes(draw):
    """Designs with weights and activations without a zero."""
    clusters = draw(st.sampled_from([1, 2, 3, 4]))
    local = draw(st.sampled_from([1, 2, 3, 4]))
    chunk = draw(st.sampled_from([8, 16, 32, 64, 128]))
    arch = design(
        pes=clusters * local,
        clusters=clusters,
        load_pes=draw(st.sampled_from([1, local])),
        chunk=chunk,
        window=draw(st.sampled_from([1, 2, 8])),
        buffer_depth=draw(st.integers(1, 9)),
        mask_depth=draw(st.sampled_from([4, 16])),
        entry_depth=draw(st.sampled_from([32, 128, 512])),
        acc_depth=draw(st.sampled_from([1, 2, 8])),
        acc_banks=draw(st.sampled_from([2, 4, 8])),
        balance=draw(st.sampled_from(["none", "greedy"])),
    )
    m, k = draw(st.tuples(st.integers(1, 60), st.integers(1, min(4 * chunk, 150))))
    n = draw(st.sampled_from([1, 2, 7, 40, 200, 801]))
    return arch, GEMM.of(np.ones((m, k), np.int8), np.ones((k, n), np.int8))


def count_or_refusal(arch, gemm):
    try:
        return bitmask.count(arch, gemm)
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
def test_one_operand_may_be_absent(case):
    arch, gemm = case
    many = 300  # groups enough for the state to come again
    full = GEMM.of(gemm.weight, np.ones((gemm.K, many), np.int8))
    assert bitmask.count(arch, GEMM(gemm.M, gemm.K, many, gemm.weight)) == bitmask.count(arch, full)
    full = GEMM.of(np.ones_like(gemm.weight), gemm.act)
    absent = GEMM(gemm.M, gemm.K, gemm.N, matrix=gemm.act)
    assert bitmask.count(arch, absent) == bitmask.count(arch, full)


def test_large_shapes_cost_nothing():
    arch = ArchConfig.read("bitmask_256")
    pixels = 10**8
    counts = bitmask.count(arch, GEMM(4096, 25088, pixels))
    # a tile of one local filter for each 16 filters, 25088 / 8 bytes of masks and 25088 values
    assert counts.causes["control"]["load"] == 256 * (25088 // 8 + 25088)
    assert counts.events["macs"] == 4096 * 25088 * pixels


@given(
    st.sampled_from([(1, 3, 1), (2, 3, 2), (1, 16, 3), (1, 70, 0)]),
    st.sampled_from([(3, 1, 1, 1), (3, 2, 1, 1), (2, 1, 0, 2), (1, 2, 0, 1), (1, 1, 0, 1)]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([(1, 8), (2, 16), (4, 64), (2, 128)]),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=80)
def test_ifmap_counts_as_its_unrolling(size, kernel, density, widths, seed):
    (images, channels, seen), (taps, stride, padding, dilation) = size, kernel
    clusters, chunk = widths
    rng = np.random.default_rng(seed)
    conv = Conv(images, channels, 7, 9, taps, taps, stride, padding, dilation)
    every = rng.integers(1, 100, (images, channels + seen, 7, 9), dtype=np.int8)
    ifmap = (every * (rng.random(every.shape) < density))[:, seen:]  # of one group
    act = conv.unroll(ifmap)
    arch = design(clusters=clusters, chunk=chunk, mask_depth=256, entry_depth=1024)
    weight = draw_gemm(rng, arch, (9, len(act), 1), 0.4, 1.0).weight
    view = GEMM(9, *act.shape, weight, conv=conv, ifmap=ifmap)
    assert bitmask.count(arch, view) == bitmask.count(arch, GEMM.of(weight, act))


def test_ifmap_is_not_unrolled():
    conv = Conv(1, 64, 120, 120, 3, 3, 1, 1)
    ifmap = np.ones(conv.shape, np.int8)
    gemm = GEMM(16, 576, 120 * 120, np.ones((16, 576), np.int8), conv=conv, ifmap=ifmap)
    arch = ArchConfig.read("bitmask_64_c64")
    bitmask.count(arch, gemm)  # compiled
    tracemalloc.start()
    bitmask.count(arch, gemm)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the masks are an eighth of the unrolled activations, nine times the ifmap
    assert peak < 3 * ifmap.nbytes


def test_partial_sums_wrap():
    arch = design({"act_width": 8, "weight_width": 8, "psum_width": 16})
    gemm = GEMM.of(np.full((3, 9), -128, np.int8), np.full((9, 2), -128, np.int8))
    run = bitmask.simulate(arch, bitmask.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()


def test_family_is_found_by_name():
    assert array_model(design()) is bitmask


@pytest.mark.parametrize(
    ("gemm", "message"),
    [
        (
            GEMM.of(np.ones((4, 129), np.int8), np.ones((129, 1), np.int8), "fc1"),
            "fc1: K = 129: must be at most mask_depth times chunk of bitmask_test, 128",
        ),
        (
            GEMM.of(np.full((4, 4), 128), np.ones((4, 1), np.int8), "fc1"),
            r"fc1: weight\[0, 0\] = 128: ",
        ),
        (
            GEMM.of(np.ones((4, 4), np.int8), np.full((4, 1), -129), "fc1"),
            r"fc1: act\[0, 0\] = -129: must be within",
        ),
        (
            GEMM.of(np.ones((4, 20), np.int8), np.ones((20, 1), np.int8), "fc1"),
            "fc1: non-zero weights = 20: one filter must fit entry_depth of bitmask_test, 16",
        ),
        (
            GEMM(4, 4, 0, np.ones((4, 4), np.int8), np.ones((4, 0), np.int8), "fc1"),
            "must be at least 1",
        ),
    ],
)
@pytest.mark.parametrize("function", [bitmask.compile, bitmask.count])
def test_bad_input_is_named(function, gemm, message):
    with pytest.raises(InputError, match=message):
        function(design(entry_depth=16), gemm)


@pytest.mark.parametrize(
    "gemm", [GEMM(4, 4, 4, name="fc1"), GEMM(4, 4, 4, np.ones((4, 4), np.int8), name="fc1")]
)
def test_compiling_needs_both_operands(gemm):
    with pytest.raises(InputError, match="fc1: compiling needs weights and activations"):
        bitmask.compile(design(), gemm)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(InputError, match="fc1: K = 129: must be at most mask_depth times chunk"):
        bitmask.count(design(), GEMM(4, 129, 4, name="fc1"))
    with pytest.raises(InputError, match="fc1: non-zero weights = 20: one filter must fit entry"):
        bitmask.count(design(entry_depth=16), GEMM(4, 20, 4, name="fc1"))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"chunk": 24}, "chunk must be a power of two, not 24"),
        ({"window": 16}, r"window must be at most chunk \(8\), not 16"),
        ({"clusters": 3}, r"clusters must divide pes \(4\), not 3"),
        ({"clusters": 2, "load_pes": 4}, r"load_pes must divide pes / clusters \(2\), not 4"),
        ({"drain_pes": 3}, r"drain_pes must divide pes \(4\), not 3"),
    ],
)
def test_bad_designs_are_refused(changes, rule):
    with pytest.raises(ValueError, match=rule):
        design(**changes)


def test_binary_activations_are_refused():
    with pytest.raises(ValueError, match="act_width"):
        design({"act_width": 1})


def test_pinned_layer():
    """Renew the numbers where the hardware changes on purpose."""
    rng = np.random.default_rng(0)
    arch = ArchConfig.read("bitmask_64_c64")
    counts = bitmask.count(arch, draw_gemm(rng, arch, (50, 500, 64), 0.1, 0.4))
    control = {"idle": 1, "load": 892, "broadcast": 2544, "act": 1, "drain": 45}
    pe = {
        "idle": 57152, "mac": 64707, "empty": 28597, "fetch": 30398, "buffer": 39616, "done": 2442
    }  # fmt: skip
    zeros = {"control": {"weight": 0, "full": 0}, "pe": {"drain": 0}}
    causes = {"control": control | zeros["control"], "pe": pe | zeros["pe"]}
    # 16 groups, 16 chunks, 4 local filters; 892 beats: 512 pieces of masks, and values
    joins = 64 * 16 * 16 * 4
    psums = 64707 + 64 * 16 * 4
    events = {
        "mask_writes": 32 * 512, "mask_reads": joins + 64,
        "value_writes": 32 * 380, "value_reads": 64707,
        "joins": joins, "macs": 64707, "psum_reads": psums, "psum_writes": psums,
        "command_beats": 1, "weight_beats": 892, "act_beats": 2544, "ofmap_beats": 16 * 31,
    }  # fmt: skip
    assert counts == Counts(3483, causes, events)
