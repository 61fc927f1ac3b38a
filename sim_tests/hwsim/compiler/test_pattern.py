"""Kernel patterns in a machine: which kernels come together, what a job takes."""

from dataclasses import replace

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import ARRAYS, small_machine

from hwsim.accelerator.program import Constants
from hwsim.arrays.base import array_model
from hwsim.arrays.pattern.array import count_job
from hwsim.arrays.pattern.tiles import tiles
from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.compiler.compile import compile_network
from hwsim.compiler.pattern import PatternWeights, options
from hwsim.compiler.weights import Filters, Scale
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.contract.machine import WEIGHT_OFFER
from hwsim.errors import InputError
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM

ARCH = small_machine("pattern")
ROWS, COLS, LANES = 4, 4, 16


def kernels(rng, m, channels):
    """Weights of 3x3 kernels that keep one of three sets of four taps, of every channel."""
    masks = np.zeros((3, 9), np.int8)
    for mask in masks:
        mask[rng.choice(9, 4, replace=False)] = 1
    chosen = masks[np.arange(m * channels).reshape(m, channels) % 3]
    return (rng.integers(1, 100, chosen.shape) * chosen).astype(np.int8)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_job_counts_as_the_layer_that_it_is(stride, padding):
    """One tile, all rows of all folds used, a library of all patterns."""
    rng = seeded(2 * stride + padding)
    weight = kernels(rng, 2 * COLS, 2 * ROWS).swapaxes(1, 2).reshape(2 * COLS, -1)
    conv = Conv(1, 2 * ROWS, 4, 4, 3, 3, stride, padding)
    gemm = GEMM(*weight.shape, conv.P * conv.Q, weight, conv=conv)
    (tile,) = tiles(ARCH.array, gemm)
    counts = array_model(ARCH).count(ARCH, gemm)
    job = count_job(ARCH, tile.timing(), 2, 2)
    assert job.cycles == counts.cycles + WEIGHT_OFFER
    assert job.events == counts.events


def chunks_of(weight, arch=ARCH, **others):
    weights = PatternWeights(arch, Constants(arch))
    scale = Scale.of(np.zeros(len(weight), np.int64), 1, 0)
    loops = ((weight.shape[1] // ROWS, 1),)
    return list(weights.chunks(Filters("layer", weight, scale, loops, **others)))


def test_four_indices_of_a_lane_are_one_kernel():
    """Lane 1 of a word is row 1 with its first tap, lane 13 the same row with its last."""
    weight = np.zeros((1, 3 * LANES), np.int64)
    weight[0, [1, 13, LANES + 2, 2 * LANES + 2]] = 5, 7, 3, 4
    (chunk,) = chunks_of(weight)
    assert (chunk.k_folds, chunk.m_folds, chunk.options) == (2, 1, options(direct=1, edges=15))
    # row 2 takes two words after each other, row 1 one
    assert chunk.reach == 8
    assert chunk.loads[0].words == 3 + 2 * ROWS
    assert chunk.feed(9, ((5, 4),), ()).bounds == (5, 1, 2)


def test_groups_with_lists_of_other_lengths_are_jobs_of_their_own_where_that_is_faster():
    weight = np.zeros((4 * COLS, 40 * LANES), np.int64)
    weight[0], weight[COLS:] = 1, 0
    weight[COLS:, 0] = 1
    chunks = chunks_of(weight)
    assert [(c.first, c.m_folds, c.k_folds) for c in chunks] == [(0, 1, 40), (1, 3, 1)]
    few = chunks_of(weight[:, : 2 * LANES])
    assert [(c.first, c.m_folds, c.k_folds) for c in few] == [(0, 4, 2)]


def test_what_no_half_holds_is_refused():
    with pytest.raises(InputError, match=r"memory\.weight_depth, 256"):
        chunks_of(np.ones((1, 64 * LANES), np.int64))


def test_folds_of_a_group_are_cut_where_the_array_carries_sums():
    arch = small_machine("pattern", array=ARRAYS["pattern"] | {"carries": True})
    weight = np.ones((2 * COLS, 150 * LANES), np.int64)
    weight[COLS:] = 0
    weight[COLS:, 0] = 1
    chunks = chunks_of(weight, arch)
    assert [(c.first, c.k_folds, c.carry, c.keep) for c in chunks] == [
        (0, 50, False, True), (0, 50, True, True), (0, 50, True, False), (1, 1, False, False),
    ]  # fmt: skip
    assert [[load.target for load in c.loads] for c in chunks] == [
        ["weight", "list"], ["weight", "list"], *[["weight", "scale", "list"]] * 2,
    ]  # fmt: skip
    assert chunks[1].loads[0].words == 3 + 50 * ROWS


def net_of(rng, *, taps=4, stride=1, padding=1):
    layers = [
        {"name": "a", "type": "conv", "M": 6, "R": 1},
        {"name": "b", "type": "conv", "M": 6, "R": 3, "stride": stride, "padding": padding},
        {"name": "c", "type": "conv", "M": 2, "R": 1},
    ]
    raw = {"name": "net", "input": {"channels": 2, "height": 7, "width": 7}, "layers": layers}
    network = parse(NetworkConfig, raw, "test")
    middle = kernels(rng, 6, 6).reshape(6, 6, 3, 3)
    if taps > 4:
        middle[3, 2] = 1
    first, last = np.ones((6, 2, 1, 1), np.int8), np.ones((2, 6, 1, 1), np.int8)
    weights = {"a": first, "b": middle, "c": last}
    layers = {
        name: LayerWeights(weight, np.zeros(len(weight), np.int32), 8, 1, 0, 1.0)
        for name, weight in weights.items()
    }
    return network, Checkpoint("net", layers, {}, "test")


@pytest.mark.parametrize(
    ("others", "reads_windows"),
    [
        ({}, True),
        ({"stride": 2}, True),
        ({"padding": 0}, True),
        ({"padding": 2}, False),
        ({"taps": 9}, False),
    ],
)
def test_layers_of_patterns_read_windows(others, reads_windows):
    network, checkpoint = net_of(seeded(5), **others)
    compiled = compile_network(ARCH, network, checkpoint)
    jobs = [tile.job for tile in compiled.program.tiles if tile.layer == "b"]
    direct = options(direct=1)
    assert all(bool(job.options & direct) != reads_windows for job in jobs)


def test_a_removed_kernel_takes_no_fold():
    network, checkpoint = net_of(seeded(6))
    layer = checkpoint.layers["b"]
    weight = layer.weight.copy()
    # channels 4 and 5 are second ones on their rows
    weight[:, 4:] = 0
    checkpoint.layers["b"] = replace(layer, weight=weight)
    before = compile_network(ARCH, *net_of(seeded(6))).program.tiles
    after = compile_network(ARCH, network, checkpoint).program.tiles
    assert {t.job.k_folds for t in before if t.layer == "b"} == {2}
    assert {t.job.k_folds for t in after if t.layer == "b"} == {1}
