"""Weights of a machine: what each word holds, where filters are cut, what a job takes."""

from __future__ import annotations

import numpy as np
import pytest
from harness.machine import ARRAYS, small_machine

from hwsim.accelerator.program import Constants
from hwsim.accelerator.tile import Nest
from hwsim.arrays.base import array_model
from hwsim.compiler.gather import weights_of
from hwsim.compiler.weights import Filters, Scale, cut_loops
from hwsim.config.shape import MachineShape
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM

COLS = 4


def chunks_of(arch, weight, **options):
    zero = np.zeros(len(weight), np.int64)
    constants = Constants(arch)
    loops = ((weight.shape[1] // MachineShape.of(arch).act_lanes, 1),)
    scale = Scale.of(zero, 1, 0)
    found = weights_of(arch, constants).chunks(Filters("layer", weight, scale, loops, **options))
    return list(found), constants


def weight_of(rng, m, k, density):
    weight = rng.integers(-128, 128, size=(m, k))
    return np.where(rng.random((m, k)) < density, weight, 0)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_filters_are_cut_where_a_half_is_full(array, density):
    arch = small_machine(array)
    weight = weight_of(np.random.default_rng(1), 30, 64, density)
    chunks, constants = chunks_of(arch, weight)
    folds = 0
    for chunk in chunks:
        assert chunk.first == folds
        folds += chunk.m_folds
        load = chunk.loads[0]
        assert load.words <= arch.memory.weight_depth
        assert chunk.m_folds <= arch.memory.scale_depth
    # 30 filters, as many to a fold as a beat of results has lanes
    assert folds == -(-30 // MachineShape.of(arch).ofmap_lanes)
    assert constants.size > 0


def test_chunks_stay_in_the_halves_until_others_come():
    arch = small_machine()
    weights = weights_of(arch, Constants(arch))
    zero = np.zeros(48, np.int64)
    matrix = np.ones((48, 64), np.int64)
    one, two, three = list(
        weights.chunks(Filters("layer", matrix, Scale.of(zero, 1, 0), ((16, 1),)))
    )
    found = [weights.bring(each) for each in (one, one, two, one, two, three, one)]
    assert [half for half, _ in found] == [0, 0, 1, 0, 1, 0, 1]
    assert [len(loads) for _, loads in found] == [2, 0, 2, 0, 0, 2, 2]
    assert {load.index for load in found[2][1]} == {1}
    half, _ = weights.scale(Scale.of(zero[:4], 1, 0))
    assert half == 0
    assert weights.bring(three)[1] != ()


def test_zeros_leave_more_filters_together():
    arch = small_machine("bitmask")
    rng = np.random.default_rng(2)
    few, _ = chunks_of(arch, weight_of(rng, 32, 64, 1.0))
    many, _ = chunks_of(arch, weight_of(rng, 32, 64, 0.1))
    assert len(many) < len(few)


def test_the_words_of_a_chunk_are_those_of_its_filters():
    """A whole stream of masks and non-zeros, and not one for each fold."""
    arch = small_machine("bitmask")
    weight = weight_of(np.random.default_rng(3), 16, 12, 0.5)
    (chunk,), constants = chunks_of(arch, weight)
    words = array_model(arch).weight_words(arch, weight, "layer")["slots"]
    assert (constants.blocks[0].reshape(-1)[: words.size] == words.reshape(-1) % 256).all()
    assert chunk.loads[0].words == len(words)


@pytest.mark.parametrize("array", ["ws", "bitmask"])
@pytest.mark.parametrize("pixels", [1, 5, 16])
def test_cycles_are_those_of_the_array(array, pixels):
    arch = small_machine(array)
    weight = weight_of(np.random.default_rng(4), 8, 24, 0.4)
    weight[0], weight[:, 0] = 1, 1
    weight[7], weight[:, 23] = 1, 1
    weight[np.arange(24) % 8, np.arange(24)] = 1  # nothing is left out
    (chunk,), _ = chunks_of(arch, weight)
    gemm = GEMM(*weight.shape, pixels, weight.astype(np.int8))
    counts = array_model(arch).count(arch, gemm)
    assert chunk.counts(pixels, None).events == counts.events
    # compressed words are offered a cycle later than in an array alone
    assert 0 <= chunk.counts(pixels, None).cycles - counts.cycles <= (array == "bitmask")


@pytest.mark.parametrize(("density", "copies"), [(0.0, 1), (1.0, 2)])
def test_blocks_that_are_too_full_are_sent_twice(density, copies):
    arch = small_machine("nm")
    (chunk,), _ = chunks_of(arch, weight_of(np.random.default_rng(5), 8, 24, density))
    assert chunk.loops[0] == (copies, 0)
    assert chunk.k_folds == 3 * copies


def test_a_short_k_is_lengthened_for_whole_sums():
    arch = small_machine("nm")
    weight = np.ones((4, 8), np.int64)
    weight[:, 2::4], weight[:, 3::4] = 0, 0
    for results, copies in ((1, 1), (2, 1), (3, 2), (4, 2), (5, 3)):
        (chunk,), _ = chunks_of(arch, weight, results=results)
        assert chunk.k_folds == copies
        assert chunk.loops[0] == (copies, 0)


def test_groups_of_filters_begin_with_a_word():
    arch = small_machine("nm", memory={"weight_depth": 32, "scale_depth": 4})
    weight = np.zeros((40, 40), np.int64)
    alone, _ = chunks_of(arch, weight)
    assert [chunk.m_folds for chunk in alone] == [3, 3, 3, 1]
    pairs, _ = chunks_of(arch, weight, together=2)
    assert [chunk.m_folds for chunk in pairs] == [2, 2, 2, 2, 2]


@pytest.mark.parametrize("seed", range(20))
def test_a_nest_in_pieces_visits_the_same(seed):
    rng = np.random.default_rng(seed)
    sizes = zip(rng.integers(1, 6, 4).tolist(), rng.integers(0, 40, 4).tolist(), strict=True)
    loops, most = tuple(sizes), int(rng.integers(1, 60))
    pieces = list(cut_loops(loops, most))
    visited = [Nest.of(offset, *some).positions() for offset, some in pieces]
    assert (np.concatenate(visited) == Nest.of(0, *loops).positions()).all()
    assert max(map(len, visited)) <= most


def test_k_of_a_fold_is_cut_where_the_array_carries_sums():
    array = ARRAYS["ws"] | {"carries": True}
    chunks, _ = chunks_of(small_machine(array=array), np.ones((6, 700), np.int64))
    assert [(c.first, c.offset, c.k_folds) for c in chunks] == [
        (first, offset, words)
        for first in (0, 1)
        for offset, words in ((0, 59), (59, 59), (118, 57))
    ]
    assert [(c.carry, c.keep) for c in chunks] == [(0, 1), (1, 1), (1, 0)] * 2
    assert [len(c.loads) for c in chunks] == [1, 1, 2] * 2


@pytest.mark.parametrize("kind", ["nm", "nm_os"])
def test_blocks_are_not_cut(kind):
    """Parts of K are whole beats; of each the copies that its blocks need."""
    array = ARRAYS[kind] | {"carries": True}
    arch = small_machine(kind, array=array)
    lanes = MachineShape.of(arch).act_lanes
    chunks, _ = chunks_of(arch, np.ones((1, 100 * lanes), np.int64))  # 4 of 4: 2 copies
    words = arch.memory.weight_depth // (lanes // 4)
    parts = [chunk.k_folds for chunk in chunks]
    assert sum(parts) == 200
    assert max(parts) <= words
    assert all(part % 2 == 0 for part in parts)


def test_groups_may_be_of_a_part_of_a_word():
    """Where not even the folds that read a block of channels together fit at once."""
    arch = small_machine("nm", memory={"weight_depth": 32, "scale_depth": 4})
    chunks, _ = chunks_of(arch, np.zeros((20, 80), np.int64), together=2)
    assert [chunk.m_folds for chunk in chunks] == [1] * 5
    chunks, _ = chunks_of(arch, np.zeros((20, 40), np.int64), together=4)
    assert [(chunk.first, chunk.m_folds) for chunk in chunks] == [(0, 3), (3, 1), (4, 1)]


def test_parts_of_compressed_weights_fit_by_their_non_zeros():
    arch = small_machine(array=ARRAYS["bitmask"] | {"carries": True})
    weight = np.zeros((4, 1200), np.int64)
    weight[:, 600:] = 1  # rows of one slot, and then of five
    chunks, _ = chunks_of(arch, weight)
    words = [chunk.loads[0].words for chunk in chunks]
    assert max(words) <= arch.memory.weight_depth < sum(words)
    assert sum(chunk.k_folds for chunk in chunks) == 300
    assert len({chunk.k_folds for chunk in chunks[:-1]}) == 1
    assert [(c.carry, c.keep) for c in chunks] == [
        (index > 0, index < len(chunks) - 1) for index in range(len(chunks))
    ]


def test_a_fold_that_does_not_fit_is_refused():
    arch = small_machine()
    weight = np.ones((4, 260), np.int64)
    with pytest.raises(InputError, match=r"layer = 260: must be at most memory.weight_depth, 256"):
        chunks_of(arch, weight)
