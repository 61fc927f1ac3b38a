"""Gathers from banks: no conflicts, no fold too many, and the projection that makes it ideal."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.errors import InputError
from hwsim.formats.gather import banks, pack, project


@st.composite
def kept_columns(draw):
    """Draw columns that are kept of a depth, an array's rows, and channels or none."""
    depth = draw(st.integers(1, 120))
    kept = draw(st.sets(st.integers(0, depth - 1)))
    channels = draw(st.none() | st.integers(1, depth))
    return np.array(sorted(kept), dtype=np.int64), depth, draw(st.integers(1, 20)), channels


@given(kept_columns())
@settings(deadline=None, max_examples=200)
def test_every_column_is_taken_once_from_its_own_bank(case):
    kept, depth, rows, channels = case
    gather = pack(kept, depth, rows, channels)
    folds, lanes = np.nonzero(gather.entries >= 0)
    taken = gather.entries[folds, lanes]
    assert sorted(taken.tolist()) == kept.tolist()
    assert (banks(taken, rows, channels) == lanes).all()


@given(kept_columns())
@settings(deadline=None, max_examples=200)
def test_folds_are_the_fullest_bank_and_no_packing_has_fewer(case):
    kept, depth, rows, channels = case
    gather = pack(kept, depth, rows, channels)
    # two entries of one bank need two folds: the fullest bank is a bound for every packing
    held = [0] * rows
    for k in kept.tolist():
        held[(k if channels is None else k % channels) % rows] += 1
    assert gather.folds == max(held)
    assert gather.kept == len(kept)
    assert gather.ideal == -(-len(kept) // rows) <= gather.folds


def test_conflicts_are_what_the_banks_add():
    gather = pack(np.array([0, 4, 8, 1]), 12, 4)
    assert gather.entries.tolist() == [[0, 1, -1, -1], [4, -1, -1, -1], [8, -1, -1, -1]]
    assert gather.to_dict() == {"kept": 4, "folds": 3, "ideal": 1, "conflicts": 2}


def test_a_channel_has_one_bank_whatever_the_tap():
    # three channels on two banks: channels 0 and 2 share one
    assert banks(np.arange(9), 2, 3).tolist() == [0, 1, 0] * 3
    assert banks(np.arange(9), 2).tolist() == [0, 1] * 4 + [0]


def test_nothing_kept_takes_no_fold():
    assert pack(np.zeros(0, dtype=np.int64), 5, 4).folds == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 9), st.data())
@settings(deadline=None, max_examples=150)
def test_projected_columns_take_the_ideal_folds(seed, depth, rows, data):
    weight = np.random.default_rng(seed).integers(1, 9, (3, depth))
    keep = data.draw(st.integers(0, depth))
    projected = project(weight, keep, rows)
    kept = np.flatnonzero(projected.any(axis=0))
    assert len(kept) == keep  # K mod rows spreads a whole matrix evenly
    gather = pack(kept, depth, rows)
    assert gather.folds == gather.ideal
    assert (projected[:, kept] == weight[:, kept]).all()


@pytest.mark.parametrize("keep", range(7))
@pytest.mark.parametrize("channels", [None, 4])
def test_no_balanced_choice_keeps_more_of_the_norm(keep, channels):
    rng = np.random.default_rng(keep)
    weight = rng.integers(-9, 10, (2, 8))
    rows, share = 3, -(-keep // 3)
    norms = np.square(weight).sum(axis=0)
    bank = banks(np.arange(8), rows, channels)
    best = max(
        int(norms[list(chosen)].sum())
        for size in range(keep + 1)
        for chosen in combinations(range(8), size)
        if np.bincount(bank[list(chosen)], minlength=rows).max() <= share
    )
    assert int(np.square(project(weight, keep, rows, channels)).sum()) == best


def test_projecting_twice_changes_nothing():
    weight = np.random.default_rng(5).normal(size=(4, 30))
    once = project(weight, 11, 4)
    assert (project(once, 11, 4) == once).all()


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([3, 12], r"kept\[1\] = 12: must be within 0..11"),
        ([-1], r"kept\[0\] = -1: must be within 0..11"),
        ([5, 2, 5], "kept = 5: must be given once"),
    ],
)
def test_gathers_out_of_range_are_refused(kept, message):
    with pytest.raises(InputError, match=message):
        pack(np.array(kept), 12, 4)


def test_keeping_more_columns_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"keep must be within 0..8, not 9"):
        project(np.ones((1, 8)), 9, 2)
