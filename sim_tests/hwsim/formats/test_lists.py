"""Gather lists beside the weights: what they name, and the folds that lanes of their own cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.config import ArchConfig
from hwsim.formats import lists
from hwsim.formats.lists import NONE, Lists, lists_of

WS, OS, NM, PATTERN = (
    ArchConfig.read(name)
    for name in ("dense_8x8_ws", "dense_8x8_os", "nm_2x4_4x8_ws", "pattern_4x4")
)


def pruned(m, k, rows, cols):
    """Weights of 1 in some rows and columns."""
    weight = np.zeros((m, k), np.int8)
    weight[np.ix_(rows, cols)] = 1
    return weight


def test_a_list_names_what_is_left_of_k_and_the_filters():
    # 16 of 20 columns and 3 of 5 filters: addresses of 5 bits, and of 3
    found = lists(WS, pruned(5, 20, [0, 2, 4], range(16)))
    assert found == Lists(columns=16, filters=3, bits=16 * 5 + 3 * 3, folds=2, banked=2)
    assert lists(WS, pruned(5, 20, range(5), range(20))) == Lists(folds=3, banked=3)


def test_lanes_of_a_convolution_take_their_own_columns():
    # all eight columns in lane 3
    weight = pruned(4, 64, range(4), range(3, 64, 8))
    assert (lists(WS, weight, taps=9).folds, lists(WS, weight, taps=9).banked) == (1, 8)
    # without taps the layer before may put them in any lane
    assert lists(WS, weight).banked == 1
    # an output-stationary array takes one k of several pixels: it has no lanes of K
    assert lists(OS, weight, taps=9).banked == lists(OS, weight, taps=9).folds == 8


def test_folds_of_filters_have_lists_of_their_own():
    weight = np.zeros((16, 32), np.int8)
    weight[:8, :4] = weight[8:, 16:24] = 1
    plain = lists(WS, weight)
    assert (plain.columns, plain.filters) == (12, 0)
    own = lists(ArchConfig.read("dense_8x8_ws_folds"), weight)
    assert (own.columns, own.filters, own.bits) == (12, 0, 12 * 5)
    # three quarters of the first fold's lanes are without a column
    assert (own.folds, own.banked) == (2, 2)


def test_blocks_of_neighbours_stay_where_they_are():
    weight = np.zeros((8, 64), np.int8)
    weight[:, 0:16:16] = weight[:, 16:32:16] = 1  # blocks 0 and 4: both of lane 0 of four
    found = lists(NM, weight)
    assert (found.columns, found.bits) == (2, 2 * 4)
    assert (found.folds, found.banked) == (1, 2)


def test_other_families_of_plain_weights_have_lists_too():
    """Blocks of activations that an encoder makes denser: weights are as they are in dense."""
    found = lists(ArchConfig.read("dbb_2x4_4x8"), pruned(5, 20, [0, 2, 4], range(16)))
    assert (found.columns, found.filters) == (16, 3)


def kernels(*channels, of=8):
    """Filters of 3x3 kernels, whose centre is 1 on the channels of each."""
    weight = np.zeros((len(channels), 9, of), np.int8)
    for row, own in zip(weight, channels, strict=True):
        row[4, own] = 1
    return weight.reshape(len(channels), -1)


def test_each_group_of_kernels_names_its_channels():
    """4 filters on 4 rows make a group; channels are of 3 bits, filters of 3."""
    # the first four share channels 0 to 3, the others 0 and 4, which are both of row 0
    weight = kernels(*[range(4)] * 4, *[[0, 4]] * 4)
    found = lists(PATTERN, weight, taps=9, channels=8)
    assert found == Lists(columns=6, filters=0, bits=6 * 3, folds=2, banked=3)
    # they are in each other's way: filters are reordered, and the list of them is moved, too
    mixed = kernels(*[range(4), [0, 4]] * 4)
    own = lists(PATTERN, mixed, taps=9, channels=8)
    assert own == Lists(columns=6, filters=8, bits=6 * 3 + 8 * 3, folds=2, banked=3)
    # a group that walks all channels has no list
    whole = lists(PATTERN, kernels(*[range(8)] * 4), taps=9, channels=8)
    assert whole == Lists(folds=2, banked=2)
    assert lists(PATTERN, kernels(*[[]] * 4), taps=9, channels=8).folds == 0


def test_kernels_of_a_product_are_blocks_of_four():
    """One group may have its blocks in any order; two share them."""
    weight = np.zeros((8, 64), np.int8)
    weight[:4, ::16] = 1  # blocks 0, 4, 8 and 12: all of row 0
    alone = lists(PATTERN, weight)
    assert (alone.columns, alone.filters, alone.bits) == (4, 4, 4 * 4 + 4 * 3)
    assert (alone.folds, alone.banked) == (1, 1)
    weight[4:, 4:8] = 1
    both = lists(PATTERN, weight)
    assert (both.columns, both.folds, both.banked) == (5, 2, 5)


@pytest.mark.parametrize(
    ("name", "weights"),
    [("csc_8x8", pruned(5, 20, [1], [2])), ("dense_8x8_ws", None),
     ("dense_8x8_ws_gather", pruned(5, 20, [1], [2]))],
)  # fmt: skip
def test_who_has_no_list(name, weights):
    assert lists(ArchConfig.read(name), weights) == NONE


@given(st.integers(0, 1 << 30), st.integers(1, 9))
def test_lanes_never_take_fewer_folds(seed, lanes):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 60))
    cols = np.flatnonzero(rng.random(k) < 0.5)
    rows = np.arange(3)
    own, free = (lists_of(rows, cols, (3, k), lanes, in_order=each) for each in (True, False))
    assert own.banked >= own.folds == free.folds == free.banked
    assert own.banked <= -(-k // lanes)


def test_lists_add_up():
    one = Lists(1, 2, 3, 4, 5)
    assert one + one == one.scaled(2) == Lists.from_dict(one.scaled(2).to_dict())
