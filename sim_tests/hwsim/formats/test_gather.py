"""Gathers from banks: no conflicts, and no fold too many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.errors import InputError
from hwsim.formats.gather import banks, pack


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
    assert (gather.kept, gather.folds, gather.ideal) == (4, 3, 1)


def test_a_channel_has_one_bank_whatever_the_tap():
    # three channels on two banks: channels 0 and 2 share one
    assert banks(np.arange(9), 2, 3).tolist() == [0, 1, 0] * 3
    assert banks(np.arange(9), 2).tolist() == [0, 1] * 4 + [0]


def test_nothing_kept_takes_no_fold():
    assert pack(np.zeros(0, dtype=np.int64), 5, 4).folds == 0


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
