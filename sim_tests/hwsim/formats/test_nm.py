"""N:M format: round trip, projection, what breaks the constraint, what it costs."""

import numpy as np
import pytest
from harness.nm_cases import KINDS, arch_of, designs, gemm_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.errors import InputError
from hwsim.formats import measure, nm
from hwsim.formats.base import Bits
from hwsim.formats.codes import decode


def encoded(weight, n, m, name="nm format", **numbers):
    arch = arch_of("os", 1, 1, n, m, **numbers)
    return nm.encode(np.array(weight), arch.array, arch.numbers, name)


@given(designs(), st.integers(1, 6), st.integers(1, 40), st.sampled_from([0.0, 0.2, 0.6, 1.0]))
@settings(deadline=None, max_examples=200)
def test_decode_inverts_encode(design, rows, k, density):
    arch, seed = design
    weight = gemm_of(np.random.default_rng(seed), arch, (rows, k, 1), density).weight
    matrix = nm.encode(weight, arch.array, arch.numbers)
    assert (nm.decode(matrix, arch.numbers) == weight).all()
    assert matrix.codes.shape == matrix.positions.shape
    assert (np.diff(matrix.positions, axis=2) > 0).all()
    assert matrix.nonzeros == np.count_nonzero(weight)
    assert arch.numbers.has_zero or matrix.codes.size - matrix.nonzeros <= rows * arch.array.n


@given(st.sampled_from(KINDS), st.integers(1, 5), st.integers(1, 20), st.integers(0, 1 << 20))
@settings(deadline=None, max_examples=100)
def test_spread_parts_obey_and_add_up(kind, rows, k, seed):
    arch = arch_of("os", 1, 1, *kind)
    rng = np.random.default_rng(seed)
    weight = rng.integers(-9, 10, (rows, k)) * (rng.random((rows, k)) < rng.random())
    parts = nm.spread(weight, arch.array)
    assert (parts.sum(axis=0) == weight).all()
    for part in parts:
        nm.occupancy(part, arch.array, arch.numbers)  # refuses what breaks the constraint
    assert len(parts) == 1 or (nm.project(weight, arch.array) != weight).any()


@given(st.sampled_from(KINDS), st.integers(1, 5), st.integers(1, 20), st.integers(0, 1 << 20))
@settings(deadline=None, max_examples=100)
def test_projection_is_the_nearest(kind, rows, k, seed):
    arch = arch_of("os", 1, 1, *kind)
    weight = np.random.default_rng(seed).integers(-9, 10, (rows, k)).astype(np.int8)
    projected = nm.project(weight, arch.array)
    assert projected.dtype == weight.dtype
    assert ((projected == weight) | (projected == 0)).all()
    assert (nm.project(projected, arch.array) == projected).all()
    for row in range(rows):
        for first in range(0, k, arch.array.m):
            block = slice(first, first + arch.array.m)
            kept = np.abs(weight[row, block].astype(int))
            largest = np.sort(kept)[::-1][: arch.array.n].sum()
            assert np.abs(projected[row, block].astype(int)).sum() == largest


def test_positions_and_padding_by_hand():
    # block 0: two of four; block 1: one, and a zero at the last position; block 2: K ends
    matrix = encoded([[0, 5, 0, -6, 0, 7, 0, 0, 8]], 2, 4)
    assert matrix.positions.tolist() == [[[1, 3], [1, 3], [0, 3]]]
    assert decode(matrix.codes, arch_of("os", 1, 1, 2, 4).numbers).tolist() == [
        [[5, -6], [7, 0], [8, 0]]
    ]
    assert matrix.nonzeros == 4


def test_removes_rows_and_blocks_that_are_all_zero():
    weight = np.zeros((3, 12), dtype=np.int64)
    weight[0, 1] = weight[2, 8] = 3
    matrix = encoded(weight, 2, 4)
    assert matrix.kept_rows.tolist() == [0, 2]
    assert matrix.kept_blocks.tolist() == [0, 2]
    assert matrix.codes.shape == (2, 2, 2)


def test_whole_blocks_need_no_position():
    arch = arch_of("os", 1, 1, 4, 4)
    matrix = encoded([[1, 0, 2, 0, 3]], 4, 4)
    assert matrix.positions.tolist() == [[[0, 1, 2, 3]] * 2]
    assert nm.bits(matrix, arch.array, arch.numbers) == Bits(values=3 * 8, padding=5 * 8)


