"""Pattern family: the cycle-by-cycle model against the product, the fast form against both."""

from dataclasses import replace

import numpy as np
import pytest
from harness.array_bench import chain, pause_factors
from harness.pattern_cases import CONVS, arch_of, conv_gemm, gemm_of, im2col, product
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.base import array_model
from hwsim.arrays.counts import Counts
from hwsim.arrays.pattern import array as pattern
from hwsim.arrays.pattern.tiles import tiles
from hwsim.config import ArchConfig, PatternConfig
from hwsim.contract.causes import cause_names
from hwsim.errors import InputError
from hwsim.formats import project
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer


def causes(**cycles):
    return {cause: cycles.get(cause, 0) for cause in cause_names(PatternConfig.CAUSES)["array"]}


@st.composite
def runs(draw):
    """Design, random operands on it, and the seed of both."""
    numbers = draw(
        st.sampled_from(
            [
                {},
                {"psum_width": 16},
                {"weight_width": 4, "weight_code": "levels"},
                {"act_width": 3, "weight_width": 2, "psum_width": 24},
            ]
        )
    )
    arch = arch_of(
        draw(st.integers(1, 5)),
        draw(st.integers(1, 5)),
        1 << draw(st.integers(0, 5)),
        1 << draw(st.integers(2, 4)),
        draw(st.integers(1, 16)),
        draw(st.integers(1, 3)),
        carries=draw(st.booleans()),
        **numbers,
    )
    seed = draw(st.integers(0, 1 << 20))
    rng = np.random.default_rng(seed)
    keep = draw(st.sampled_from([0.2, 0.7, 1.0]))
    if draw(st.integers(0, 2)) == 0:
        return arch, gemm_of(rng, arch, tuple(rng.integers(1, 20, 3).tolist()), keep), seed
    stride, padding = draw(st.integers(1, 2)), draw(st.integers(0, 1))
    height, width = rng.integers(3 - 2 * padding, 10, 2).tolist()
    m, images, channels = rng.integers(1, [12, 4, 9]).tolist()
    shape = (m, images, channels, height, width, stride, padding)
    return arch, conv_gemm(rng, arch, shape, keep), seed


@given(runs())
@settings(deadline=None, max_examples=120)
def test_fast_form_equals_cycles(case):
    arch, gemm, _ = case
    run = pattern.simulate(arch, pattern.compile(arch, gemm), {})
    assert run.counts == pattern.count(arch, gemm)
    assert (run.ofmap == product(arch, gemm)).all()


@given(runs())
@settings(deadline=None, max_examples=25)
def test_pauses_change_cycles_alone(case):
    arch, gemm, seed = case
    job = pattern.compile(arch, gemm)
    free = pattern.count(arch, gemm)
    for pauses in pause_factors(seed).values():
        run = pattern.simulate(arch, job, pauses)
        spent = run.counts.causes["array"]
        assert (run.ofmap == product(arch, gemm)).all()
        assert sum(spent.values()) == run.counts.cycles >= free.cycles
        assert spent["compute"] == free.causes["array"]["compute"]


@pytest.mark.parametrize("shape", CONVS, ids=str)
def test_corner_shapes(shape):
    arch = arch_of(4, 3)
    gemm = conv_gemm(np.random.default_rng(1), arch, shape, 1.0)
    run = pattern.simulate(arch, pattern.compile(arch, gemm), {})
    assert (run.ofmap == product(arch, gemm)).all()
    assert run.counts == pattern.count(arch, gemm)


def layer(arch, shape):
    """3x3 layer of one pattern, all kernels there."""
    m, images, c, h, w, stride, padding = shape
    conv = Conv(images, c, h, w, 3, 3, stride, padding)
    weight = np.zeros((m, 9, c), dtype=np.int64)
    weight[:, [1, 3, 4, 5]] = 1
    ifmap = np.arange(images * c * h * w).reshape(images, c, h, w) % 100
    return GEMM.of(weight.reshape(m, -1), im2col(ifmap, conv), "conv1", conv)


