# amaranth: UnusedElaboratable=no
"""Window unit in the Amaranth simulator against its model, and the model against im2col."""

import numpy as np
import pytest
from amaranth.lib import data
from harness.pattern_cases import CONVS, arch_of, conv_gemm, im2col

from hwsim.arrays.pattern.tiles import tiles
from hwsim.arrays.pattern.window import WindowModel
from hwsim.rtl.arrays.pattern.window import WindowUnit
from hwsim.workload.conv import Conv

ROWS, LINE_DEPTH = 2, 8
#: Probability that pixels are late, that a window is not taken, that all is frozen.
FACTORS = {"none": (0, 0, 0), "source": (0.5, 0, 0), "sink": (0, 0.5, 0), "both": (0.4, 0.4, 0.2)}


def jobs_of(rng, shape):
    """Commands, beats and expected windows of each tile of a layer of ``ROWS`` channels."""
    _, images, _, height, width, stride, padding = shape
    arch = arch_of(ROWS, 1, 8, LINE_DEPTH)
    gemm = conv_gemm(rng, arch, (1, images, ROWS, height, width, stride, padding))
    ifmap = rng.integers(-128, 128, (images, ROWS, height, width))
    conv = Conv(images, ROWS, height, width, 3, 3, stride, padding)
    taps = im2col(ifmap, conv).reshape(9, ROWS, images, conv.P, conv.Q)
    for tile in tiles(arch.array, gemm):
        patch = ifmap[
            tile.image : tile.image + tile.images,
            :,
            tile.y : tile.y + tile.patch_height,
            tile.x : tile.x + tile.patch_width,
        ]
        beats = np.zeros((tile.reads, ROWS, 4), dtype=np.int64)
        beats[:, :, 0] = patch.transpose(0, 2, 3, 1).reshape(-1, ROWS)
        expected = taps[
            :,
            :,
            tile.image : tile.image + tile.images,
            tile.p : tile.p + tile.height,
            tile.q : tile.q + tile.width,
        ]
        command = {
            "reads": tile.reads, "windows": tile.pixels, "height": tile.patch_height,
            "width": tile.patch_width, "stride": tile.stride - 1, "direct": 0,
            "edges": [int(e) for e in (tile.top, tile.bottom, tile.left, tile.right)],
        }  # fmt: skip
        yield command, beats, expected.transpose(2, 3, 4, 1, 0).reshape(-1, ROWS, 9), tile


def direct_job(rng):
    beats = rng.integers(-128, 128, (7, ROWS, 4))
    command = {
        "reads": 7, "windows": 7, "height": 1, "width": 1, "stride": 0, "direct": 1,
        "edges": [1, 1, 1, 1],
    }  # fmt: skip
    return command, beats, beats, None


@pytest.mark.parametrize("shape", CONVS, ids=str)
def test_model_makes_the_windows(shape):
    for command, beats, expected, tile in jobs_of(np.random.default_rng(1), shape):
        model = WindowModel(ROWS, LINE_DEPTH)
        model.lines[:] = 99  # what is left of an earlier job does not show
        model.start({name: np.array(value) for name, value in command.items()})
        windows, positions = [], []
        left = list(beats)
        while model.running:
            model.step(left.pop(0) if left else None)
            if model.valid:
                windows.append(model.window)
                positions.append(len(positions))
        assert (np.array(windows) == expected).all()
        assert len(windows) == tile.pixels


@pytest.mark.parametrize("shape", CONVS, ids=str)
def test_tiles_know_the_positions_of_their_windows(shape):
    for command, beats, _, tile in jobs_of(np.random.default_rng(2), shape):
        model = WindowModel(ROWS, LINE_DEPTH)
        twice = command | {"reads": 2 * tile.reads, "windows": 2 * tile.pixels}
        model.start({name: np.array(value) for name, value in twice.items()})
        positions = []
        left = [*beats, *beats]
        position = 0
        while model.running:
            model.step(left.pop(0) if left else None)
            if model.valid:
                positions.append(position)
            position += 1
        first, second = positions[: tile.pixels], positions[tile.pixels :]
        assert first[0] == tile.first
        assert first[-1] - first[0] == tile.span
        assert [position - tile.reads for position in second] == first