def test_bits_by_kind():
    arch = arch_of("os", 1, 1, 2, 4)
    weight = np.array([[1, 2, 0, 0, 3, 0, 0, 0], [0] * 8, [0, 0, 0, 4, 0, 0, 5, 6]])
    # 8 slots, 6 non-zeros; rows 0 and 2 of 3 by a bitmap of 3 bits
    assert measure(arch, weight, weight.shape) == Bits(
        values=6 * 8, indices=6 * 2 + 3, padding=2 * (8 + 2)
    )


def test_bits_of_a_shape_are_those_of_weights_without_a_zero():
    arch = arch_of("os", 1, 1, 2, 4)
    # two whole blocks a row, and one position whose second weight is padding
    assert measure(arch, None, (3, 9)) == Bits(
        values=3 * 5 * 8, indices=3 * 5 * 2, padding=3 * (8 + 2)
    )
    rng = np.random.default_rng(0)
    for n, m, k in ((2, 4, 9), (1, 4, 7), (3, 4, 8), (4, 4, 6), (2, 8, 17)):
        arch = arch_of("os", 1, 1, n, m)
        weight = nm.project(rng.integers(1, 127, (3, k)), arch.array)
        assert measure(arch, None, weight.shape) == measure(arch, weight, weight.shape), (n, m, k)


def test_all_zero_stores_nothing():
    matrix = encoded(np.zeros((2, 5), np.int8), 2, 4)
    assert matrix.codes.shape == (0, 0, 2)
    assert (nm.decode(matrix, arch_of("os", 1, 1, 2, 4).numbers) == 0).all()
    arch = arch_of("os", 1, 1, 2, 4)
    assert nm.bits(matrix, arch.array, arch.numbers) == Bits()


def test_a_code_without_zero_fills_up_beyond_k():
    arch = arch_of("os", 1, 1, 2, 4, weight_code="levels", weight_width=1)
    matrix = nm.encode(np.array([[1, -1, 0, 0, -1]]), arch.array, arch.numbers)
    assert matrix.positions.tolist() == [[[0, 1], [0, 3]]]
    assert matrix.nonzeros == 3
    assert (nm.decode(matrix, arch.numbers) == [[1, -1, 0, 0, -1]]).all()


@pytest.mark.parametrize(
    ("weight", "kind", "numbers", "message"),
    [
        (
            [[0] * 8, [0, 0, 0, 0, 1, 1, 0, 1]],
            (2, 4),
            {},
            r"conv2: non-zeros of weight\[1, 4:8\] = 3: must be at most 2 of 4",
        ),
        (
            [[1] * 5 + [0] * 3],
            (4, 8),
            {},
            r"conv2: non-zeros of weight\[0, 0:8\] = 5: must be at most 4 of 8",
        ),
        (
            [[1, 2, 0, 0], [1, 0, 0, 0]],
            (2, 4),
            {"weight_code": "levels", "weight_width": 4},
            r"conv2: non-zeros of weight\[1, 0:4\] = 1: must be 2 of 4: levels codes have no zero",
        ),
        (
            [[0, 0, 0, 0, 4, 0]],
            (2, 4),
            {"weight_width": 3},
            r"conv2: weight\[0, 4\] = 4: must be within -4..3",
        ),
        (
            [[0, 3]],
            (1, 2),
            {"weight_code": "pow2", "weight_width": 4},
            r"conv2: weight\[0, 1\] = 3: must be a level of 4-bit pow2",
        ),
    ],
)
def test_refuses_what_it_cannot_hold(weight, kind, numbers, message):
    with pytest.raises(InputError, match=message):
        encoded(weight, *kind, name="conv2", **numbers)


@pytest.mark.parametrize("weight", [np.zeros((0, 3), int), np.zeros(3, int)])
def test_refuses_what_is_no_matrix(weight):
    with pytest.raises(ValueError, match="must be a matrix with elements"):
        encoded(weight, 2, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": 6}, "m must be a power of two, not 6"),
        ({"n": 5}, r"n must be at most m \(4\), not 5"),
        ({"n": 0}, "array.n = 0"),
        ({"m": 32}, "array.m = 32"),
    ],
)
def test_refuses_designs(change, message):
    array = {"family": "nm", "dataflow": "os", "rows": 1, "cols": 1, "n": 2, "m": 4} | change
    with pytest.raises(InputError, match=message):
        parse(ArchConfig, {"name": "dut", "array": array}, "test")


def test_refuses_another_family():
    with pytest.raises(TypeError, match="dense_8x8_ws must be of family nm, not dense"):
        nm.measure(ArchConfig.read("dense_8x8_ws"), None, (1, 1))