@pytest.mark.parametrize(
    ("arch", "shape", "expected"),
    [
        # a pattern, the command; windows from position 4 + 1: 6 positions and a cycle, of which the
        # 4 loads and the swap cover 5; 16 windows; 4 + 3 + 1 behind the last
        (
            (4, 3, 16), (3, 1, 4, 4, 4, 1, 1),
            causes(library=1, idle=1, preload=5, window=1, compute=16, drain=8),
        ),
        # no padding: 10 positions before the first window, 2 that make none between the rows
        (
            (4, 3, 16), (3, 1, 4, 4, 4, 1, 0),
            causes(library=1, idle=1, preload=5, window=6 + 2, compute=4, drain=8),
        ),
        # two channel folds of 16: no cycle between them
        (
            (4, 3, 16), (3, 1, 8, 4, 4, 1, 1),
            causes(library=1, idle=1, preload=5, window=1, compute=32, drain=8),
        ),
        # the second group of filters is in the same command
        (
            (4, 3, 16), (4, 1, 4, 4, 4, 1, 1),
            causes(library=1, idle=1, preload=5, window=1, compute=32, drain=8),
        ),
        # two tiles of 2 rows and patches of 3: first window at 5 and 5 + 4; the command between
        (
            (4, 3, 8), (3, 1, 4, 4, 4, 1, 1),
            causes(library=1, idle=1, preload=5 + 5, window=1 + 5, compute=16, drain=8 + 1),
        ),
        # stride 2: one window in four of 16 positions, the first at 5, the last at 5 + 10
        (
            (4, 3, 16), (3, 1, 4, 4, 4, 2, 1),
            causes(library=1, idle=1, preload=5, window=1 + 7, compute=4, drain=8),
        ),
    ],
)  # fmt: skip
def test_counts_by_hand(arch, shape, expected):
    design = arch_of(*arch)
    counts = pattern.count(design, layer(design, shape))
    assert counts.cycles == sum(expected.values())
    assert counts.causes == {"array": expected}


def test_matrix_product_is_dense_with_four_k_a_row():
    arch = arch_of(4, 3, 8)
    rng = np.random.default_rng(2)
    gemm = GEMM.of(rng.integers(1, 9, (3, 32)), rng.integers(-9, 9, (32, 8)), "fc1")
    # the identity pattern, the command, 4 loads and the swap, two K folds of 8 pixels
    expected = causes(library=1, idle=1, preload=5, compute=16, drain=8)
    counts = pattern.count(arch, gemm)
    assert (counts.cycles, counts.causes) == (sum(expected.values()), {"array": expected})
    # 4 x 3 PEs of 4 multipliers, 16 beats; each steps both line buffers, though it needs neither
    assert counts.events == {
        "command_beats": 2,
        "weight_beats": 8,
        "act_beats": 16,
        "ofmap_beats": 8,
        "macs": 48 * 16,
        "weight_loads": 8,
        "psum_reads": 8,
        "psum_writes": 8,
        "library_writes": 1,
        "line_reads": 32,
        "line_writes": 32,
    }
    job = pattern.compile(arch, gemm)
    assert job.inputs["act"]["act"][0].tolist() == gemm.act[:16, 0].reshape(4, 4).tolist()


def test_multipliers_reach_nine_fourths_of_dense():
    """A layer of whole folds takes 4/9 of the MACs of its dense product, every cycle."""
    arch = arch_of(4, 4, 64, 16)
    gemm = layer(arch, (8, 1, 64, 8, 8, 1, 1))
    counts = pattern.count(arch, gemm)
    assert counts.causes["array"]["compute"] * arch.array.multipliers * 9 == gemm.macs * 4
    assert counts.cycles < 1.02 * gemm.macs * 4 / 9 / arch.array.multipliers


def test_reorder_is_undone_at_the_output():
    arch = arch_of(2, 2)
    gemm = layer(arch, (4, 1, 4, 2, 2, 1, 1))
    weight = gemm.weight.reshape(4, 9, 4)
    weight[::2, :, ::2] = 0
    weight[1::2, :, 1::2] = 0
    gemm = GEMM.of(weight.reshape(4, -1), gemm.act, "conv1", gemm.conv)
    job = pattern.compile(arch, gemm)
    lanes = job.ofmap_index // gemm.N
    assert {tuple(row) for row in lanes.tolist()} == {(0, 2), (1, 3)}
    assert job.inputs["command"]["k_folds"].tolist() == [0, 1]
    assert job.inputs["command"]["m_folds"].tolist() == [0, 2]
    run = pattern.simulate(arch, job, {})
    assert (run.ofmap == product(arch, gemm)).all()


