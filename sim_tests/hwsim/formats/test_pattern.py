"""Pattern format: round trip, library, groups, bits by kind, what is refused."""

import numpy as np
import pytest
from harness.pattern_cases import arch_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.formats import project as project_design
from hwsim.formats.base import Bits
from hwsim.formats.pattern import CANDIDATES, bits, decode, encode, project
from hwsim.formats.pattern_groups import group_filters


@st.composite
def layers(draw):
    """Design, projected weights, input channels (0: not 3x3), and whether the code has a zero."""
    arch = arch_of(
        draw(st.integers(1, 4)), draw(st.integers(1, 4)), patterns=draw(st.integers(1, 16))
    )
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    m, k = int(rng.integers(1, 12)), int(rng.integers(1, 12))
    channels = k if draw(st.booleans()) else 0
    has_zero = draw(st.booleans())
    size = (m, 9 * k) if channels else (m, k)
    weight = rng.integers(-8, 8, size) * (rng.random(size) < draw(st.sampled_from([0.3, 0.8, 1])))
    keep = draw(st.sampled_from([0.2, 0.6, 1.0]))
    return (
        arch.array,
        project(weight, arch.array, channels, keep, has_zero=has_zero),
        channels,
        (has_zero),
    )


@given(layers())
@settings(deadline=None, max_examples=200)
def test_decode_inverts_encode(layer):
    array, weight, channels, has_zero = layer
    matrix = encode(weight, array, channels, has_zero=has_zero)
    assert (decode(matrix) == weight).all()
    assert len(matrix.library) <= array.patterns
    size = bits(matrix, 8)
    assert size.values == 8 * np.count_nonzero(weight)
    assert size.padding >= 8 * (np.count_nonzero(matrix.ids >= 0) * 4 - np.count_nonzero(weight))
    # every filter with a weight has one place, and its list has all its channels
    assert sorted(matrix.groups.order.tolist()) == np.flatnonzero(weight.any(axis=1)).tolist()


@given(layers())
@settings(deadline=None, max_examples=200)
def test_bits_are_those_of_the_encoded_matrix(layer):
    array, weight, channels, has_zero = layer
    arch = arch_of(array.rows, array.cols, patterns=array.patterns)
    if not has_zero:
        levels = arch.numbers.model_copy(update={"weight_code": "levels", "weight_width": 5})
        arch = arch.model_copy(update={"numbers": levels})
    matrix = encode(weight, array, channels, has_zero=has_zero)
    expected = bits(matrix, arch.numbers.weight_width)
    assert measure(arch, weight, weight.shape, channels) == expected


@pytest.mark.parametrize("seed", range(8))
def test_a_shape_stands_for_weights_without_a_zero(seed):
    rng = np.random.default_rng([5, seed])
    code = {"weight_code": "levels", "weight_width": 4} if seed % 2 else {}
    arch = arch_of(int(rng.integers(1, 5)), int(rng.integers(1, 5)), patterns=4, **code)
    m, channels = int(rng.integers(30, 50)), int(rng.integers(3, 9))
    for kernels, k in ((channels, 9 * channels), (0, 4 * channels), (0, 4 * channels + 1)):
        drawn = rng.integers(1, 8, (m, k)) * rng.choice([-1, 1], (m, k))
        weight = project_design(arch, drawn, kernels)
        size = measure(arch, None, (m, k), kernels)
        assert size == measure(arch, weight, (m, k), kernels), f"seed {seed}"


@pytest.mark.parametrize("seed", range(10))
def test_projection_is_idempotent(seed):
    rng = np.random.default_rng([1, seed])
    array = arch_of(2, 2, patterns=int(rng.integers(1, 17))).array
    weight = rng.integers(1, 9, (6, 9 * 5)) * rng.choice([-1, 1], (6, 9 * 5))
    projected = project(weight, array, 5, keep=0.7)
    assert (projected == project(projected, array, 5, keep=1.0)).all()
    assert ((projected == weight) | (projected == 0)).all()
    assert np.count_nonzero(projected) == 4 * round(0.7 * 30)


