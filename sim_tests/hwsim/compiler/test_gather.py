"""Weights without removed columns: sums stay, folds are those of the fullest lane."""

import numpy as np
import pytest
from harness.machine import ARRAYS, blank, small_machine

from hwsim.accelerator.program import Constants
from hwsim.compiler.compile import compile_network
from hwsim.compiler.gather import gather, weights_of
from hwsim.compiler.weights import Filters, Scale
from hwsim.config import NetworkConfig
from hwsim.contract.descriptors import LOADS
from hwsim.errors import InputError

LARGE = {
    "memory": {"act_depth": 4096, "weight_depth": 4096, "scale_depth": 64, "gather": True}
}  # fmt: skip


def pruned(rng, m, beats, lanes, density):
    weight = rng.integers(-128, 128, size=(m, beats * lanes))
    return weight * (rng.random(beats * lanes) < density)


@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("least", [1, 3])
def test_sums_stay(density, least):
    rng = np.random.default_rng(int(10 * density) + least)
    for _ in range(20):
        m, beats, lanes = rng.integers(1, 9, size=3)
        weight = pruned(rng, m, beats, lanes, density)
        left, kept = gather(weight, lanes, least)
        act = rng.integers(-128, 128, size=(beats, lanes))
        gathered = np.where(kept < 0, 99, act[kept, np.arange(lanes)])
        assert (left @ gathered.reshape(-1) == weight @ act.reshape(-1)).all()
        fullest = weight.any(axis=0).reshape(beats, lanes).sum(axis=0).max()
        assert len(kept) == max(least, fullest)


def chunks_of(arch, weight, loops, **options):
    scale = Scale.of(np.zeros(len(weight), np.int64), 1, 0)
    return list(
        weights_of(arch, Constants(arch)).chunks(Filters("layer", weight, scale, loops, **options))
    )


def test_each_chunk_leaves_out_what_its_own_filters_do_not_need():
    arch = small_machine("gather")
    weight = np.zeros((64, 32 * 4), np.int64)
    weight[:32, ::2] = 1  # two lanes of every beat
    weight[32:, 4 * 31] = 1  # one column: the last beat of the first lane
    chunks = chunks_of(arch, weight, ((8, 1), (4, 20)))
    assert [(c.first, c.m_folds, c.k_folds) for c in chunks] == [(0, 2, 32), (2, 2, 32), (4, 4, 1)]
    assert [chunk.reach for chunk in chunks] == [67, 67, 67]
    assert [[load.target for load in c.loads] for c in chunks] == [["weight", "scale", "list"]] * 3
    assert [chunk.loads[2].words for chunk in chunks] == [32, 32, 1]
    nest = chunks[2].feed(5, ((3, 1), (2, 9)), ((4, 0),))
    assert (nest.bounds, nest.strides, nest.reach) == ((3, 2, 1, 4), (1, 9, 0, 0), 67)


def test_lists_of_few_filters_where_they_leave_out_much():
    """Two folds that read other columns; two that share most of them."""
    arch = small_machine("gather", **LARGE)
    weight = np.zeros((32, 32 * 4), np.int64)
    weight[:8, : 16 * 4] = weight[8:16, 16 * 4 :] = 1
    weight[16:, : 20 * 4] = 1
    chunks = chunks_of(arch, weight[:16], ((32, 1),))
    assert [(c.first, c.m_folds, c.k_folds) for c in chunks] == [(0, 1, 16), (1, 1, 16)]
    (chunk,) = chunks_of(arch, weight[16:], ((32, 1),))
    assert (chunk.m_folds, chunk.k_folds) == (2, 20)


def test_a_list_that_is_already_there_is_not_loaded_again():
    arch = small_machine("gather")
    weights = weights_of(arch, Constants(arch))
    ones, zero = np.ones((64, 32 * 4), np.int64), np.zeros(64, np.int64)
    chunks = list(weights.chunks(Filters("layer", ones, Scale.of(zero, 1, 0), ((32, 1),))))
    assert [len(weights.bring(chunk)[1]) for chunk in chunks] == [3, 3, 2, 2]


def test_no_tile_loads_more_blocks_than_a_descriptor_has():
    """Weights, scales and a list fill a tile: an input is loaded by one before it."""
    network = NetworkConfig.read("lenet5")
    compiled = compile_network(small_machine("gather", **LARGE), network, blank(network), 2)
    assert max(len(tile.loads) for tile in compiled.program.tiles) == LOADS
    assert len(compiled.program.image()) > 0


def test_a_list_that_no_half_holds_is_refused():
    arch = small_machine("gather")
    with pytest.raises(InputError, match="weight_depth, 256"):
        chunks_of(arch, np.ones((8, 65 * 4), np.int64), ((65, 1),))


def test_a_list_is_cut_where_the_array_carries_sums():
    arch = small_machine("gather", array=ARRAYS["gather"] | {"carries": True})
    weight = np.ones((16, 130 * 4), np.int64)
    weight[:, ::8] = 0  # lane 0 skips every second beat, the others need all
    chunks = chunks_of(arch, weight, ((130, 3),))
    assert [(c.first, c.k_folds, c.carry, c.keep) for c in chunks] == [
        (first, *part)
        for first in (0, 1)
        for part in ((44, False, True), (44, True, True), (42, True, False))
    ]
    for chunk in chunks:
        weights, *scale, entries = [load.target for load in chunk.loads]
        assert (weights, entries) == ("weight", "list")
        assert scale == ([] if chunk.keep else ["scale"])
    assert [chunk.loads[-1].words for chunk in chunks] == [44, 44, 42] * 2
    assert [chunk.reach for chunk in chunks] == [87 * 3, 129 * 3, 129 * 3] * 2


def test_groups_of_filters_begin_with_a_word():
    arch = small_machine("gather", memory={"weight_depth": 16, "scale_depth": 8, "gather": True})
    chunks = chunks_of(arch, np.ones((40, 4), np.int64), ((1, 1),), together=2)
    assert [chunk.m_folds for chunk in chunks] == [4, 1]