def test_each_activation_is_read_once_a_row_and_fold():
    arch = arch_of(2, 2, 16)
    gemm = layer(arch, (4, 1, 4, 4, 4, 1, 1))
    job = pattern.compile(arch, gemm)
    pixels, k_folds, groups = 16, 2, 2
    assert len(job.inputs["act"]["act"]) == pixels * k_folds * groups


@pytest.mark.parametrize("shape", [(1, 3, 1, 9, 11, 1, 1), (1, 2, 1, 12, 7, 2, 0)])
@pytest.mark.parametrize(("acc_depth", "line_depth"), [(1, 4), (8, 8), (32, 16), (256, 4)])
def test_tiles_cover_every_pixel_once(shape, acc_depth, line_depth):
    arch = arch_of(1, 1, acc_depth, line_depth)
    gemm = layer(arch, shape)
    seen = np.zeros((gemm.conv.images, gemm.conv.P, gemm.conv.Q), dtype=np.int64)
    for tile in tiles(arch.array, gemm):
        assert tile.pixels <= acc_depth
        assert tile.patch_width <= line_depth
        images = slice(tile.image, tile.image + tile.images)
        rows, cols = slice(tile.p, tile.p + tile.height), slice(tile.q, tile.q + tile.width)
        seen[images, rows, cols] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_shape_counts_as_weights_without_a_zero(seed):
    rng = np.random.default_rng([9, seed])
    arch = arch_of(int(rng.integers(1, 5)), int(rng.integers(1, 5)), 8, 16, patterns=4)
    stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, 2))
    m, c, h, w, images = (int(n) for n in rng.integers((12, 3, 3, 3, 1), (30, 9, 9, 9, 4)))
    conv = Conv(images, c, h, w, 3, 3, stride, padding)
    shape = GEMM(m, 9 * c, images * conv.P * conv.Q, name="x", conv=conv)
    for gemm, channels in ((shape, c), (replace(shape, conv=None), 0)):
        drawn = rng.integers(1, 127, (gemm.M, gemm.K)) * rng.choice([-1, 1], (gemm.M, gemm.K))
        weight = project(arch, drawn, channels)
        expected = pattern.count(arch, replace(gemm, weight=weight))
        assert pattern.count(arch, gemm) == expected, f"seed {seed}"


def test_all_zero_weights_are_no_work():
    arch = arch_of(3, 2)
    gemm = layer(arch, (4, 1, 2, 3, 3, 1, 1))
    gemm.weight[:] = 0
    job = pattern.compile(arch, gemm)
    assert job.transfers == 0
    assert all(len(v) == 0 for words in job.inputs.values() for v in words.values())
    counts = pattern.count(arch, gemm)
    assert (counts.cycles, counts.causes) == (0, {"array": causes()})
    assert not any(counts.events.values())
    run = pattern.simulate(arch, job, {})
    assert run.counts == pattern.count(arch, gemm)
    assert (run.ofmap == 0).all()


@pytest.mark.parametrize("stream", ["weight", "act", "ofmap"])
def test_names_the_stream_that_stalls(stream):
    arch = arch_of(2, 3)
    gemm = conv_gemm(np.random.default_rng(3), arch, (6, 1, 4, 4, 4, 1, 1), 1.0)
    pauses = {stream: np.array([True] * 7 + [False])}
    free = pattern.count(arch, gemm).causes["array"]
    run = pattern.simulate(arch, pattern.compile(arch, gemm), pauses)
    stalled = run.counts.causes["array"]
    assert stalled[stream] > 0
    assert {c for c in stalled if stalled[c] > free[c]} <= {stream, "drain", "preload", "window"}


def test_commands_follow_each_other():
    """Each job begins with its own library, while the last one's partial sums drain."""
    arch = arch_of(3, 2)
    rng = np.random.default_rng(4)
    gemms = [conv_gemm(rng, arch, shape, 1.0) for shape in CONVS]
    gemms[1:1] = [gemm_of(rng, arch, (3, 17, 5), 1.0)]
    chained = pattern.simulate(arch, chain([pattern.compile(arch, g) for g in gemms]), {})
    expected = np.concatenate([product(arch, g).ravel() for g in gemms])
    assert (chained.ofmap.ravel() == expected).all()
    alone = sum((pattern.count(arch, g) for g in gemms), Counts(0))
    assert chained.counts.cycles < alone.cycles
    for cause in ("compute", "library"):
        assert chained.counts.causes["array"][cause] == alone.causes["array"][cause]


