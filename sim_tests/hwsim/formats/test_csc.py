"""Compressed sparse columns: against a plain loop, round trips, sizes by kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.config import ArchConfig, NumberConfig
from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.formats.csc import bits, codebook, decode, encode, entry_codes, full_table, project
from hwsim.rtl.arrays.csc.columns import column_layout
from hwsim.rtl.arrays.csc.layout import PESizes, entry_layout, lane_acts, weight_layout


def reference(weight, pes, index_bits, has_zero=True):
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
                elif zeros + (not has_zero) == limit:
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


def design(numbers, **array):
    fields = {"name": "csc_test", "numbers": numbers}
    base = ArchConfig.read("csc_16x4").array.model_dump()
    return ArchConfig.model_validate(fields | {"array": base | array})


@given(matrices(), st.integers(1, 9), st.integers(1, 5), st.booleans())
@settings(deadline=None, max_examples=150)
def test_decodes_to_the_same_matrix(weight, pes, index_bits, has_zero):
    matrix = encode(weight, pes, index_bits, has_zero)
    assert (decode(matrix) == weight).all()
    assert matrix.rel_idx.max(initial=0) < 1 << index_bits
    if not has_zero:
        assert ((matrix.values == 0) == (matrix.rel_idx == (1 << index_bits) - 1)).all()


@given(matrices(), st.integers(1, 9), st.integers(1, 3), st.booleans())
@settings(deadline=None, max_examples=100)
def test_entries_match_counting_zeros(weight, pes, index_bits, has_zero):
    matrix = encode(weight, pes, index_bits, has_zero)
    memory = reference(weight, pes, index_bits, has_zero)
    for pe, columns in enumerate(memory):
        assert np.diff(matrix.pointers[pe]).tolist() == [len(column) for column in columns]
        memory_of = matrix.memory(pe)
        values, rel_idx = matrix.values[memory_of], matrix.rel_idx[memory_of]
        entries = zip(values.tolist(), rel_idx.tolist(), strict=True)
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


def test_largest_index_marks_padding_where_the_code_has_no_zero():
    weight = np.zeros((48, 2), dtype=np.int8)
    weight[35, 0] = 7  # 35 zeros: two padding entries stand for 30 of them
    weight[14, 1] = 7
    weight[30, 1] = 7  # 15 zeros: one more than the index of a weight can tell
    matrix = encode(weight, 1, 4, has_zero=False)
    assert matrix.values.tolist() == [0, 0, 7, 7, 0, 7]
    assert matrix.rel_idx.tolist() == [15, 15, 5, 14, 15, 0]
    assert matrix.padding == 3


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
    assert bits(matrix, 8, 1).to_dict() == {
        "values": 0, "indices": 0, "pointers": 4 * 4, "padding": 0, "total": 16
    }  # fmt: skip


def test_bits_by_kind():
    weight = np.zeros((20, 2), dtype=np.int8)
    weight[[3, 19], 0] = 5  # 3 zeros, then 15: three padding zeros of 4 and 3 left
    matrix = encode(weight, 1, 2)
    size = bits(matrix, code_width=8, pointer_width=16)
    assert matrix.entries.tolist() == [5]
    assert (size.values, size.indices, size.padding) == (2 * 8, 2 * 2, 3 * (8 + 2))
    assert size.pointers == 3 * 16


def test_measure_takes_pes_and_widths_from_the_design():
    arch = ArchConfig.read("csc_16x4")
    weight = np.random.default_rng(1).integers(-9, 9, (50, 30), dtype=np.int8)
    # pointers to 4096 entries, and to the end behind them
    assert measure(arch, weight, (50, 30)) == bits(encode(weight, 16, 4), 8, 13)


@given(
    matrices(),
    st.sampled_from([1, 2, 4, 8, 16]),
    st.integers(1, 5),
    st.sampled_from([{}, {"weight_code": "levels", "weight_width": 8}]),
    st.sampled_from([1, 64, 1048576]),
)
@settings(deadline=None, max_examples=100)
def test_bits_are_counted_without_encoding(weight, pes, index_bits, numbers, entry_depth):
    arch = design(numbers, pes=pes, load_pes=1, index_bits=index_bits, entry_depth=entry_depth)
    matrix = encode(weight, pes, index_bits, arch.numbers.has_zero)
    assert measure(arch, weight, weight.shape) == bits(matrix, 8, entry_depth.bit_length())


def test_pointers_have_the_width_of_the_hardware():
    """One truth: the memories of the RTL, the words of its stream, the bits in every report."""
    weight = np.ones((4, 6), dtype=np.int8)
    for depth in (1, 64, 4096):
        arch = design({}, pes=2, load_pes=1, entry_depth=depth)
        width = PESizes.of(arch).pointer_width
        column = column_layout(width, lane_acts(1, 8))
        assert (1 << column["end"].shape.width) > depth  # tells the end of a full memory
        assert measure(arch, weight, (4, 6)).pointers == 2 * 7 * width
        beats = weight_layout(arch)["data"].shape.elem_shape.width
        assert beats == max(width, entry_layout(8, 4).size)


@pytest.mark.parametrize("codebook_bits", [None, 2, 4])
@given(st.integers(1, 40), st.integers(1, 6))
@settings(deadline=None, max_examples=20)
def test_shape_alone_measures_as_weights_without_a_zero(codebook_bits, m, k):
    arch = design({}, codebook_bits=codebook_bits)
    size = min((1 << codebook_bits) - 1, m * k) if codebook_bits else 100
    weight = (np.arange(m * k) % size + 1).reshape(m, k)
    assert measure(arch, None, (m, k)) == measure(arch, weight, (m, k))


def test_codebook_of_few_levels():
    arch = design({"weight_code": "pow2", "weight_width": 4}, codebook_bits=3)
    assert full_table(arch, 1000) == 7
    arch = design({"weight_code": "pow2", "weight_width": 3}, codebook_bits=2)
    assert [full_table(arch, weights) for weights in (1, 2, 1000)] == [1, 2, 3]
    arch = design({"weight_code": "levels", "weight_width": 2}, codebook_bits=1)
    assert full_table(arch, 1000) == 1


def test_measure_without_a_zero_code_pads_sooner():
    weight = np.zeros((16 * 17, 1), dtype=np.int8)
    weight[16 * 15] = 1  # 15 zeros on PE 0
    plain = measure(design({"weight_code": "int", "weight_width": 4}), weight, weight.shape)
    marked = measure(design({"weight_code": "levels", "weight_width": 4}), weight, weight.shape)
    assert (plain.values, plain.padding) == (4, 0)
    assert (marked.values, marked.padding) == (4, 8)


def test_codebook_is_the_distinct_weights():
    weight = np.array([[5, 0, -3], [5, 5, 127]], dtype=np.int8)
    assert codebook(weight, 2).tolist() == [-3, 5, 127]
    assert codebook(np.zeros((2, 2), np.int8), 1).tolist() == []
    with pytest.raises(InputError, match="values of weight = 3: must be at most 1 for a codebook"):
        codebook(weight, 1)


def test_codebook_counts_once_under_values():
    weight = np.array([[5, 0, -3], [5, 5, 127]], dtype=np.int8)
    shared = measure(design({"weight_width": 8}, codebook_bits=2), weight, (2, 3))
    plain = measure(design({"weight_width": 8}), weight, (2, 3))
    assert shared.values == 5 * 2 + 3 * 8
    assert plain.values == 5 * 8
    assert (shared.indices, shared.pointers) == (plain.indices, plain.pointers)


def test_entry_codes_are_positions_in_the_table_or_weight_codes():
    weight = np.zeros((40, 1), dtype=np.int8)
    weight[[0, 1, 39], 0] = 6, -4, 6
    matrix = encode(weight, 1, 4)
    assert matrix.values.tolist() == [6, -4, 0, 0, 6]
    numbers = NumberConfig(weight_width=4)
    assert entry_codes(matrix, numbers, np.array([-4, 6])).tolist() == [2, 1, 0, 0, 2]
    assert entry_codes(matrix, numbers, None).tolist() == [6, 12, 0, 0, 6]


@given(matrices(), st.integers(1, 6))
@settings(deadline=None, max_examples=80)
def test_projection_fits_the_codebook(weight, codebook_bits):
    arch = design({"weight_width": 8}, codebook_bits=codebook_bits)
    projected = project(weight, arch.array)
    assert len(codebook(projected, codebook_bits)) <= (1 << codebook_bits) - 1
    assert ((projected == 0) == (weight == 0)).all()
    assert projected.dtype == weight.dtype
    assert set(np.unique(projected)) <= set(np.unique(weight))
    assert (project(projected, arch.array) == projected).all()
    if len(np.unique(weight[weight != 0])) < 1 << codebook_bits:
        assert (projected == weight).all()


def test_projection_finds_the_clusters():
    arch = design({"weight_width": 8}, codebook_bits=2)
    weight = np.array([[-101, -100, -99, 9, 10, 11, 79, 80, 81, 0]])
    expected = [[-100] * 3 + [10] * 3 + [80] * 3 + [0]]
    assert project(weight, arch.array).tolist() == expected
    assert project(weight, design({"weight_width": 8}).array) is weight


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,)])
def test_refuses_what_is_no_matrix(shape):
    with pytest.raises(ValueError, match="must be a matrix with elements"):
        encode(np.zeros(shape, dtype=np.int8), 2, 4)
