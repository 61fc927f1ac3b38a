"""Compressed sparse columns: against a plain loop, round trips, sizes by kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.config import ArchConfig
from hwsim.formats import measure
from hwsim.formats.csc import bits, decode, encode


def reference(weight, pes, index_bits):
    """Entries ``(value, rel_idx)`` of each PE and column by counting zeros one at a time."""
    limit = (1 << index_bits) - 1
    memory = [[[] for _ in range(weight.shape[1])] for _ in range(pes)]
    for pe in range(pes):
        for k in range(weight.shape[1]):
            zeros = 0
            for value in weight[pe::pes, k].tolist():
                if value:
                    memory[pe][k].append((value, zeros))
                    zeros = 0
                elif zeros == limit:
                    memory[pe][k].append((0, limit))
                    zeros = 0
                else:
                    zeros += 1
            # padding serves an entry behind it; there is none
            while memory[pe][k] and memory[pe][k][-1][0] == 0:
                memory[pe][k].pop()
    return memory


@st.composite
def matrices(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 6)))
    density = draw(st.sampled_from([0.0, 0.05, 0.3, 1.0]))
    values = rng.integers(-128, 128, size, dtype=np.int8)
    return values * (rng.random(size) < density)


@given(matrices(), st.integers(1, 9), st.integers(1, 5))
@settings(deadline=None, max_examples=150)
def test_decodes_to_the_same_matrix(weight, pes, index_bits):
    matrix = encode(weight, pes, index_bits)
    assert (decode(matrix) == weight).all()
    assert matrix.rel_idx.max(initial=0) < 1 << index_bits


@given(matrices(), st.integers(1, 9), st.integers(1, 3))
@settings(deadline=None, max_examples=100)
def test_entries_match_counting_zeros(weight, pes, index_bits):
    matrix = encode(weight, pes, index_bits)
    memory = reference(weight, pes, index_bits)
    for pe, columns in enumerate(memory):
        assert np.diff(matrix.pointers[pe]).tolist() == [len(column) for column in columns]
        place = matrix.memory(pe)
        entries = zip(matrix.values[place].tolist(), matrix.rel_idx[place].tolist(), strict=True)
        assert list(entries) == [entry for column in columns for entry in column]


def test_padding_zeros_stand_for_runs_that_the_index_cannot_tell():
    weight = np.zeros((40, 1), dtype=np.int8)
    weight[35] = 7  # 35 zeros: two padding zeros stand for 32 of them
    matrix = encode(weight, 1, 4)
    assert matrix.values.tolist() == [0, 0, 7]
    assert matrix.rel_idx.tolist() == [15, 15, 3]
    assert matrix.padding == 2


def test_run_of_exactly_the_longest_index_needs_no_padding():
    weight = np.zeros((16, 1), dtype=np.int8)
    weight[15] = 1
    assert encode(weight, 1, 4).rel_idx.tolist() == [15]


def test_rows_are_interleaved_over_pes():
    weight = np.arange(1, 7, dtype=np.int8).reshape(6, 1)
    matrix = encode(weight, 4, 4)
    assert [matrix.values[matrix.memory(pe)].tolist() for pe in range(4)] == [
        [1, 5],
        [2, 6],
        [3],
        [4],
    ]


def test_all_zero_matrix_has_pointers_only():
    matrix = encode(np.zeros((5, 3), dtype=np.int8), 4, 2)
    assert len(matrix.values) == 0
    assert (matrix.pointers == 0).all()
    assert (decode(matrix) == 0).all()
    assert bits(matrix, 8).to_dict() == {
        "values": 0, "indices": 0, "pointers": 4 * 4, "padding": 0, "total": 16
    }  # fmt: skip


def test_bits_by_kind():
    weight = np.zeros((20, 2), dtype=np.int8)
    weight[[3, 19], 0] = 5  # 3 zeros, then 15: three padding zeros of 4 and 3 left
    matrix = encode(weight, 1, 2)
    size = bits(matrix, weight_width=8)
    assert matrix.entries.tolist() == [5]
    assert (size.values, size.indices, size.padding) == (2 * 8, 2 * 2, 3 * (8 + 2))
    assert size.pointers == 3 * 3  # up to 5: three bits
    assert bits(matrix, 8, pointer_width=16).pointers == 3 * 16


def test_measure_takes_pes_and_widths_from_the_design():
    arch = ArchConfig.read("csc_16x4")
    weight = np.random.default_rng(1).integers(-9, 9, (50, 30), dtype=np.int8)
    assert measure(arch, weight, (50, 30)) == bits(encode(weight, 16, 4), 8)
    with pytest.raises(ValueError, match="csc needs the weights of a 50 x 30 matrix"):
        measure(arch, None, (50, 30))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,)])
def test_refuses_what_is_no_matrix(shape):
    with pytest.raises(ValueError, match="must be a matrix with elements"):
        encode(np.zeros(shape, dtype=np.int8), 2, 4)