def test_code_without_zero_has_an_id_for_no_kernel():
    arch = arch_of(2, 2, 16, patterns=4, weight_width=1, weight_code="levels")
    gemm = layer(arch, (2, 1, 2, 3, 3, 1, 1))
    weight = gemm.weight.reshape(2, 9, 2)
    weight[1, :, 1] = 0
    gemm = GEMM.of(weight.reshape(2, -1), gemm.act, "conv1", gemm.conv)
    job = pattern.compile(arch, gemm)
    assert sorted(job.inputs["weight"]["pattern"].tolist()) == [[0, 0], [0, 4]]
    run = pattern.simulate(arch, job, {})
    assert (run.ofmap == product(arch, gemm)).all()


def test_is_found_by_its_name():
    assert array_model(ArchConfig.read("pattern_4x4")) is pattern
    assert ArchConfig.read("pattern_4x4").array.multipliers == 64


def test_refuses_bad_operands():
    arch = arch_of(2, 2)
    gemm = layer(arch, (2, 1, 2, 4, 4, 1, 1))
    with pytest.raises(InputError, match="conv1: must have weights and activations"):
        pattern.compile(arch, GEMM(1, 9, 1, name="conv1"))
    wrong = gemm.act.copy()
    wrong[0, -1] += 1
    with pytest.raises(InputError, match="conv1: act: must be the im2col of 1 ifmaps of 2 x 4 x 4"):
        pattern.compile(arch, GEMM.of(gemm.weight, wrong, "conv1", gemm.conv))
    wrong[0, -1] = 128
    with pytest.raises(InputError, match=r"conv1: act\[0, 15\] = 128: must be within -128..127"):
        pattern.compile(arch, GEMM.of(gemm.weight, wrong, "conv1", gemm.conv))
    with pytest.raises(InputError, match=r"conv1: weight\[0, 2\] = 128: must be within"):
        pattern.compile(arch, GEMM.of(gemm.weight * 128, gemm.act, "conv1", gemm.conv))
    dense = np.ones((2, 18), dtype=np.int64)
    for use in (pattern.count, pattern.compile):
        with pytest.raises(InputError, match="conv1: filter 0, channel 0: taps"):
            use(arch, GEMM.of(dense, gemm.act, "conv1", gemm.conv))


def test_refuses_more_windows_than_a_command_can_say(monkeypatch):
    arch = arch_of(1, 1)
    monkeypatch.setattr(type(arch.array), "WINDOW_WIDTH", 4)
    with pytest.raises(InputError, match="conv1: reads = 16: must be below 16"):
        pattern.compile(arch, layer(arch, (1, 1, 1, 4, 4, 2, 1)))


def test_refuses_another_family():
    with pytest.raises(TypeError, match="csc_64x1 must be of family pattern, not csc"):
        pattern.count(ArchConfig.read("csc_64x1"), GEMM(1, 1, 1))


@pytest.mark.parametrize("seed", range(6))
def test_kernels_of_more_taps_run_as_a_product(seed):
    print("seed", seed)
    rng = np.random.default_rng(seed)
    arch = arch_of(3, 4, 8, 16, 4, 1)
    shape = (int(rng.integers(1, 7)), 2, int(rng.integers(1, 5)), 6, 5, 1, 1)
    held = conv_gemm(rng, arch, shape, 0.7)
    layer = Layer.of_gemms("l", [held])
    assert pattern.arranged(arch, layer) == (layer, "")
    dense = GEMM.of(rng.integers(1, 8, held.weight.shape), held.act, "l", held.conv)
    with pytest.raises(InputError):
        pattern.count(arch, dense)
    found, words = pattern.arranged(arch, Layer.of_gemms("l", [dense]))
    assert words == "as a matrix product: 4 taps of 9 do not hold its kernels"
    (gemm,) = found.gemms()
    run = pattern.simulate(arch, pattern.compile(arch, gemm), {})
    assert run.counts == pattern.count(arch, gemm)
    assert (run.ofmap == product(arch, dense)).all()
