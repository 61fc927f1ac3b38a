"""Gather lists of folds: what they keep, how filters are cut, what they take."""

import numpy as np
import pytest
from harness.component import seeded

from hwsim.formats.base import Bits
from hwsim.formats.dense_folds import cut, size


def kept(folds):
    return [(fold.rows.tolist(), fold.cols.tolist()) for fold in folds]


def test_each_fold_keeps_its_own_columns():
    weight = np.zeros((5, 6), int)
    weight[:2, [0, 4]] = weight[2:4, [1, 2, 5]] = weight[4, 3] = 1
    folds = cut(weight, 2)
    assert kept(folds) == [([0, 1], [0, 4]), ([2, 3], [1, 2, 5]), ([4], [3])]
    # values of 8 bits; the lists: 2 of 6 columns as indices of 3 bits, 3 as a bitmap, 1 as an index
    assert size(folds, (5, 6), 8) == Bits(values=8 * (4 + 6 + 1), indices=6 + 6 + 3)


def test_blocks_stay_as_numbered_where_that_has_fewer_columns():
    weight = np.zeros((6, 8), int)
    weight[[0, 1], :3] = weight[[3], 3:6] = weight[[4, 5], 6:] = 1  # filter 2 is gone
    assert kept(cut(weight, 2)) == [([0, 1], [0, 1, 2]), ([3], [3, 4, 5]), ([4, 5], [6, 7])]
    weight[[0, 1, 4, 5]] = 0
    weight[[1, 4]] = 1  # packed into one fold, with columns that both have
    weight[3] = 0
    assert kept(cut(weight, 2)) == [([1, 4], list(range(8)))]


def test_one_list_where_folds_leave_out_nothing_more():
    weight = np.ones((7, 5), int)
    weight[:, 2] = weight[3] = 0
    assert kept(cut(weight, 2)) == [([0, 1, 2, 4, 5, 6], [0, 1, 3, 4])]
    assert cut(np.zeros((3, 4), int), 2) == []


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_lost_and_nothing_doubled(seed):
    rng = seeded(seed)
    m, k, lanes = (int(rng.integers(1, high)) for high in (20, 20, 6))
    weight = (rng.random((m, k)) < rng.choice([0.02, 0.1, 0.4])).astype(int)
    left = weight.copy()
    folds = cut(weight, lanes)
    for fold in folds:
        assert len(folds) == 1 or len(fold.rows) <= lanes
        assert (weight[np.ix_(fold.rows, fold.cols)].any(axis=0)).all()
        left[np.ix_(fold.rows, fold.cols)] = 0
    assert not left.any()
    rows = np.concatenate([fold.rows for fold in folds]) if folds else np.zeros(0, int)
    assert rows.tolist() == np.flatnonzero(weight.any(axis=1)).tolist()
