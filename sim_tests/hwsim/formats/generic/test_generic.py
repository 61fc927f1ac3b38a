"""Formats without an array of their own: round trips, padding, searched widths, bits by kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.config import NumberConfig
from hwsim.formats.base import Bits
from hwsim.formats.generic import coo, csr, relative, run_length

NUMBERS = [
    *(NumberConfig(weight_width=width) for width in (2, 5, 8)),
    *(NumberConfig(weight_width=width, weight_code="levels") for width in (1, 4)),
]


@st.composite
def matrices(draw):
    """Draw sparse, clustered and corner matrices."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.tuples(st.integers(1, 12), st.integers(1, 40)))
    density = draw(st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]))
    weight = rng.integers(-128, 128, size, dtype=np.int8) * (rng.random(size) < density)
    if draw(st.booleans()):
        weight[rng.random(size[0]) < 0.5] = 0
    return weight


@given(matrices())
@settings(deadline=None, max_examples=100)
def test_coordinates_and_rows_round_trip(weight):
    nonzeros = int(np.count_nonzero(weight))
    matrix = coo.encode(weight)
    assert (coo.decode(matrix) == weight).all()
    assert len(matrix.values) == nonzeros
    rows = csr.encode(weight)
    assert (csr.decode(rows) == weight).all()
    assert np.diff(rows.pointers).tolist() == np.count_nonzero(weight, axis=1).tolist()


@given(matrices(), st.integers(1, 9), st.booleans())
@settings(deadline=None, max_examples=200)
def test_relative_index_round_trips_and_sizes_agree(weight, index_bits, has_zero):
    matrix = relative.encode(weight, index_bits, has_zero)
    assert (relative.decode(matrix) == weight).all()
    assert matrix.rel_idx.max(initial=0) < 1 << index_bits
    if not has_zero:  # the index alone tells padding
        longest = matrix.rel_idx == (1 << index_bits) - 1
        assert (longest == (matrix.values == 0)).all()
    gap = relative.gaps(np.flatnonzero(weight))
    assert relative.bits(matrix, 5) == relative.size_of_gaps(gap, index_bits, 5, has_zero)


@given(matrices(), st.integers(1, 9))
@settings(deadline=None, max_examples=200)
def test_run_lengths_round_trip(weight, run_bits):
    matrix = run_length.encode(weight, run_bits)
    assert (run_length.decode(matrix) == weight).all()
    assert matrix.counts.max(initial=0) < 1 << run_bits
    assert len(matrix.values) == np.count_nonzero(weight)


@given(matrices(), st.sampled_from(NUMBERS))
@settings(deadline=None, max_examples=100)
def test_searched_widths_are_the_best_of_all(weight, numbers):
    for module, options in ((relative, (numbers.has_zero,)), (run_length, ())):
        found, width = module.size([weight], numbers)
        sizes = [
            module.bits(module.encode(weight, w, *options), numbers.weight_width)
            for w in range(1, 12)
        ]
        every = [size.total for size in sizes]
        assert found == sizes[width - 1]
        assert every.index(min(every)) == width - 1


def test_groups_share_one_width():
    rng = np.random.default_rng(3)
    near, far = (rng.integers(1, 9, (4, 50)) * (rng.random((4, 50)) < d) for d in (0.5, 0.02))
    numbers = NumberConfig(weight_width=4)
    for module in (relative, run_length):
        found, width = module.size([near, far], numbers)
        assert found == sum((module.bits(module.encode(m, width), 4) for m in (near, far)), Bits())
    assert coo.size([near, far], numbers)[0] == coo.bits(coo.encode(near), 4) + coo.bits(
        coo.encode(far), 4
    )
    assert csr.size([near], numbers) == (csr.bits(csr.encode(near), 4), None)


def test_relative_padding_stands_for_what_the_index_cannot_tell():
    weight = np.zeros((2, 20), dtype=np.int8)
    weight[1, 15] = 7  # 35 zeros of two rows
    matrix = relative.encode(weight, 4)
    assert matrix.values.tolist() == [0, 0, 7]
    assert matrix.rel_idx.tolist() == [15, 15, 3]
    assert relative.bits(matrix, 3) == Bits(values=3, indices=4, padding=2 * (3 + 4))
    exact = np.zeros((1, 16), dtype=np.int8)
    exact[0, 15] = 1
    assert relative.encode(exact, 4).rel_idx.tolist() == [15]


def test_long_runs_are_broken_by_empty_ones():
    weight = np.array([[0] * 7 + [1] * 3 + [0] * 3])
    matrix = run_length.encode(weight, 2)
    assert matrix.counts.tolist() == [3, 0, 3, 0, 1, 3]
    assert run_length.bits(matrix, 8) == Bits(values=24, indices=4, padding=8)


def test_bits_of_coordinates_and_rows():
    weight = np.zeros((5, 9), dtype=np.int8)
    weight[[0, 4, 4], [1, 0, 8]] = 1
    assert coo.bits(coo.encode(weight), 2) == Bits(values=6, indices=3 * (3 + 4))
    assert csr.bits(csr.encode(weight), 2) == Bits(values=6, indices=3 * 4, pointers=6 * 2)


def test_nothing_is_stored_of_an_all_zero_matrix():
    weight = np.zeros((3, 4), dtype=np.int8)
    assert coo.size([weight], NumberConfig())[0] == Bits()
    assert relative.size([weight], NumberConfig()) == (Bits(), 1)
    assert run_length.size([weight], NumberConfig()) == (Bits(), 1)
    assert csr.size([weight], NumberConfig())[0] == Bits(pointers=4)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,)])
def test_refuses_what_is_no_matrix(shape):
    weight = np.zeros(shape, dtype=np.int8)
    for encode in (
        coo.encode,
        csr.encode,
        lambda w: relative.encode(w, 4),
        lambda w: run_length.encode(w, 4),
    ):
        with pytest.raises(ValueError, match="must be a matrix with elements"):
            encode(weight)
