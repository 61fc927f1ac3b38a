"""Bit masks with packed non-zeros: round trip, words of masks, sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hwsim.config import ArchConfig
from hwsim.formats import measure
from hwsim.formats.base import Bits
from hwsim.formats.bitmask import bits, decode, encode, mask_words

WEIGHTS = hnp.arrays(
    np.int8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
    elements=st.sampled_from([0, 0, 0, 1, -128, 127]),
)
EXAMPLE = np.array([[5, 0, -1, 0, 0, 2], [0, 0, 3, 4, 0, 0], [0] * 6, [7, 0, 0, 0, 0, 1]])


@given(WEIGHTS, st.sampled_from([8, 16, 128]))
@settings(deadline=None, max_examples=100)
def test_round_trip(weight, chunk):
    matrix = encode(weight, chunk)
    assert (decode(matrix) == weight).all()
    assert matrix.chunk == chunk
    assert not (matrix.values == 0).any()
    assert matrix.mask.sum() == len(matrix.values)


@given(WEIGHTS, st.sampled_from([8, 16]))
@settings(deadline=None, max_examples=50)
def test_starts_find_every_chunk(weight, chunk):
    matrix = encode(weight, chunk)
    for (m, c), start in np.ndenumerate(matrix.starts):
        part = weight[m, c * chunk : (c + 1) * chunk]
        stored = part[part != 0]
        assert (matrix.values[start : start + len(stored)] == stored).all()


def test_words_of_a_mask_begin_with_its_lowest_position():
    mask = encode(EXAMPLE, 8).mask
    assert mask_words(mask, 8).tolist() == [[[0b100101]], [[0b1100]], [[0]], [[0b100001]]]
    assert mask_words(mask, 4).tolist()[0] == [[0b0101, 0b10]]


def test_size_of_the_documented_example():
    matrix = encode(EXAMPLE, 8)
    assert matrix.values.tolist() == [5, -1, 2, 3, 4, 7, 1]
    assert bits(matrix, 8) == Bits(values=56, indices=24, pointers=0, padding=8)
    assert bits(matrix, 4, pointer_width=3) == Bits(values=28, indices=24, pointers=12, padding=8)


def test_measure_takes_the_design_s_chunk():
    arch = ArchConfig.read("bitmask_64_c64")
    assert measure(arch, EXAMPLE, (4, 6)) == Bits(values=56, indices=24, padding=4 * 26)


@given(WEIGHTS, st.sampled_from(["bitmask_64", "bitmask_64_c64"]))
@settings(deadline=None, max_examples=60)
def test_measure_counts_what_is_encoded(weight, name):
    arch = ArchConfig.read(name)
    expected = bits(encode(weight, arch.array.chunk), arch.numbers.weight_width)
    assert measure(arch, weight, weight.shape) == expected


@given(st.integers(1, 40), st.integers(1, 300))
@settings(deadline=None, max_examples=60)
def test_without_weights_none_is_zero(num_rows, num_cols):
    arch = ArchConfig.read("bitmask_64_c64")
    full = np.ones((num_rows, num_cols), np.int8)
    assert measure(arch, None, full.shape) == measure(arch, full, full.shape)


@pytest.mark.parametrize("weight", [np.zeros((0, 3), int), np.zeros(3, int)])
def test_what_is_no_matrix_is_refused(weight):
    with pytest.raises(ValueError, match="must be a matrix with elements"):
        encode(weight, 8)
    with pytest.raises(ValueError, match="must be a matrix with elements"):
        measure(ArchConfig.read("bitmask_64"), weight, weight.shape)