def test_projection_keeps_the_largest_taps():
    arch = arch_of(1, 1, patterns=1)
    kernel = np.array([[9, 1, 1, 8, 1, 1, 1, 7, 1]])
    # the centre stays, however small; 9, 8 and 7 are the largest neighbours
    assert project(kernel, arch.array, 1).tolist() == [[9, 0, 0, 8, 1, 0, 0, 7, 0]]


def test_projection_removes_the_smallest_kernels():
    arch = arch_of(1, 1, patterns=16)
    weight = np.kron(np.array([[1, 5, 2, 4]]), np.ones((2, 9), dtype=np.int64))
    weight = weight.reshape(2, 4, 9).swapaxes(1, 2).reshape(2, 36)  # (tap, channel)
    kept = project(weight, arch.array, 4, keep=0.5).reshape(2, 9, 4).any(axis=1)
    assert kept.tolist() == [[False, True, False, True]] * 2


def test_candidates_are_the_centre_and_three_others():
    assert CANDIDATES.shape == (56, 4)
    assert (np.diff(CANDIDATES) > 0).all()
    assert (CANDIDATES == 4).any(axis=1).all()


def kernels(taps_of_kernels, channels):
    """Filters ``(M, 9 * channels)`` of ones at the taps named, one list of kernels a filter."""
    weight = np.zeros((len(taps_of_kernels), 9, channels), dtype=np.int64)
    for row, filters in enumerate(taps_of_kernels):
        for channel, taps in enumerate(filters):
            weight[row, list(taps), channel] = 1
    return weight.reshape(len(weight), -1)


def test_library_holds_kernels_with_fewer_taps():
    # {0,1} and {2,3} fit one pattern, {4} fits that of {4,5,6,7}
    weight = kernels([[(0, 1), (2, 3), (4,), (4, 5, 6, 7)]], 4)
    matrix = encode(weight, arch_of(2, 1, patterns=2).array, 4)
    assert sorted(matrix.library.tolist()) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert (decode(matrix) == weight).all()


