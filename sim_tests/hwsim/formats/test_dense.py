"""Dense format: round trip, what is removed, what it costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hwsim.config import ArchConfig, NumberConfig
from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.formats.base import Bits
from hwsim.formats.dense import bits, decode, encode

INT8 = NumberConfig()
INT4 = NumberConfig(weight_width=4)
LEVELS = NumberConfig(weight_width=4, weight_code="levels")
MATRICES = hnp.arrays(
    np.int8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.sampled_from([0, 0, 0, 0, 1, -1, 127, -128]),
)


@given(MATRICES)
@settings(deadline=None, max_examples=200)
def test_decode_inverts_encode(weight):
    matrix = encode(weight, INT8)
    assert (decode(matrix) == weight).all()
    assert matrix.codes.shape == (
        np.count_nonzero(weight.any(axis=1)),
        np.count_nonzero(weight.any(axis=0)),
    )


def test_keeps_full_matrix_without_lists():
    weight = np.eye(3, dtype=np.int8)
    matrix = encode(weight, INT8)
    assert (matrix.codes == weight).all()
    assert len(matrix.kept_rows) == len(matrix.kept_cols) == 0
    assert bits(matrix) == Bits(values=9 * 8)


def test_lists_what_is_kept():
    weight = np.zeros((4, 5), dtype=np.int64)
    weight[1, 0], weight[3, 4] = 5, -6
    matrix = encode(weight, INT4)
    assert matrix.codes.tolist() == [[5, 0], [0, 10]]
    assert matrix.kept_rows.tolist() == [1, 3]
    assert matrix.kept_cols.tolist() == [0, 4]


def test_all_zero_keeps_nothing():
    matrix = encode(np.zeros((3, 4), dtype=np.int8), INT8)
    assert matrix.codes.shape == (0, 0)
    assert bits(matrix) == Bits()
    assert (decode(matrix) == np.zeros((3, 4))).all()


@pytest.mark.parametrize(
    ("kept", "rows", "expected"),
    [
        (1, 16, 4),  # list: 1 index of 4 bits
        (3, 16, 12),  # list
        (4, 16, 16),  # list and bitmap alike
        (15, 16, 16),  # bitmap
        (16, 16, 0),  # nothing removed, nothing to say
        (1, 2, 1),
    ],
)
def test_gather_costs_the_cheaper_of_list_and_bitmap(kept, rows, expected):
    weight = np.zeros((rows, 3), dtype=np.int8)
    weight[:kept] = 1
    assert bits(encode(weight, INT8)) == Bits(values=kept * 3 * 8, indices=expected)


def test_measures_a_shape_as_full():
    arch = ArchConfig.read("dense_8x8_ws")
    assert measure(arch, None, (20, 25)) == Bits(values=20 * 25 * 8)
    assert measure(arch, np.ones((20, 25), np.int8), (20, 25)) == Bits(values=20 * 25 * 8)


def test_refuses_a_value_that_does_not_fit():
    weight = np.array([[0, 7], [8, -8]])
    with pytest.raises(InputError, match=r"weight\[1, 0\] = 8: must be within -8..7 \(4 bits\)"):
        encode(weight, INT4)


def test_code_without_zero_takes_what_removing_rows_and_columns_leaves_full():
    weight = np.array([[8, 0, -8], [0, 0, 0], [1, 0, -1]])
    matrix = encode(weight, LEVELS)
    assert matrix.codes.tolist() == [[0b0111, 0b1111], [0b0000, 0b1000]]
    assert (decode(matrix) == weight).all()
    arch = ArchConfig.read("dense_8x8_ws").model_copy(update={"numbers": LEVELS})
    assert measure(arch, weight, (3, 3)) == bits(matrix) == Bits(values=4 * 4, indices=3 + 3)


def test_code_without_zero_refuses_a_zero_that_is_left():
    weight = np.array([[0, 0, 0], [8, 0, -8], [1, 0, 0]])
    rule = "must not be zero in a row and a column that are kept: 4-bit levels has no zero"
    with pytest.raises(InputError, match=rf"^fc1: weight\[2, 2\] = 0: {rule}"):
        encode(weight, LEVELS, "fc1")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (1, 2, 3)])
def test_refuses_what_is_no_matrix(shape):
    with pytest.raises(ValueError, match="must be a matrix with elements"):
        encode(np.zeros(shape, dtype=np.int8), INT8)