@pytest.mark.parametrize("factor", FACTORS)
def test_equals_the_model(simulate, factor):
    """Jobs in sequence; in each cycle the unit steps when, and only when, the model does."""
    rng = np.random.default_rng(3)
    jobs = [job for shape in CONVS for job in jobs_of(rng, shape)]
    jobs = [job for job in jobs for job in (job, direct_job(rng))]
    late, shut, frozen = FACTORS[factor]
    dut = WindowUnit(ROWS, 8, LINE_DEPTH, 8, 16)
    beat_layout, job_layout = dut.act.payload.shape(), dut.job.shape()

    async def testbench(ctx):
        model = WindowModel(ROWS, LINE_DEPTH)
        for command, beats, expected, _ in jobs:
            ctx.set(dut.enable, 1)
            ctx.set(dut.window.ready, 0)
            ctx.set(dut.start, 1)
            ctx.set(dut.job, job_layout.const(command))
            await ctx.tick()
            ctx.set(dut.start, 0)
            model.start({name: np.array(value) for name, value in command.items()})
            left, windows, offered = beats.tolist(), [], False
            while len(windows) < len(expected):
                enable = rng.random() >= frozen
                ready = enable and rng.random() >= shut
                offered = bool(left) and (offered or rng.random() >= late)
                ctx.set(dut.enable, enable)
                ctx.set(dut.window.ready, ready)
                ctx.set(dut.act.valid, offered)
                if offered:
                    ctx.set(dut.act.payload, beat_layout.const(left[0]))
                taken, valid, starved, window = (
                    ctx.get(dut.act.ready),
                    ctx.get(dut.window.valid),
                    ctx.get(dut.starved),
                    ctx.get(dut.window.payload),
                )
                assert valid == model.valid
                needs = model.reads > 0
                assert starved == (needs and not offered)
                steps = enable and model.running and (not model.valid or ready)
                assert taken == (steps and needs)
                steps = steps and (offered or not needs)
                if valid and ready:
                    lanes = expected.shape[2]
                    windows.append([list(taps)[:lanes] for taps in window])
                    assert windows[-1] == expected[len(windows) - 1].tolist()
                if steps:
                    model.step(np.array(left.pop(0)) if needs else None)
                    offered = offered and not needs
                elif ready:
                    model.valid = False
                await ctx.tick()
            assert not left
            assert not model.running

    simulate(dut, testbench, max_cycles=20_000)


def test_window_is_whole_width_plus_one_pixels_after_its_centre(simulate):
    """A 3 x 3 image without padding: its one window is on offer a cycle after the ninth pixel."""
    dut = WindowUnit(1, 8, 4, 4, 8)
    command = {
        "reads": 9, "windows": 1, "height": 3, "width": 3, "stride": 0, "edges": [0] * 4,
        "direct": 0,
    }  # fmt: skip

    async def testbench(ctx):
        ctx.set(dut.enable, 1)
        ctx.set(dut.start, 1)
        ctx.set(dut.job, dut.job.shape().const(command))
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.act.valid, 1)
        for pixel in range(1, 10):
            assert not ctx.get(dut.window.valid)
            ctx.set(dut.act.payload, dut.act.payload.shape().const([[pixel, 0, 0, 0]]))
            await ctx.tick()
        assert ctx.get(dut.window.valid)
        window = ctx.get(dut.window.payload)
        assert [list(taps) for taps in window] == [list(range(1, 10))]
        assert not ctx.get(dut.act.ready)

    simulate(dut, testbench)


def test_members_are_lanes_of_four_and_nine():
    dut = WindowUnit(3, 5, 16, 8, 16)
    assert isinstance(dut.act.payload.shape(), data.ArrayLayout)
    assert dut.act.payload.shape().size == 3 * 4 * 5
    assert dut.window.payload.shape().size == 3 * 9 * 5