def test_filters_that_share_channels_share_a_group():
    """Alternate filters use the odd and the even channels: reorder halves the folds."""
    present = np.zeros((8, 16), dtype=bool)
    present[::2, ::2] = present[1::2, 1::2] = True
    groups = group_filters(present, rows=4, cols=4)
    assert groups.folds(4) == 2 * 2
    own = [present[start : start + 4].any(axis=0).sum() for start in (0, 4)]
    assert sum(-(-int(length) // 4) for length in own) == 2 * 4
    assert [set(row) for row in groups.table().tolist()] == [{0, 2, 4, 6}, {1, 3, 5, 7}]


def test_own_order_is_kept_where_it_costs_nothing():
    groups = group_filters(np.ones((10, 6), dtype=bool), rows=4, cols=4)
    assert groups.order.tolist() == list(range(10))
    assert groups.table()[-1].tolist() == [8, 9, -1, -1]


@given(st.integers(0, 1 << 20))
@settings(deadline=None, max_examples=100)
def test_grouping_is_a_permutation_and_never_worse(seed):
    rng = np.random.default_rng(seed)
    rows, cols = rng.integers(1, 5, 2).tolist()
    present = rng.random(tuple(rng.integers(1, 20, 2))) < rng.choice([0.1, 0.4, 0.8])
    groups = group_filters(present, rows, cols)
    filters = np.flatnonzero(present.any(axis=1))
    assert sorted(groups.order.tolist()) == filters.tolist()
    own = [present[filters[p : p + cols]].any(axis=0).sum() for p in range(0, len(filters), cols)]
    assert groups.folds(rows) <= sum(-(-int(length) // rows) for length in own)
    for group, members in enumerate(groups.table()):
        channels = groups.channels[groups.starts[group] : groups.starts[group + 1]]
        union = present[members[members >= 0]].any(axis=0)
        assert channels.tolist() == np.flatnonzero(union).tolist()


def test_bits_of_a_small_layer_by_hand():
    # filter 0 has both channels, filter 1 the second alone; two patterns; 4 channels in the layer
    weight = kernels([[(0, 1, 2, 4), (), (4, 5, 7, 8)], [(), (), (4, 5, 7)]], 4)
    matrix = encode(weight, arch_of(2, 2).array, 4)
    assert bits(matrix, 8) == Bits(
        values=11 * 8,  # non-zero weights
        # 3 ids of 1 bit; one list of 2 of 4 channels: 4 bits; two patterns of four taps of 4 bits
        indices=3 + 4 + 2 * 4 * 4,
        pointers=3,  # the list's length, 0 to 4
        padding=8 + 4 * 8 + 1,  # a zero tap; filter 1's zeros on channel 0, and their id
    )


def test_bits_of_a_full_matrix_are_its_codes():
    arch = arch_of(2, 2)
    weight = np.ones((3, 8), dtype=np.int64)
    assert measure(arch, weight, (3, 8)) == Bits(values=24 * 8)
    # four of K past the end are stored and not used
    assert measure(arch, weight[:, :5], (3, 5)) == Bits(values=15 * 8, padding=9 * 8)


def test_all_zero_keeps_nothing():
    arch = arch_of(2, 2)
    for channels in (0, 2):
        matrix = encode(np.zeros((3, 18), dtype=np.int8), arch.array, channels)
        assert len(matrix.groups.order) == matrix.values.size == 0
        assert (decode(matrix) == np.zeros((3, 18))).all()


@pytest.mark.parametrize(
    ("weight", "patterns", "has_zero", "message"),
    [
        (
            kernels([[(0,)], [(0, 1, 2, 3, 4)]], 1), 8, True,
            r"conv1: filter 1, channel 0: taps = \[0, 1, 2, 3, 4\]: must keep at most 4 of 9 taps",
        ),
        (
            kernels([[(0, 1, 2, 4)], [(0, 1, 2, 4)], [(4, 5, 6, 7)]], 1), 1, True,
            r"conv1: filter 2, channel 0: taps = \[4, 5, 6, 7\]: "
            "must fit a library of at most 1 patterns",
        ),
        (
            kernels([[(0, 1, 2)]], 1), 8, False,
            r"conv1: filter 0, channel 0: taps = \[0, 1, 2\]: "
            "must keep 4 taps or none: the code has no zero",
        ),
    ],
)  # fmt: skip
def test_refuses_kernels_that_fit_no_pattern(weight, patterns, has_zero, message):
    array = arch_of(2, 2, patterns=patterns).array
    with pytest.raises(InputError, match=message):
        encode(weight, array, 1, has_zero=has_zero, source="conv1")


def test_refuses_bad_shapes():
    array = arch_of(2, 2).array
    with pytest.raises(ValueError, match="must be a matrix with elements"):
        encode(np.zeros((0, 4), dtype=np.int8), array)
    with pytest.raises(ValueError, match="K must be 9 taps of 2 channels, not 9"):
        encode(np.zeros((1, 9), dtype=np.int8), array, 2)


def test_projects_for_a_design():
    arch = arch_of(2, 2, weight_width=3, weight_code="levels")
    weight = np.random.default_rng(1).choice([-2, -1, 1, 2], (4, 18))
    weight[0, 4] = 0
    projected = project_design(arch, weight, 2)
    assert set(np.count_nonzero(projected.reshape(4, 9, 2), axis=1).ravel().tolist()) <= {0, 4}
    assert (project_design(arch, weight[:, :6]) != 0).sum(axis=1).tolist() == [4, 6, 6, 6]
